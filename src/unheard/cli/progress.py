"""Progress on standard error, alike for all work: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from unheard.cli.terminal import say
from unheard.common.progress import Report
from unheard.common.texts import plural

if TYPE_CHECKING:
    from unheard.generation.batches import Progress

SECONDS_BETWEEN_LINES = 10.0
YEAR = 365 * 24 * 3600
"""Seconds of work left beyond which nobody counts them."""
SHORTEST_PACE = 0.5
"""Seconds of work that a pace is told from; of less it is chance, such as what comes from a cache."""
QUIET = "unheard.quiet"
"""Where the context of a command says that no progress is shown."""


class Pace:
    """How fast work goes and how long it still takes, as words.

    What the first report of a part of the work says is done was there before. A part ends where less is done
    than before, or where there is another total.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done = self._before = 0
        self._total: int | None = None
        self._began: float | None = None

    def update(self, done: int, total: int | None) -> bool:
        """Take what is done; whether that is the first of a part."""
        other_total = self._total is not None and total != self._total
        begins = self._began is None or done < self._done or other_total
        if begins:
            self._before, self._began = done, self._clock()
        self._done, self._total = done, total
        return begins

    def __str__(self) -> str:
        """Such as ", 2.1 a second, 0:00:07 left"; empty as long as nothing is known."""
        seconds = 0.0 if self._began is None else self._clock() - self._began
        if self._done == self._before or seconds < SHORTEST_PACE:
            return ""
        rate = (self._done - self._before) / seconds
        speed = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second"
        left = 0 if self._total is None else round((self._total - self._done) / rate)
        said = timedelta(seconds=left) if left <= YEAR else "more than a year"
        return f", {speed}, {said} left" if left else f", {speed}"


@dataclass(frozen=True)
class Moment:
    """What is to be seen at one moment, such as "judging: 3 of 8 sounds" and a note beside it."""

    what: str
    done: int
    total: int | None
    unit: str
    note: str

    @property
    def count(self) -> str:
        if self.total is None:
            return plural(self.done, self.unit)
        return f"{self.done:,} of {plural(self.total, self.unit)}"


Show = Callable[[Moment], None]


class Display:
    """Progress on standard error; on what is no terminal, none if `quiet`; none at all under `-q`."""

    def __init__(self, quiet: bool = False) -> None:
        context = click.get_current_context(silent=True)
        silent = context is not None and bool(context.meta.get(QUIET))
        self.terminal = sys.stderr.isatty() and not silent
        self.quiet = quiet or silent

    @contextmanager
    def loading(self, what: str) -> Iterator[None]:
        """While torch is imported and a model is read, which takes seconds; on a terminal alone."""
        if not self.terminal:
            yield
            return
        from unheard.cli.console import SafeConsole

        with SafeConsole(stderr=True).status(f"loading {what}"):
            yield

    @contextmanager
    def counting(self, unit: str, what: str | None = None) -> Iterator[Report]:
        """A `Report` on things, one of them called `unit`; `what` is done with them, or as each note says."""
        with self._shown() as show:

            def report(done: int, total: int | None, note: str = "") -> None:
                said = (note, "") if what is None else (what, note)
                show(Moment(said[0], done, total, unit, said[1]))

            yield report

    @contextmanager
    def generating(self) -> Iterator[Callable[[Progress], None]]:
        """What to call after each denoising step."""
        with self._shown() as show:
            yield lambda at: show(Moment(f"sound {_which(at)}", at.step, at.steps, "step", _guidance(at)))

    @contextmanager
    def _shown(self) -> Iterator[Show]:
        if self.terminal:
            with _bar() as show:
                yield show
        else:
            yield (lambda moment: None) if self.quiet else lines()


def lines(clock: Callable[[], float] = time.monotonic) -> Show:
    """A line for the first and the last of a part of the work, and one every ten seconds between them."""
    pace, said = Pace(clock), clock()

    def show(moment: Moment) -> None:
        nonlocal said
        begins = pace.update(moment.done, moment.total)
        if begins or moment.done == moment.total or clock() - said >= SECONDS_BETWEEN_LINES:
            said = clock()
            note = f", {moment.note}" if moment.note else ""
            say(f"{moment.what}: {moment.count}{pace}{note}", err=True)

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    """A line that fits 80 columns, and the note in another below it."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    from unheard.cli.console import SafeConsole

    pace, note = Pace(), ""
    bars = Bars(TextColumn("{task.description}"), BarColumn(bar_width=10), TextColumn("{task.fields[count]}"))
    task = bars.add_task("starting", total=None, count="")

    def show(moment: Moment) -> None:
        nonlocal note
        pace.update(moment.done, moment.total)
        note = moment.note
        bars.update(
            task,
            description=moment.what,
            completed=moment.done,
            total=moment.total,
            count=f"{moment.count}{pace}",
        )

    with Live(console=SafeConsole(stderr=True), get_renderable=lambda: Group(bars, Text(note))):
        yield show


def _which(progress: Progress) -> str:
    """Which sounds are being made: "3 of 8", "1-4 of 8", "2, 4 of 8, retry 1"."""
    first, last = progress.numbers[0] + 1, progress.numbers[-1] + 1
    if len(progress.numbers) == 1:
        which = str(first)
    elif last - first + 1 == len(progress.numbers):
        which = f"{first}-{last}"
    else:
        which = ", ".join(str(number + 1) for number in progress.numbers)
    retry = f", retry {progress.attempt}" if progress.attempt else ""
    return f"{which} of {progress.total}{retry}"


def _guidance(progress: Progress) -> str:
    """What was measured of the sound that is furthest above its threshold, and whether the guidance acts."""
    known = [step for step in progress.trace if step.acted is not None]
    if not known:
        return "without guidance"
    acting, batch = sum(bool(step.acted) for step in known), len(progress.numbers)
    acts = "quiet" if not acting else "guiding" if batch == 1 else f"guiding {acting}/{batch}"
    measured = [
        (step.value - step.threshold, step.measure, step.value, step.threshold)
        for step in known
        if step.value is not None and step.threshold is not None
    ]
    if not measured:
        return acts
    _, measure, value, threshold = max(measured, key=lambda each: each[0])
    return f"{measure} {value:.3f}, threshold {threshold:.3f}, {acts}"
