"""What long work is at: a line when it begins, then one now and then with the time that is left."""

from __future__ import annotations

import time

import click

EVERY = 5.0
"""Seconds between lines."""


class Counting:
    """A `Report` on sounds, whose note says what is done with them; writes to standard error."""

    def __init__(self) -> None:
        self._doing = ""
        self._before = 0
        self._began = self._said = 0.0

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        doing, total, now = note, total or done, time.monotonic()
        if doing != self._doing or done <= self._before:
            self._doing, self._before, self._began, self._said = doing, done, now, now
            there = f"nothing to do, all {total:,}" if done == total else f"{done:,} of {total:,}"
            click.echo(f"{doing}: {there} sounds are there", err=True)
        elif done == total or now - self._said >= EVERY:
            self._said = now
            left = (now - self._began) / (done - self._before) * (total - done) / 60
            click.echo(f"{doing}: {done:,} of {total:,} sounds, {left:.1f} min left", err=True)
