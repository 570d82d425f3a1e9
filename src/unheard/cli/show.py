"""What the user sees: progress on stderr while sounds are made, and two lines for each that is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from unheard.generate import Progress
    from unheard.sound import Sound


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
    """Which sounds are being made: "3 of 8", "1-4 of 8"."""
    first, last = progress.finished + 1, progress.finished + progress.batch
    return f"{first if first == last else f'{first}-{last}'} of {progress.total}"


def _guidance(progress: Progress) -> str:
    """The highest similarity of the batch, the threshold, and whether the guidance acts."""
    similarities = [step.similarity for step in progress.trace if step.similarity is not None]
    if not similarities:
        return "without guidance"
    acting = sum(bool(step.acted) for step in progress.trace)
    acts = (
        "quiet" if not acting else "guiding" if progress.batch == 1 else f"guiding {acting}/{progress.batch}"
    )
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
        "faults": sound.faults,
    }


def describe(result: dict[str, Any]) -> str:
    """Two lines on a sound: the file and what the guidance did; the nearest training item."""
    acted = f"guidance acted in {result['acted']} of {result['steps']} steps"
    first = f"{result['file']}  {result['seconds']:.2f} s, seed {result['seed']}, "
    first += acted if result["guidance"] else "without anti-memorization guidance"
    if not result["nearest"]:
        return f"{first}\n  nearest: not measured, there is no index"
    nearest = result["nearest"][0]
    named = f'{nearest["id"]} "{nearest["caption"]}"'
    return f"{first}\n  nearest: {named}, similarity {nearest['similarity']:.3f}"
