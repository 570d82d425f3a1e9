"""The paper's pictures: spectrogram beside spectrogram, similarities as a matrix, measures along the steps.

Each function gives a matplotlib figure, which a notebook shows; `save` writes one.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from unheard.common.files import write_whole
from unheard.errors import InputError
from unheard.figures.spectrogram import BANDS, LOWEST, brightness, top_frequency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
"""Endings of pictures that are written."""
PAPER, SCREEN = 150, 72
"""Dots an inch of a file, and of a notebook's cell, which shall stay small."""
HERTZ = (100, 1_000, 10_000)
LONGEST_LABEL = 32
LONGEST_LINE = 24
"""Characters of a measure's name beside its panel, which is no higher."""


def check_matplotlib() -> None:
    """Raise InputError, before any work, if there is no matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise InputError('pictures need matplotlib: pip install "unheard[evaluate]"') from error


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which a notebook shows as it is.

    It is none of pyplot's: nothing has to be closed, and any thread may draw.
    """
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A figure that a notebook asks for a picture."""

        def _repr_png_(self) -> bytes:
            return encoded(self, ".png", SCREEN)

    figure = Shown(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def encoded(figure: Figure, ending: str, dots: int = PAPER) -> bytes:
    """A figure as a file of one of `FORMATS`, of so many dots an inch, without the time it was drawn at."""
    content = io.BytesIO()
    stamp = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(ending, {})
    figure.savefig(content, format=ending[1:], dpi=dots, metadata=stamp)
    return content.getvalue()


def check_name(path: Path) -> None:
    """Raise InputError if a picture cannot have this name."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"output is {path}: give a name that ends in {', '.join(FORMATS)}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; raises InputError for another ending than `FORMATS`."""
    check_name(path)
    write_whole(path, encoded(figure, path.suffix.lower()))


def draw_spectrograms(sounds: Mapping[str, tuple[Tensor, int]]) -> Figure:
    """Spectrograms of sounds beside each other, on one scale of time.

    Args:
        sounds: waveforms [channels, time] and sample rates in hertz, by what stands above them.
    """
    across = min(len(sounds), 4)
    down = -(-len(sounds) // across)
    figure = new_figure(1 + 2.8 * across, 0.6 + 2.2 * down)
    panels = figure.subplots(down, across, squeeze=False).flat
    longest = max(waveform.shape[-1] / rate for waveform, rate in sounds.values())
    for axis, (name, (waveform, rate)) in zip(panels, sounds.items(), strict=False):
        spectrogram(axis, waveform, rate, longest)
        axis.set_title(shortened(name), fontsize=9)
        axis.set_xlabel("seconds", fontsize=8)
    for axis in list(figure.axes)[len(sounds) :]:
        axis.set_axis_off()
    return figure


def draw_sound(title: str, waveform: Tensor, rate: int, trace: Sequence[Any]) -> Figure:
    """A spectrogram, and below it a panel for each measure of a trace; see `draw_trajectories`."""
    measures = list(dict.fromkeys(step.measure for step in trace if step.measure))
    figure = new_figure(7.5, 2.8 + 1.8 * len(measures))
    top, *panels = figure.subplots(1 + len(measures), squeeze=False)[:, 0]
    spectrogram(top, waveform, rate)
    top.set_title(title if len(title) <= 80 else f"{title[:79]}…", fontsize=9)
    top.set_xlabel("seconds", fontsize=8)
    for axis, measure in zip(panels, measures, strict=True):
        trajectory(axis, trace, measure, "C4")
        axis.set_ylabel(textwrap.fill(measure, LONGEST_LINE), fontsize=8)
        axis.set_xlabel("step (dots: the guidance acted; dashes: its threshold)", fontsize=8)
        axis.tick_params(labelsize=8)
    return figure


def spectrogram(axis: Axes, waveform: Tensor, rate: int, longest: float | None = None) -> None:
    """One spectrogram in an axis, of `longest` seconds if that is given."""
    seconds, top = waveform.shape[-1] / rate, top_frequency(rate)
    picture = brightness(waveform, rate)
    axis.imshow(picture, origin="lower", aspect="auto", cmap="magma", vmin=0, vmax=1,
                extent=(0, seconds, 0, BANDS), interpolation="nearest")  # fmt: skip
    seen = [hertz for hertz in HERTZ if LOWEST < hertz < top]
    heights = [BANDS * np.log(hertz / LOWEST) / np.log(top / LOWEST) for hertz in seen]
    axis.set_yticks(heights, [f"{hertz} Hz" if hertz < 1000 else f"{hertz // 1000} kHz" for hertz in seen])
    axis.set_xlim(0, longest or seconds)
    axis.set_facecolor("black")
    axis.tick_params(labelsize=8)


def draw_matrix(names: Sequence[str], similarities: np.ndarray, measure: str) -> Figure:
    """Similarities of each sound with each, with their numbers where these can be read.

    Args:
        names: of the sounds, the recording first.
        similarities: [sounds, sounds], -1 to 1.
        measure: what they are, such as "cosine (unheard/tiny-guide)".
    """
    count = len(names)
    side = 2.2 + 0.45 * min(count, 30)
    figure = new_figure(side + 1, side)
    axis = figure.subplots()
    image = axis.imshow(similarities, cmap="viridis", vmin=min(0.0, float(similarities.min())), vmax=1)
    axis.set_xticks(range(count), map(shortened, names), rotation=90, fontsize=8)
    axis.set_yticks(range(count), map(shortened, names), fontsize=8)
    if count <= 16:
        for (row, column), value in np.ndenumerate(similarities):
            colour = "black" if value > 0.7 else "white"
            axis.text(
                column,
                row,
                f"{round(value, 2) + 0.0:.2f}",
                ha="center",
                va="center",
                fontsize=7,
                color=colour,
            )
    figure.colorbar(image).set_label(measure, fontsize=8)
    return figure


def draw_trajectories(traces: Mapping[str, Sequence[Any]]) -> Figure:
    """What a guidance measured in each step: a panel a measure, with its threshold and where it acted.

    Args:
        traces: steps with `value`, `measure`, `threshold` and `acted`, by the name of their sound.

    Raises:
        InputError: no step of any trace measured anything.
    """
    measures = list(
        dict.fromkeys(step.measure for trace in traces.values() for step in trace if step.measure)
    )
    if not measures:
        raise InputError("no guidance measured anything: give sounds that were made with one")
    figure = new_figure(7.5, 0.8 + 2.6 * len(measures))
    panels = figure.subplots(len(measures), sharex=True, squeeze=False)[:, 0]
    for axis, measure in zip(panels, measures, strict=True):
        for number, (name, trace) in enumerate(traces.items()):
            if any(step.measure == measure for step in trace):
                trajectory(axis, trace, measure, f"C{number % 10}", shortened(name))
        axis.set_ylabel(textwrap.fill(measure, LONGEST_LINE), fontsize=8)
        axis.tick_params(labelsize=8)
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    panels[-1].set_xlabel("step", fontsize=8)
    return figure


def trajectory(axis: Axes, trace: Sequence[Any], measure: str, colour: str, label: str | None = None) -> None:
    """The values of one measure in a trace; dots where the guidance acted, dashes at its threshold."""
    own = [(number, step) for number, step in enumerate(trace, start=1) if step.measure == measure]
    known = [(number, step) for number, step in own if step.value is not None]
    axis.plot(*_columns((number, step.value) for number, step in known), color=colour, lw=1.5, label=label)
    acted = _columns((number, step.value) for number, step in known if step.acted)
    axis.plot(*acted, "o", color=colour, ms=4)
    limits = _columns((number, step.threshold) for number, step in own if step.threshold is not None)
    axis.plot(*limits, "--", color=colour, lw=1, alpha=0.6)


def shortened(name: str) -> str:
    """A name that fits above a panel."""
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def _columns(pairs: Iterable[tuple[int, float]]) -> tuple[list[int], list[float]]:
    numbers: list[int] = []
    values: list[float] = []
    for number, value in pairs:
        numbers.append(number)
        values.append(value)
    return numbers, values
