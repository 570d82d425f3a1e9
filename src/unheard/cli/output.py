"""What the user sees: progress on stderr while sounds are made, and two lines for each that is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from unheard.generation.model import Progress
    from unheard.generation.sound import Sound


class Reporter:
    """Progress on stderr: a bar on a terminal, elsewhere a line for every tenth of the way unless `quiet`."""

    def __init__(self, quiet: bool) -> None:
        self.terminal = sys.stderr.isatty()
        self.quiet = quiet

    @contextmanager
    def loading(self, model: str) -> Iterator[None]:
        """While torch is imported and the model is read, which takes seconds."""
        if self.terminal:
            from rich.console import Console

            with Console(stderr=True).status(f"loading {model}"):
                yield
        else:
            yield

    @contextmanager
    def progress(self) -> Iterator[Callable[[Progress], None]]:
        """What to call after each denoising step."""
        if self.terminal:
            with _bar() as update:
                yield update
        else:
            yield (lambda progress: None) if self.quiet else _print_tenths

    @contextmanager
    def count(self, what: str, total: int | None) -> Iterator[Callable[..., None]]:
        """What to call with how many are done (and of how many, where that is known later)."""
        if self.terminal:
            with _counting_bar(what, total) as update:
                yield update
        else:
            yield (lambda done, of=total: None) if self.quiet else _count_tenths(what, total)


@contextmanager
def _counting_bar(what: str, total: int | None) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(what, total=total)
        yield lambda done, of=total: bars.update(task, completed=done, total=of)


def _count_tenths(what: str, total: int | None) -> Callable[..., None]:
    def update(done: int, of: int | None = total) -> None:
        if of is None or done % max(of // 10, 1) == 0 or done == of:
            click.echo(f"{what}: {done:,}{'' if of is None else f' of {of:,}'}", err=True)

    return update


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),  # all of it fits 80 columns
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[guidance]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("starting", total=None, guidance="")

        def update(progress: Progress) -> None:
            bars.update(
                task,
                description=_which(progress),
                completed=progress.step,
                total=progress.steps,
                guidance=_guidance(progress),
            )

        yield update


def _print_tenths(progress: Progress) -> None:
    tenth = max(progress.steps // 10, 1)
    if progress.step % tenth == 0 or progress.step == progress.steps:
        parts = (f"sound {_which(progress)}", f"step {progress.step}/{progress.steps}", _guidance(progress))
        click.echo("  ".join(parts), err=True)


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
    """The highest similarity of the batch, the threshold, and whether the guidance acts."""
    similarities = [step.value for step in progress.trace if step.value is not None]
    if not similarities:
        return "without guidance"
    acting = sum(bool(step.acted) for step in progress.trace)
    batch = len(progress.numbers)
    acts = "quiet" if not acting else "guiding" if batch == 1 else f"guiding {acting}/{batch}"
    return f"similarity {max(similarities):.3f}, threshold {progress.trace[0].threshold:.3f}, {acts}"


def summary(sound: Sound, path: Path) -> dict[str, Any]:
    """What `--json` says of a sound."""
    return {
        "file": str(path),
        "provenance": str(path.with_suffix(".json")),
        "prompt": sound.prompt,
        "seed": sound.seed,
        "seconds": sound.waveform.shape[-1] / sound.sample_rate,
        "guidance": sound.provenance["guidance"] is not None,
        "acted": sound.acted,
        "steps": len(sound.trace),
        "nearest": [item.record() for item in sound.nearest],
        "audit": sound.provenance.get("audit"),
        "faults": sound.faults,
    }


def describe(result: dict[str, Any]) -> str:
    """Lines on a sound: the file, what the guidance did; the nearest training item; what the audit found."""
    acted = f"guidance acted in {result['acted']} of {result['steps']} steps"
    first = f"{result['file']}  {result['seconds']:.2f} s, seed {result['seed']}, "
    lines = [first + (acted if result["guidance"] else "without anti-memorization guidance")]
    if result["nearest"]:
        nearest = result["nearest"][0]
        named = f'{nearest["id"]} "{nearest["caption"]}"' if nearest["caption"] else nearest["id"]
        lines.append(f"  nearest: {named}, similarity {nearest['similarity']:.3f}")
    else:
        lines.append("  nearest: not measured, there is no index")
    if (audit := result["audit"]) is not None:
        why = f": {audit['reason']}" if audit["reason"] else f", score {audit['score']:.2f}"
        earlier = len(audit["rejected"])
        after = "" if not earlier else f", after {earlier} rejected attempt{'' if earlier == 1 else 's'}"
        lines.append(f"  audit: {audit['verdict']}{why}{after}")
    return "\n".join(lines)
