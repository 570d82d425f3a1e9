"""What an audit says, as plain values: they print, compare, and go through `dataclasses.asdict` into JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("copy", "partial copy", "similar", "clear", "not judged")
"""From the worst down; `not judged` stands apart, it is neither good nor bad news."""
BOUNDS = VERDICTS[: VERDICTS.index("clear")]
"""Those that something can be as bad as."""


def as_bad_as(verdict: str, bound: str) -> bool:
    """Whether a verdict is at least as bad as another; what was not judged is as bad as nothing."""
    return verdict != "not judged" and VERDICTS.index(verdict) <= VERDICTS.index(bound)


@dataclass(frozen=True)
class Match:
    """One reference that the audited sound resembles, and where.

    Attributes:
        reference: its id in the catalogue.
        reference_path: the file it was read from, if there is one.
        caption: what the catalogue says of it.
        verdict: what this match alone would make of the sound.
        score: strength of the evidence, 0 or more; higher is stronger. Read it through the two rates below.
        false_alarm_rate: share of comparisons with a relative that is no copy that reach this score.
        expected_false_alarms: how many references of this catalogue would reach it by chance.
        start, end: the matched part of the audited sound, in seconds.
        reference_start, reference_end: the matched part of the reference, in seconds.
        share: how much of the audited sound's audible time is copied, 0 to 1.
        shift: seconds by which the copied passage begins later in the audited sound than in the reference.
        stretch: how much longer the passage lasts in the audited sound; 1.0 is the same tempo.
        transposition: semitones by which the audited sound is higher.
        embedding_similarity: cosine of the embedder's nearest windows, if an embedder was asked.
        found_by: which searches proposed it ("fingerprint", "embedding"), and the kind of evidence that found
            it where that is not the first of `unheard.auditing.evidence.EVIDENCES`.
    """

    reference: str
    reference_path: str | None
    caption: str | None
    verdict: str
    score: float
    false_alarm_rate: float
    expected_false_alarms: float
    start: float
    end: float
    reference_start: float
    reference_end: float
    share: float
    shift: float
    stretch: float
    transposition: float
    embedding_similarity: float | None
    found_by: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class FileAudit:
    """What is to be said of one sound.

    Attributes:
        path: its file, or a name such as "sound 3" for a waveform.
        verdict: one of `VERDICTS`.
        reason: why it was not judged, else None.
        score: of its best match; 0 without one.
        matches: the best first; there may be several references of one recording.
        duration: seconds; 0 if it could not be read.
        sample_rate: in hertz; 0 if it could not be read.
    """

    path: str
    verdict: str
    reason: str | None = None
    score: float = 0.0
    matches: tuple[Match, ...] = ()
    duration: float = 0.0
    sample_rate: int = 0

    def __repr__(self) -> str:
        if self.reason is not None:
            return f"<FileAudit of {self.path}: {self.verdict}, {self.reason}>"
        best = f" of {self.matches[0].reference}" if self.matches and self.verdict in BOUNDS else ""
        return f"<FileAudit of {self.path}: {self.verdict}{best}, score {self.score:.2f}>"


@dataclass(frozen=True, repr=False)
class Audit:
    """What is to be said of all sounds, and what it was found with.

    Attributes:
        files: one a sound, in the order given.
        catalogue: `name`, `items`, `seconds`, and `left_out` (references that could not be used, with the
            reason).
        settings: the numbers that decided, by name.
        calibration: where the false-alarm rates come from; of further kinds of evidence under their names.
        versions: of unheard and of what reads sounds.
    """

    files: tuple[FileAudit, ...]
    catalogue: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The worst of the files' verdicts; `not judged` only if none was judged."""
        return worst(file.verdict for file in self.files)

    def __repr__(self) -> str:
        verdicts = Counter(file.verdict for file in self.files)
        counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
        sounds = f"{len(self.files)} sound{'' if len(self.files) == 1 else 's'}"
        items = self.catalogue.get("items", 0)
        against = f"{items} reference{'' if items == 1 else 's'}"
        return f"<Audit of {sounds} against {against}: {counts or 'nothing judged'}>"


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts; `not judged` if there are none."""
    return min(verdicts, key=VERDICTS.index, default="not judged")
