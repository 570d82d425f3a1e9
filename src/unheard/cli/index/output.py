"""What came of work on an index, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unheard.index.building.builder import Built


def counts(built: Built) -> dict[str, Any]:
    """What came of a build, with how many recordings were seen and taken, as `--json` prints it."""
    by_reason = {"left_out": built.left_out.counts, "remarks": built.remarks.counts}
    return {**asdict(built), **by_reason, "seen": built.done, "taken": built.done - built.rejected}


def failed(built: Built) -> bool:
    """Whether everything that a build came by was left out."""
    return built.done == built.rejected
