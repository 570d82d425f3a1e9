"""What came of work on an index, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unheard.index.building.builder import Built


REASONS = 5
"""Of what was left out, those that are printed; the list in the index has all."""


def counts(built: Built) -> dict[str, Any]:
    """What came of a build, with how many recordings were seen and taken, as `--json` prints it."""
    by_reason = {"left_out": built.left_out.counts, "remarks": built.remarks.counts}
    return {**asdict(built), **by_reason, "seen": built.done, "taken": built.done - built.rejected}


def failed(built: Built) -> bool:
    """Whether everything that a build came by was left out."""
    return built.done == built.rejected


def describe(built: Built) -> list[str]:
    """One line on what came of a build, and one on each thing to know."""
    parts = [f"{built.added:,} added"]
    for number, word in (
        (built.changed, "embedded again"),
        (built.redescribed, "given another caption or timing"),
        (built.unchanged, "there already"),
        (built.removed, "removed"),
        (built.rejected, "left out"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    lines = [f"{built.uri}: {', '.join(parts)} ({built.windows:,} windows, {built.seconds:,.0f} s of sound)"]
    if built.silent:
        lines.append(f"  {built.silent:,} are silent: marked, and found by no search")
    if built.uncaptioned:
        lines.append(f"  {built.uncaptioned:,} have no caption: caption deduplication does nothing near them")
    if built.unused_captions:
        lines.append(f"  {built.unused_captions:,} rows of the captions name no sound")
    lines += [f"  {line}" for line in built.left_out.lines()[:REASONS]]
    lines += [f"  {line}" for line in built.remarks.lines("taken otherwise")[:REASONS]]
    if built.rejects:
        lines.append(f"  all that was left out or taken otherwise, and why: {built.rejects}")
    return lines
