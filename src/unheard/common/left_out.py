"""What was left out of some work, counted by reason: the one way in which all commands tell of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

REASONS = 100
"""Different reasons that are counted by themselves; memory does not grow with what is left out."""
OTHER = "other reasons"


@dataclass
class LeftOut:
    """Reasons, how often each held, and the first name that it held for.

    Attributes:
        counts: by reason, without what is particular to one name: its numbers, quotations and details.
        first: a name for each reason, and the reason as it was given.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, reasons: Mapping[str, str]) -> LeftOut:
        """Count the reasons of names; a reason may name what it is of."""
        counted = cls()
        for name, reason in reasons.items():
            named = re.sub(rf"\S*{re.escape(name)}", "it", reason)
            counted.add(name, named.removeprefix("cannot read it: "))
        return counted

    def add(self, name: str, reason: str) -> None:
        """Count one."""
        kind = re.split(r"[:;(]", re.sub(r"'[^']*'|\"[^\"]*\"", "...", reason))[0].strip()
        kind = re.sub(r"\d[\d,.]*", "N", kind)
        if kind not in self.counts and len(self.counts) >= REASONS:
            kind = OTHER
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.first.setdefault(kind, (name, reason))

    def __len__(self) -> int:
        """How many were left out."""
        return sum(self.counts.values())

    def lines(self, done: str = "left out") -> list[str]:
        """A line a reason, the most frequent first, such as "2 left out: the file is empty (a.wav, ...)"."""
        return [
            f"{count:,} {done}: {self.first[kind][1]} ({self.first[kind][0]}{', ...' if count > 1 else ''})"
            for kind, count in sorted(self.counts.items(), key=lambda each: -each[1])
        ]

    def __str__(self) -> str:
        """The same in one line."""
        return "; ".join(self.lines())
