"""What an experiment came to: a row a setting, group and metric, with 95 % intervals over prompts."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.evaluation import bootstrap
from unheard.evaluation.metrics.diversity import mean_pairwise_distance
from unheard.files import replacing
from unheard.replication import wilson

METRICS = (
    "replicated", "replicated_target", "guide_replication_similarity", "judge_replication_similarity",
    "judge_target_similarity", "clap_score", "diversity", "seconds", "judging_seconds",
)  # fmt: skip


def summarise(table: pa.Table, baseline: str) -> list[dict[str, Any]]:
    """One entry a setting, group ("all" and the prompts' own) and metric, with the paired difference."""
    rows = [row for row in table.to_pylist() if row["error"] is None]
    settings = list(dict.fromkeys(table["setting"].to_pylist()))
    found = []
    for group in ["all", *dict.fromkeys(row["group"] for row in rows)]:
        some = [row for row in rows if group in ("all", row["group"])]
        prompts = list(dict.fromkeys(row["prompt"] for row in some))
        drawn = bootstrap.draws(len(prompts))
        for metric in METRICS:
            values = {name: _by_prompt(some, name, prompts, metric) for name in settings}
            for name in settings:
                shift = bootstrap.mean(values[name] - values[baseline], drawn)
                entry = {"setting": name, "group": group, "metric": metric}
                entry |= vars(bootstrap.mean(values[name], drawn))
                entry |= {
                    "difference": shift.value,
                    "difference_low": shift.low,
                    "difference_high": shift.high,
                }
                of_setting = [row for row in some if row["setting"] == name]
                if metric.startswith("replicated"):
                    judged = [row[metric] for row in of_setting if row[metric] is not None]
                    entry["copies"], entry["sounds"] = sum(judged), len(judged)
                    entry["wilson_low"], entry["wilson_high"] = wilson(sum(judged), len(judged))
                found.append(entry)
    return found


def write(table: pa.Table, baseline: str, refused: dict[str, str], out: Path) -> str:
    """Write `summary.csv` and `summary.md`; gives back the latter."""
    entries = summarise(table, baseline)
    text = io.StringIO(newline="")
    columns = list(dict.fromkeys(key for entry in entries for key in entry))
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(entries)
    page = _page(entries, baseline, [row for row in table.to_pylist() if row["error"] is not None], refused)
    for name, content in (("summary.csv", text.getvalue()), ("summary.md", page)):
        with replacing(out / name) as file:
            file.write(content.encode())
    return page


def _by_prompt(rows: list[dict[str, Any]], setting: str, prompts: list[str], metric: str) -> np.ndarray:
    """The mean over seeds of each prompt; NaN where nothing was measured."""
    values = []
    for prompt in prompts:
        some = [row for row in rows if row["setting"] == setting and row["prompt"] == prompt]
        if metric == "diversity":
            vectors = np.array([row["embedding"] for row in some if row["embedding"] is not None])
            distance = mean_pairwise_distance(vectors)
            values.append(np.nan if distance is None else distance)
        else:
            measured = [float(row[metric]) for row in some if row[metric] is not None]
            values.append(np.mean(measured) if measured else np.nan)
    return np.array(values, np.float64)


def _page(
    entries: list[dict[str, Any]], baseline: str, failed: list[dict[str, Any]], refused: dict[str, str]
) -> str:
    lines = ["# Summary", "", "Means over prompts (95 % bootstrap interval over prompts)."]
    lines += [f"Differences in summary.csv are paired, to `{baseline}`."]
    for group in dict.fromkeys(entry["group"] for entry in entries):
        lines += [
            "",
            f"## {group}",
            "",
            f"| setting | {' | '.join(METRICS)} |",
            "|---|" + "--:|" * len(METRICS),
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
    text = f"{entry['value']:.3f}"
    if entry["low"] is not None:
        text += f" ({entry['low']:.3f} to {entry['high']:.3f})"
    if "copies" in entry:
        text += f", {entry['copies']} of {entry['sounds']}"
    return text
