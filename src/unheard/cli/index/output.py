"""What the user sees of work on an index: a bar or a line now and then on stderr, and what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from unheard.index.building.builder import Built

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def advancing(what: str, unit: str, quiet: bool = False) -> Iterator[Callable[[int, int | None, str], None]]:
    """What to call with how much of how much is done and a remark; the total may be unknown (None).

    A bar with rate and time left on a terminal, elsewhere a line every ten seconds unless `quiet`.
    """
    if sys.stderr.isatty():
        with _bar(what, unit) as update:
            yield update
    else:
        yield _lines(what, unit, quiet)


@contextmanager
def building(quiet: bool = False) -> Iterator[Callable[[Built, int | None], None]]:
    """What `build` is to call after each recording."""
    began = time.monotonic()
    with advancing("recordings", "recordings", quiet) as update:

        def report(built: Built, total: int | None) -> None:
            heard = built.seconds / max(time.monotonic() - began, 1e-9)
            left_out = f", {built.rejected} left out" if built.rejected else ""
            update(built.done, total, f"{heard:.0f} s of sound a second{left_out}")

        yield report


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Callable[[int, int | None, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.1f} {unit}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[count]}"),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(what, total=None, count="", remark="")

        def update(done: int, total: int | None, remark: str) -> None:
            count = f"{done:,}" if total is None else f"{done:,}/{total:,}"
            bars.update(task, completed=done, total=total, count=count, remark=remark)

        yield update


def _lines(what: str, unit: str, quiet: bool) -> Callable[[int, int | None, str], None]:
    began = last = time.monotonic()

    def update(done: int, total: int | None, remark: str) -> None:
        nonlocal last
        now = time.monotonic()
        if quiet or now - last < SECONDS_BETWEEN_LINES:
            return
        last, rate = now, done / (now - began)
        left = "" if total is None or not rate else f", {(total - done) / rate:.0f} s left"
        count = f"{done:,}" if total is None else f"{done:,} of {total:,}"
        click.echo(f"{what}: {count}, {rate:,.1f} {unit}/s{left}  {remark}", err=True)

    return update


def describe(built: Built) -> str:
    """One line on what came of a build, and one on each thing to know."""
    parts = [f"{built.added:,} added"]
    for number, word in (
        (built.changed, "embedded again"),
        (built.redescribed, "given another caption or timing"),
        (built.unchanged, "there already"),
        (built.removed, "removed"),
        (built.rejected, "left out"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    lines = [f"{built.uri}: {', '.join(parts)} ({built.windows:,} windows, {built.seconds:,.0f} s of sound)"]
    if built.silent:
        lines.append(f"  {built.silent:,} are silent: kept and marked, found by no search")
    if built.uncaptioned:
        lines.append(f"  {built.uncaptioned:,} have no caption: caption deduplication does nothing near them")
    if built.unused_captions:
        lines.append(f"  {built.unused_captions:,} rows of the captions name no sound")
    if built.rejects:
        lines.append(f"  what was left out, and why: {built.rejects}")
    return "\n".join(lines)
