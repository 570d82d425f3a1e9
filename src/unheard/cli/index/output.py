"""What came of work on an index, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.index.building.builder import Built


def describe(built: Built) -> str:
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
    if remarked := built.remarked - built.unused_captions:
        lines.append(f"  {remarked:,} remarks on captions and the like that are not taken as they stand")
    if built.rejects:
        lines.append(f"  what was left out or changed, and why: {built.rejects}")
    return "\n".join(lines)
