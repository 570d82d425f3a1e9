"""What the guidance measured along the steps of an evaluation, as means over the sounds of each setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unheard.evaluation import columns
from unheard.evaluation.results_folder import GENERATIONS, read_rows
from unheard.generation.sound import TraceStep

COLUMNS = ["setting", "error", "trace_similarity", "trace_measure"]


def mean_traces(out: Path) -> dict[str, Sequence[TraceStep]]:
    """A trace for each setting: in each step the mean of what was measured most.

    Args:
        out: a folder of results of `unheard evaluate`.

    Raises:
        InputError: there are no results, or they are damaged.
    """
    rows = read_rows(out / GENERATIONS, columns.ROWS, COLUMNS)
    made = [row for row in rows if row["error"] is None and row["trace_similarity"]]
    settings = dict.fromkeys(row["setting"] for row in made)
    return {setting: _mean([row for row in made if row["setting"] == setting]) for setting in settings}


def _mean(rows: Sequence[dict[str, Any]]) -> list[TraceStep]:
    steps = []
    for number in range(max(len(row["trace_similarity"]) for row in rows)):
        seen = [
            (row["trace_measure"][number], row["trace_similarity"][number])
            for row in rows
            if number < len(row["trace_similarity"]) and row["trace_similarity"][number] is not None
        ]
        said = [measure for measure, _ in seen]
        most = max(dict.fromkeys(said), key=said.count, default=None)
        values = [value for measure, value in seen if measure == most]
        steps.append(TraceStep(0.0, sum(values) / len(values) if values else None, most))
    return steps
