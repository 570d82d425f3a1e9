"""The pictures of an experiment: replication against adherence, distributions, similarity by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.errors import InputError


def draw(table: pa.Table, summary: list[dict[str, Any]], out: Path) -> None:
    """Write `trade-off.png`, `distributions.png` and `trajectory.png`; what was not measured is left out.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise InputError('pictures need matplotlib: pip install "unheard[evaluate]"') from error
    rows = [row for row in table.to_pylist() if row["error"] is None]
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    whole = {(e["setting"], e["metric"]): e for e in summary if e["group"] == "all"}

    figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for name in settings:
        x, y = whole[name, "replicated"], whole[name, "clap_score"]
        if x["value"] is not None and y["value"] is not None:
            spans = [
                [[e["value"] - e["low"]], [e["high"] - e["value"]]] if e["low"] is not None else None
                for e in (x, y)
            ]
            axis.errorbar(x["value"], y["value"], xerr=spans[0], yerr=spans[1], fmt="o", label=name)
    axis.set(xlabel="replication rate (audit)", ylabel="CLAP score (judge)", xlim=(-0.03, 1.03))
    axis.legend(fontsize=8)
    figure.savefig(out / "trade-off.png", dpi=150)

    shown = ("guide_replication_similarity", "judge_replication_similarity", "clap_score")
    figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained", sharey=True)
    for axis, metric in zip(axes, shown, strict=True):
        of = {
            name: [r[metric] for r in rows if r["setting"] == name and r[metric] is not None]
            for name in settings
        }
        of = {name: values for name, values in of.items() if values}
        if of:
            axis.boxplot(list(of.values()), orientation="horizontal", tick_labels=list(of))
        axis.set_xlabel(metric.replace("_", " "))
    figure.savefig(out / "distributions.png", dpi=150)

    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for name in settings:
        traces = [r["trace_similarity"] for r in rows if r["setting"] == name]
        heard = [trace for trace in traces if trace and None not in trace]
        if heard and len({len(trace) for trace in heard}) == 1:
            axis.plot(np.arange(1, len(heard[0]) + 1), np.mean(heard, axis=0), label=name)
    axis.set(xlabel="step", ylabel="similarity to the nearest item (guide), mean")
    if axis.lines:
        axis.legend(fontsize=8)
    figure.savefig(out / "trajectory.png", dpi=150)
    plt.close("all")
