"""A summary as files: `summary.csv` for programs, `summary.md` for people."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from unheard.common.files import write_whole
from unheard.common.texts import plural
from unheard.evaluation.outcomes import RATES, counts, open_verdicts, outcome
from unheard.evaluation.summary import Rows

MEGABYTE = 1e6


def write(
    entries: list[dict[str, Any]],
    table: pa.Table,
    baselines: Mapping[str, str],
    refused: dict[str, str],
    references: Mapping[str, Mapping[str, int]],
    out: Path,
) -> str:
    """Write what `summarise` found as `summary.csv` and `summary.md`; gives back the latter.

    Args:
        entries: of `summarise`.
        table, baselines: what they were made of.
        refused: prompts that cannot be generated, with the reason.
        references: how many the audit used, and left out, by model; see `LocalEngine.references`.
        out: the folder of results.
    """
    text = io.StringIO(newline="")
    columns = list(dict.fromkeys(key for entry in entries for key in entry))
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(entries)
    page = _page(entries, baselines, table.to_pylist(), refused, references)
    for name, content in (("summary.csv", text.getvalue()), ("summary.md", page)):
        write_whole(out / name, content.encode())
    return page


def _page(
    entries: list[dict[str, Any]],
    baselines: Mapping[str, str],
    rows: Rows,
    refused: dict[str, str],
    references: Mapping[str, Mapping[str, int]],
) -> str:
    metrics = list(dict.fromkeys(entry["metric"] for entry in entries))
    lines = ["# Summary", "", *_how_to_read(metrics, baselines)]
    lines += [_audited_with(model, count) for model, count in references.items()]
    columns = [*counts([], open_verdicts(rows))]
    for group in dict.fromkeys(entry["group"] for entry in entries):
        of_group = [entry for entry in entries if entry["group"] == group]
        lines += ["", f"## {group}", "", *_table(of_group, columns, metrics)]
    failed = [row for row in rows if row["error"] is not None]
    for title, reasons in (
        ("Collapsed, or left open by the audit", _left_out(rows)),
        ("Not generated", [f"{row['prompt']!r}, {row['setting']}: {row['error']}" for row in failed]),
        ("Refused prompts", list(refused.values())),
    ):
        if reasons:
            lines += ["", f"## {title}", "", *(f"- {reason}" for reason in reasons)]
    return "\n".join(lines) + "\n"


def _how_to_read(metrics: list[str], baselines: Mapping[str, str]) -> Iterator[str]:
    """What the numbers are."""
    yield "Means over prompts (95 % bootstrap interval over prompts)."
    if rates := [metric for metric in metrics if metric in RATES]:
        yield (
            f"Of {', '.join(f'`{name}`' for name in rates)}: prompts with at least one such sound (exact "
            "95 % interval); such sounds (95 % interval of prompts that are drawn), and how many independent "
            "sounds say as much."
        )
        yield (
            "Sounds that failed, or that the audit left open, are in none of these shares; those that "
            "collapsed are in `copied_or_collapsed` alone. The first columns count them."
        )
    to = ", ".join(f"`{name}`" for name in dict.fromkeys(baselines.values()))
    yield f"Differences in summary.csv are paired by prompt and seed, to {to}."


def _audited_with(model: str, count: Mapping[str, int]) -> str:
    """What the sounds of a model were compared with."""
    sounds = f"Sounds of `{Path(model).name}` are"
    if not count["used"]:
        return (
            f"{sounds} not audited, for there are no recordings: whether one is a copy is left open. "
            "Similarities are those to the index's embeddings."
        )
    left_out = f", {count['left_out']:,} more left out" if count["left_out"] else ""
    return f"{sounds} audited against {plural(count['used'], 'reference')}{left_out}."


def _table(entries: list[dict[str, Any]], columns: list[str], metrics: list[str]) -> Iterator[str]:
    """A row a setting: sounds by what became of them, and the metrics."""
    yield f"| setting | {' | '.join([each.replace('_', ' ') for each in columns] + metrics)} |"
    yield "|---|" + "--:|" * (len(columns) + len(metrics))
    for setting in dict.fromkeys(entry["setting"] for entry in entries):
        own = [entry for entry in entries if entry["setting"] == setting]
        cells = [str(own[0][count]) for count in columns] + [_cell(entry) for entry in own]
        yield f"| {setting} | {' | '.join(cells)} |"


def _independent(effective: float) -> str:
    return "less than 1 independent" if effective < 1 else f"{effective:.0f} independent"


def _cell(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "not measured"
    if entry["metric"] == "peak_memory":
        return f"{entry['value'] / MEGABYTE:,.0f} MB"
    if "prompts_hit" in entry:
        return (
            f"{entry['prompts_hit']} of {plural(entry['prompts'], 'prompt')} "
            f"({entry['prompts_low']:.0%} to {entry['prompts_high']:.0%}); "
            f"{entry['count']} of {plural(entry['sounds'], 'sound')}: {entry['value']:.3f} "
            f"({entry['low']:.3f} to {entry['high']:.3f}), as {_independent(entry['effective_sounds'])}"
        )
    text = f"{entry['value']:.3f}"
    if entry["low"] is not None:
        text = f"{text} ({entry['low']:.3f} to {entry['high']:.3f})"
    return f"{text}, {entry['count']} of {plural(entry['sounds'], 'sound')}" if "sounds" in entry else text


def _left_out(rows: Rows) -> list[str]:
    """Why sounds collapsed or could not be judged, how often, by setting."""
    said = Counter(
        (row["setting"], became, row.get("reason"))
        for row in rows
        if (became := outcome(row)) not in ("copied", "clear", "failed")
    )
    return [
        f"{number} x {setting}, {became}{'' if reason is None else f': {reason}'}"
        for (setting, became, reason), number in said.items()
    ]
