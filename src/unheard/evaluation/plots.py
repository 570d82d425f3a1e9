"""The pictures of an experiment: replication against adherence, distributions, what the guidance measures."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unheard.common.files import replacing
from unheard.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIMILARITIES = {
    "guide_replication_similarity": "cosine to the nearest item (guide)",
    "judge_replication_similarity": "cosine to the nearest item (judge)",
    "clap_score": "CLAP score (judge)",
}
"""Those that have boxes, as an axis calls them."""
MARKERS = "os^Dv"


def pyplot() -> ModuleType:
    """matplotlib's, drawing to files.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise InputError('pictures need matplotlib: pip install "unheard[evaluate]"') from error
    return plt


def draw(table: pa.Table, summary: list[dict[str, Any]], out: Path) -> None:
    """Write `trade-off.png`, `distributions.png` and `trajectory.png`; what was not measured is left out.

    The trajectory has a panel for each measure of the traces; where no guidance measures anything there is
    no such picture.

    Args:
        table: the rows of an experiment.
        summary: of `unheard.evaluation.summary.summarise`.
        out: the folder of results.

    Raises:
        InputError: matplotlib is not installed.
    """
    plt = pyplot()
    rows = [row for row in table.to_pylist() if row["error"] is None]
    settings = list(dict.fromkeys(table["setting"].to_pylist()))
    styles = {name: _style(number) for number, name in enumerate(settings)}

    figure, axis = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    _trade_off(axis, summary, styles)
    _legend(axis)
    save(figure, out / "trade-off.png")

    height = 1.2 + 0.35 * len(settings)
    figure, axes = plt.subplots(1, 3, figsize=(11, height), layout="constrained", sharey=True)
    for axis, metric in zip(axes, SIMILARITIES, strict=True):
        _distribution(axis, rows, metric, settings)
    save(figure, out / "distributions.png")

    if measures := _measures(rows):
        size = (7.5, 1 + 3 * len(measures))
        figure, panels = plt.subplots(
            len(measures), figsize=size, layout="constrained", sharex=True, squeeze=False
        )
        for axis, measure in zip(panels[:, 0], measures, strict=True):
            _trajectory(axis, rows, measure, styles)
            axis.set_ylabel(measure)
            _legend(axis)
        panels[0, 0].set_title("what the guidance measures, mean over sounds", fontsize=10)
        panels[-1, 0].set_xlabel("step")
        save(figure, out / "trajectory.png")
    plt.close("all")


def save(figure: Figure, path: Path) -> None:
    """Write a picture, wholly or not at all."""
    with replacing(path) as file:
        figure.savefig(file, dpi=150, format="png")


def _legend(axis: Axes) -> None:
    """At the side, if there is anything to tell apart."""
    if axis.get_legend_handles_labels()[1]:
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)


def _style(number: int) -> dict[str, Any]:
    """Colour and marker that tell 50 settings apart."""
    return {"color": f"C{number % 10}", "marker": MARKERS[number // 10 % len(MARKERS)]}


def _trade_off(axis: Axes, summary: list[dict[str, Any]], styles: dict[str, dict[str, Any]]) -> None:
    """The share of sounds that are copies or collapsed, the mean CLAP score; intervals over prompts.

    A point is larger for each later one at the same place, which it would else lie hidden under: settings
    that never acted have the same sounds.
    """
    whole = {(entry["setting"], entry["metric"]): entry for entry in summary if entry["group"] == "all"}
    points: dict[str, tuple[float, float]] = {}
    for name, style in styles.items():
        bad, adherence = (whole.get((name, metric)) for metric in ("copied_or_collapsed", "clap_score"))
        if not bad or not adherence or bad["value"] is None or adherence["value"] is None:
            continue
        x, y = points[name] = bad["value"], adherence["value"]
        thin = {"color": style["color"], "lw": 1, "alpha": 0.6}
        axis.hlines(y, bad["low"], bad["high"], **thin)
        if adherence["low"] is not None:
            axis.vlines(x, adherence["low"], adherence["high"], **thin)
    for number, (name, point) in enumerate(points.items(), start=1):
        above = [*points.values()][number:].count(point)
        axis.plot(*point, linestyle="none", label=name, markersize=6 + 4 * above, **styles[name])
    label_trade_off(axis)


def label_trade_off(axis: Axes) -> None:
    """Copies and collapses against adherence, from a rate of 0 on; even where all are 0."""
    highest = max(axis.get_xlim()[1], 0.1)
    axis.set(
        xlabel="copied or collapsed (audit)", ylabel="CLAP score (judge)", xlim=(-0.05 * highest, highest)
    )


def _distribution(axis: Axes, rows: list[dict[str, Any]], metric: str, settings: list[str]) -> None:
    """Boxes from the first setting at the top to the last; one without values leaves a gap."""
    values = [[r[metric] for r in rows if r["setting"] == n and r[metric] is not None] for n in settings]
    heights = range(len(settings), 0, -1)
    axis.boxplot(
        values, positions=list(heights), orientation="horizontal", widths=0.6, manage_ticks=False,
        flierprops={"marker": ".", "markersize": 4}, medianprops={"color": "C0"},
    )  # fmt: skip
    axis.set_yticks(list(heights), settings)
    axis.set_ylim(0.4, len(settings) + 0.6)
    axis.set_xlabel(SIMILARITIES[metric])


def _measures(rows: list[dict[str, Any]]) -> list[str]:
    """What the values of the traces measure, each once."""
    said = (measure for row in rows for measure in row["trace_measure"] or ())
    return list(dict.fromkeys(measure for measure in said if measure is not None))


def _trajectory(
    axis: Axes, rows: list[dict[str, Any]], measure: str, styles: dict[str, dict[str, Any]]
) -> None:
    """Means over sounds of the values of one measure in each step."""
    for name, style in styles.items():
        traces = [
            [
                value if said == measure and value is not None else np.nan
                for value, said in zip(row["trace_similarity"], row["trace_measure"], strict=True)
            ]
            for row in rows
            if row["setting"] == name and measure in (row["trace_measure"] or ())
        ]
        if traces and len({len(trace) for trace in traces}) == 1:
            steps = np.arange(1, len(traces[0]) + 1)
            means = np.ma.masked_invalid(traces).mean(axis=0)
            axis.plot(steps, means, label=name, markersize=3, **style)
