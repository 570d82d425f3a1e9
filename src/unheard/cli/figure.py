"""`unheard figure`: the paper's pictures, of sounds and of evaluations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.cli.files import matching
from unheard.cli.options import Commands, Decorator, embedder_options, overwrite_option, quiet_option
from unheard.cli.progress import Display
from unheard.cli.targets import Target, check_targets, first_free, inputs
from unheard.cli.terminal import say
from unheard.errors import InputError, about

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from unheard.generation.sound import TraceStep

MOST_SPECTROGRAMS, MOST_IN_MATRIX = 12, 60


@click.group(cls=Commands)
def figure() -> None:
    """Draw sounds and evaluations as PNG, PDF or SVG; needs matplotlib (pip install "unheard[evaluate]").

    \b
    Examples:
      unheard figure spectrograms recording.flac replay.wav guided.wav
      unheard figure matrix out/ --recording recording.flac --output matrix.pdf
      unheard figure trajectory audio.wav
    """


def _output(default: str) -> Decorator:
    """`--output`, by default the next free number of a name, and `--overwrite`."""

    def decorate(command: Any) -> Any:
        named = click.option(
            "-o",
            "--output",
            default=lambda: str(first_free(Path(default))),
            show_default=f"{default}, or the next free number",
            metavar="FILE",
            help="Ends in .png, .pdf or .svg.",
        )
        return named(overwrite_option()(command))

    return decorate


@figure.command()
@click.argument("sounds", nargs=-1, required=True)
@_output("spectrograms.png")
def spectrograms(sounds: tuple[str, ...], output: str, overwrite: bool) -> None:
    """Draw the spectrograms of SOUNDS (files, folders) beside each other, on one scale of time.

    \b
    Example:
      unheard figure spectrograms recording.flac replay.wav guided.wav --output figure.pdf
    """
    files = _files(sounds, output, overwrite, MOST_SPECTROGRAMS)
    from unheard.figures.drawing import draw_spectrograms

    _save(draw_spectrograms(_read(files)), output)


@figure.command()
@click.argument("sounds", nargs=-1, required=True)
@click.option("--recording", required=True, metavar="FILE", help="What the sounds are compared with.")
@embedder_options
@quiet_option()
@_output("matrix.png")
def matrix(
    sounds: tuple[str, ...],
    recording: str,
    embedder: str | None,
    device: str,
    output: str,
    overwrite: bool,
) -> None:
    """Draw the similarity of each of SOUNDS with each, and with a recording: the highest of their windows.

    \b
    Example:
      unheard figure matrix out/*.wav --recording recording.flac
    """
    files = [*matching([recording]), *_files(sounds, output, overwrite, MOST_IN_MATRIX, recording)]
    with Display().loading("the embedder"):
        from unheard.backbones import resolve_device
        from unheard.embedders import BUNDLED_EMBEDDER, load_embedder
        from unheard.figures.drawing import draw_matrix

        listens = load_embedder(embedder or BUNDLED_EMBEDDER, device=resolve_device(device))
    read = _read(files)
    with Display().counting("sound", "embedding") as progress:
        vectors = []
        for number, (waveform, rate) in enumerate(read.values(), start=1):
            vectors.append(listens.embed_windows(waveform, rate)[1].cpu().numpy())
            progress(number, len(read))
    import numpy as np

    similarities = np.array([[float((one @ other.T).max()) for other in vectors] for one in vectors])
    _save(draw_matrix(list(read), similarities, f"cosine ({listens.name})"), output)


@figure.command()
@click.argument("sounds", nargs=-1, required=True)
@_output("trajectory.png")
def trajectory(sounds: tuple[str, ...], output: str, overwrite: bool) -> None:
    """Draw what the guidance measured in each step of SOUNDS: files with their JSON, or a folder of results.

    Dots are steps in which the guidance acted, dashes are its threshold. Of a folder that `unheard evaluate`
    wrote, each setting is the mean over its sounds.

    \b
    Examples:
      unheard figure trajectory audio.wav audio-1.wav
      unheard figure trajectory results/ablation --output ablation.pdf
    """
    named = matching(sounds)
    _check(named, output, overwrite)
    traces: dict[str, Sequence[TraceStep]] = {}
    for name in named:
        traces |= _traces(Path(name))
    from unheard.figures.drawing import draw_trajectories

    with about(", ".join(named)):
        drawn = draw_trajectories(traces)
    for name, trace in traces.items():
        if not any(step.measure for step in trace):
            warnings.warn(f"{name} is left out: no guidance measured anything", stacklevel=1)
    _save(drawn, output)


def _check(read: Sequence[str], output: str, overwrite: bool) -> None:
    """What must not be written, and what is not installed, is told before any work."""
    from unheard.figures.drawing import check_matplotlib, check_name

    check_matplotlib()
    check_name(Path(output))
    check_targets([Target(Path(output))], inputs(read, "a sound"), overwrite=overwrite)


def _files(
    sounds: Sequence[str], output: str, overwrite: bool, most: int, recording: str | None = None
) -> list[str]:
    """The files meant by SOUNDS, as many as a picture can hold."""
    named = matching(sounds)
    _check([*named, *([] if recording is None else [recording])], output, overwrite)
    from unheard.auditing.sounds import sound_files

    files = [str(file) for file in sound_files(named)]
    if len(files) > most:
        raise InputError(f"{len(files):,} sounds are too many for one picture: name {most} or fewer")
    return files


def _read(files: Sequence[str]) -> dict[str, tuple[Tensor, int]]:
    """Sounds by what they are called in a picture.

    Of an evaluation that is setting, seed and prompt, of others the file's name, where that tells them apart.
    """
    from unheard import audio
    from unheard.evaluation.results_folder import sound_names

    called = sound_names(map(Path, files))
    short = [called.get(Path(file), Path(file).name) for file in files]
    names = short if len(set(short)) == len(short) else files
    return {name: audio.read(file) for name, file in zip(names, files, strict=True)}


def _traces(path: Path) -> dict[str, Sequence[TraceStep]]:
    """The trace of a sound, or those of the settings of an evaluation."""
    if path.is_dir():
        from unheard.evaluation.traces import mean_traces

        return mean_traces(path)
    from unheard.generation import provenance
    from unheard.generation.recorded import trace_of

    return {path.name: trace_of(provenance.read(path.with_suffix(".json")))}


def _save(drawn: Figure, output: str) -> None:
    from unheard.figures.drawing import save

    save(drawn, Path(output))
    say(output)
