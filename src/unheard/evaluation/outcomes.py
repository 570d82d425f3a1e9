"""What became of each sound, so that none leaves a count without another that has it.

A sound has one outcome: it `failed` (an error and no sound), or was made and is `copied`, has `collapsed`, is
`clear` of copies, or has the name of the verdict that leaves it open. A copy counts as copied even where
little else is in it. What has collapsed is a failure like a copy, and never a success: it is counted in
`copied_or_collapsed`, and leaves `replicated` to the sounds that are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from unheard.auditing import BOUNDS, VERDICTS
from unheard.evaluation.batch import Row

TOLD = (*BOUNDS, "clear")
"""Verdicts that say whether a sound is a copy."""
RATES = ("copied_or_collapsed", "replicated", "replicated_target")
"""Metrics that count sounds."""


def outcome(row: Row) -> str:
    """What became of a sound, by its row; tables without a column `collapsed` know of none that did."""
    if row["error"] is not None:
        return "failed"
    if row["replicated"]:
        return "copied"
    if row.get("collapsed"):
        return "collapsed"
    return "clear" if row["replicated"] is not None else row["verdict"] or "not judged"


def with_rates(row: Row) -> Row:
    """The row with a value for each of `RATES`; None where it counts in none."""
    became = outcome(row)
    told = became in ("copied", "clear")
    return row | {
        "copied_or_collapsed": became != "clear" if told or became == "collapsed" else None,
        "replicated": row["replicated"] if told else None,
        "replicated_target": row["replicated_target"] if told else None,
    }


def open_verdicts(rows: Iterable[Row]) -> tuple[str, ...]:
    """The verdicts that leave open whether a sound is a copy: the audit's own, and any others in the rows."""
    found = (row["verdict"] for row in rows if row["verdict"] is not None)
    return tuple(dict.fromkeys(each for each in (*VERDICTS, *found) if each not in TOLD))


def counts(rows: Sequence[Row], verdicts: Iterable[str]) -> dict[str, int]:
    """How many sounds were made, failed, collapsed, and were left open, by verdict.

    What was made and is in none of the others is what `replicated` counts.
    """
    became = Counter(outcome(row) for row in rows)
    left_open = {each.replace(" ", "_"): became[each] for each in verdicts}
    made = len(rows) - became["failed"]
    return {"made": made, "failed": became["failed"], "collapsed": became["collapsed"], **left_open}
