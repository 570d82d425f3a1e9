"""What an experiment came to: a row a setting, group and metric, with 95 % intervals over prompts."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.evaluation import bootstrap
from unheard.evaluation.metrics import METRICS, OF_PROMPTS, OF_SETS
from unheard.evaluation.metrics.diversity import mean_pairwise_distance
from unheard.evaluation.metrics.frechet import frechet_audio_distance
from unheard.evaluation.metrics.kernel import kernel_audio_distance, kernel_audio_distances
from unheard.files import write_whole
from unheard.replication import wilson

MEGABYTE = 1e6


def summarise(
    table: pa.Table,
    baselines: Mapping[str, str],
    held_out: np.ndarray | None = None,
    metrics: Collection[str] = METRICS,
) -> list[dict[str, Any]]:
    """One entry a setting, group ("all" and the prompts' own) and metric, with the paired difference.

    Args:
        table: the rows of an experiment.
        baselines: for each setting the one that differences are taken to.
        held_out: embeddings of held-out sounds by the judge, [sounds, dimension]; None leaves the distances
            to them unmeasured.
        metrics: what is wanted, of `METRICS`.
    """
    rows = [row for row in table.to_pylist() if row["error"] is None]
    settings = list(dict.fromkeys(table["setting"].to_pylist()))
    found = []
    for group in ["all", *dict.fromkeys(row["group"] for row in rows)]:
        some = [row for row in rows if group in ("all", row["group"])]
        prompts = list(dict.fromkeys(row["prompt"] for row in some))
        drawn = bootstrap.draws(len(prompts))
        of = {name: [row for row in some if row["setting"] == name] for name in settings}
        for metric in (each for each in OF_PROMPTS if each in metrics):
            values = {name: _by_prompt(of[name], prompts, metric) for name in settings}
            for name in settings:
                entry = _entry(
                    (name, group, metric),
                    bootstrap.mean(values[name], drawn),
                    bootstrap.mean(values[name] - values[baselines[name]], drawn),
                )
                if metric.startswith("replicated"):
                    judged = [row[metric] for row in of[name] if row[metric] is not None]
                    entry["copies"], entry["sounds"] = sum(judged), len(judged)
                    entry["wilson_low"], entry["wilson_high"] = wilson(sum(judged), len(judged))
                found.append(entry)
        if not set(OF_SETS) & set(metrics):
            continue
        distances = {name: _distances(of[name], prompts, held_out, drawn) for name in settings}
        for name in settings:
            found += [
                _entry(
                    (name, group, metric), of_set.interval, of_set.less(distances[baselines[name]][metric])
                )
                for metric, of_set in distances[name].items()
                if metric in metrics
            ]
    return found


@dataclass(frozen=True)
class _OfSet:
    """A distance of all sounds of a setting, and of every draw of their prompts; NaN where it lacks."""

    value: float
    values_of_draws: np.ndarray
    prompts: int

    @property
    def interval(self) -> bootstrap.Interval:
        if np.isnan(self.value):
            return bootstrap.Interval(None, None, None, 0)
        if self.prompts < 2 or np.isnan(self.values_of_draws).all():
            return bootstrap.Interval(self.value, None, None, self.prompts)
        return bootstrap.around(self.value, self.values_of_draws, self.prompts)

    def less(self, other: _OfSet) -> bootstrap.Interval:
        """The difference, draw by draw."""
        difference = self.values_of_draws - other.values_of_draws
        return _OfSet(self.value - other.value, difference, self.prompts).interval


def _distances(
    rows: list[dict[str, Any]], prompts: list[str], held_out: np.ndarray | None, drawn: np.ndarray
) -> dict[str, _OfSet]:
    """Both distances of a setting to held-out sounds; the Fréchet distance, biased in its sample, undrawn."""
    rows = [row for row in rows if row["embedding"] is not None]
    unknown = np.full(len(drawn), np.nan)
    if held_out is None or len(rows) < 2:
        return {metric: _OfSet(np.nan, unknown, 0) for metric in OF_SETS}
    sounds = np.array([row["embedding"] for row in rows], np.float64)
    number = {prompt: place for place, prompt in enumerate(prompts)}
    groups = np.array([number[row["prompt"]] for row in rows])
    count = len(np.unique(groups))
    of_draws = kernel_audio_distances(sounds, held_out, groups, drawn)
    values = (kernel_audio_distance(sounds, held_out), frechet_audio_distance(sounds, held_out))
    return {
        metric: _OfSet(value, draws, count)
        for metric, value, draws in zip(OF_SETS, values, (of_draws, unknown), strict=True)
    }


def _entry(
    what: tuple[str, str, str], interval: bootstrap.Interval, shift: bootstrap.Interval
) -> dict[str, Any]:
    names = dict(zip(("setting", "group", "metric"), what, strict=True))
    differences = {"difference": shift.value, "difference_low": shift.low, "difference_high": shift.high}
    return {**names, **vars(interval), **differences}


def write(
    entries: list[dict[str, Any]],
    table: pa.Table,
    baselines: Mapping[str, str],
    refused: dict[str, str],
    out: Path,
) -> str:
    """Write what `summarise` found as `summary.csv` and `summary.md`; gives back the latter."""
    text = io.StringIO(newline="")
    columns = list(dict.fromkeys(key for entry in entries for key in entry))
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(entries)
    page = _page(entries, baselines, [row for row in table.to_pylist() if row["error"] is not None], refused)
    for name, content in (("summary.csv", text.getvalue()), ("summary.md", page)):
        write_whole(out / name, content.encode())
    return page


def _by_prompt(rows: list[dict[str, Any]], prompts: list[str], metric: str) -> np.ndarray:
    """The mean over seeds of each prompt; NaN where nothing was measured."""
    values: list[float] = []
    for prompt in prompts:
        some = [row for row in rows if row["prompt"] == prompt]
        if metric == "diversity":
            vectors = np.array([row["embedding"] for row in some if row["embedding"] is not None])
            distance = mean_pairwise_distance(vectors)
            values.append(np.nan if distance is None else distance)
        else:
            measured = [float(row[metric]) for row in some if row[metric] is not None]
            values.append(float(np.mean(measured)) if measured else np.nan)
    return np.array(values, np.float64)


def _page(
    entries: list[dict[str, Any]],
    baselines: Mapping[str, str],
    failed: list[dict[str, Any]],
    refused: dict[str, str],
) -> str:
    metrics = list(dict.fromkeys(entry["metric"] for entry in entries))
    lines = ["# Summary", "", "Means over prompts (95 % bootstrap interval over prompts)."]
    to = ", ".join(f"`{name}`" for name in dict.fromkeys(baselines.values()))
    lines += [f"Differences in summary.csv are paired, to {to}."]
    for group in dict.fromkeys(entry["group"] for entry in entries):
        lines += [
            "",
            f"## {group}",
            "",
            f"| setting | {' | '.join(metrics)} |",
            "|---|" + "--:|" * len(metrics),
        ]
        for setting in dict.fromkeys(entry["setting"] for entry in entries):
            cells = [_cell(e) for e in entries if e["group"] == group and e["setting"] == setting]
            lines.append(f"| {setting} | {' | '.join(cells)} |")
    for title, reasons in (
        ("Not generated", [f"{row['prompt']!r}, {row['setting']}: {row['error']}" for row in failed]),
        ("Refused prompts", list(refused.values())),
    ):
        if reasons:
            lines += ["", f"## {title}", "", *(f"- {reason}" for reason in reasons)]
    return "\n".join(lines) + "\n"


def _cell(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "not measured"
    if entry["metric"] == "peak_memory":
        return f"{entry['value'] / MEGABYTE:,.0f} MB"
    text = f"{entry['value']:.3f}"
    if entry["low"] is not None:
        text += f" ({entry['low']:.3f} to {entry['high']:.3f})"
    if "copies" in entry:
        text += f", {entry['copies']} of {entry['sounds']}"
    return text
