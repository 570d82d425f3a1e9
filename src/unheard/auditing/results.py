"""What an audit says, as plain values: they print, compare, and go through `dataclasses.asdict` into JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from unheard.common.texts import plural

VERDICTS = ("copy", "partial copy", "similar", "clear", "too short to tell", "not judged")
"""From the worst down; the last two stand apart, they are neither good nor bad news."""
BOUNDS = VERDICTS[: VERDICTS.index("clear")]
"""Those that something can be as bad as."""
UNTOLD = VERDICTS[VERDICTS.index("clear") + 1 :]
"""Those that leave open whether something is a copy."""
MEANINGS = {
    "copy": "References are replayed through half of the sound or more, all of them together.",
    "partial copy": "References are replayed in a smaller part of the sound.",
    "similar": "There is more evidence than unrelated sounds mostly give, and less than a copy gives; or the "
    "tune or the rhythm is a reference's.",
    "clear": "No altered, regenerated or layered copy of these references was found. "
    "It says nothing of others.",
    "too short to tell": "Even an exact copy could not be called one among so many references.",
    "not judged": "Silent, audible for less than half a second, cut short, or unreadable; or the audit was "
    "interrupted before it. It is not clear.",
}
"""What each verdict says, in a sentence for whoever gets a report."""


def as_bad_as(verdict: str, bound: str) -> bool:
    """Whether a verdict is at least as bad as another; what could not be told is as bad as nothing."""
    return verdict not in UNTOLD and VERDICTS.index(verdict) <= VERDICTS.index(bound)


@dataclass(frozen=True)
class Part:
    """What one kind of evidence says of a match.

    Attributes:
        kind: its name in `unheard.auditing.evidence.EVIDENCES`.
        score: in the kind's own units, 0 or more; higher is stronger.
        false_alarm_rate: share of comparisons with a relative that is no copy that reach this score.
    """

    kind: str
    score: float
    false_alarm_rate: float


@dataclass(frozen=True)
class Match:
    """One reference that the audited sound resembles, and where.

    Attributes:
        reference: its id in the catalogue.
        reference_path: the file it was read from, if there is one.
        caption: what the catalogue says of it.
        verdict: what this match alone would make of the sound.
        score: how much speaks for a copy, in decades (log10), by all evidence together or by one kind alone;
            of a kind that was calibrated apart, its own score. Read it through the two rates below.
        score_needed: the score from which a match is a copy in this catalogue.
        score_possible: what the sound against itself would score, and the reference against itself, the lower
            of both: where that is below `score_needed`, a copy could not be told. None if that was not asked.
        false_alarm_rate: share of comparisons with a relative that is no copy that reach this score.
        expected_false_alarms: how many references of this catalogue would reach it by chance.
        evidence: what each kind says, the one that places the match first.
        agreeing: how many kinds find the same passage at the same place, 1 where each finds another; one that
            is only asked where others have found something is not counted.
        start, end: the matched part of the audited sound, in seconds.
        reference_start, reference_end: the matched part of the reference, in seconds.
        share: how much of the audited sound's audible time is copied of this reference, 0 to 1.
        shift: seconds by which the copied passage begins later in the audited sound than in the reference.
        stretch: how much longer the passage lasts in the audited sound; 1.0 is the same tempo.
        transposition: semitones by which the audited sound is higher.
        embedding_similarity: cosine of the embedder's nearest windows, if an embedder was asked.
        found_by: which searches proposed it ("fingerprint", "landmarks", "moments", "embedding"), and the
            kind of evidence that places it.
        alike: words for what is alike to the reference, such as "tune", by the kinds in
            `unheard.auditing.likeness.LIKENESSES`; never a sign of a copy by itself.
        reference_sha256: checksum of the reference's file, in hexadecimal; None if it is there no more.
    """

    reference: str
    reference_path: str | None
    caption: str | None
    verdict: str
    score: float
    score_needed: float
    score_possible: float | None
    false_alarm_rate: float
    expected_false_alarms: float
    evidence: tuple[Part, ...]
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
    alike: tuple[str, ...] = ()
    reference_sha256: str | None = None
    agreeing: int = 1

    @property
    def likeness(self) -> str:
        """What is alike in words, such as "the same tune and rhythm"; empty if nothing is."""
        return f"the same {' and '.join(self.alike)}" if self.alike else ""


@dataclass(frozen=True, repr=False)
class FileAudit:
    """What is to be said of one sound.

    Attributes:
        path: its file, or a name such as "sound 3" for a waveform.
        verdict: one of `VERDICTS`.
        reason: why it was not judged, or why it could not be told if it were a copy; else None.
        score: of its best match; without one, what no evidence at all scores, below 0; 0 if it was not
            judged.
        matches: the best first; there may be several references of one recording.
        duration: seconds; 0 if it could not be read.
        sample_rate: in hertz; 0 if it could not be read.
        share: how much of its audible time is copied, of all references together, 0 to 1.
        sha256: checksum of the file, in hexadecimal; None for a waveform, and for what cannot be read.
    """

    path: str
    verdict: str
    reason: str | None = None
    score: float = 0.0
    matches: tuple[Match, ...] = ()
    duration: float = 0.0
    sample_rate: int = 0
    share: float = 0.0
    sha256: str | None = None

    @property
    def told(self) -> bool:
        """Whether it is a copy, or would have been told if it were one."""
        return self.reason is None

    def __repr__(self) -> str:
        if self.verdict in UNTOLD:
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
        """The worst of the files' verdicts; one of `UNTOLD` only if none could be told."""
        return worst(file.verdict for file in self.files)

    def __repr__(self) -> str:
        verdicts = Counter(file.verdict for file in self.files)
        counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
        sounds = plural(len(self.files), "sound")
        items = self.catalogue.get("items", 0)
        against = f"{items} reference{'' if items == 1 else 's'}"
        return f"<Audit of {sounds} against {against}: {counts or 'nothing judged'}>"

    def _repr_html_(self) -> str:
        """Every sound with its verdict, and those that replay beside what they replay, for a notebook."""
        from unheard.auditing.report.notebook import audit_html

        return audit_html(repr(self)[1:-1], [asdict(file) for file in self.files], VERDICTS)


def by_chance(expected_false_alarms: float) -> str:
    """How often a catalogue like this one has a reference that is as much alike by accident, in words."""
    if expected_false_alarms >= 0.5:
        return "likely"
    if expected_false_alarms <= 1e-9:
        return "less than 1 in 1,000,000,000"
    return f"1 in {1 / expected_false_alarms:,.0f}"


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts; `not judged` if there are none."""
    return min(verdicts, key=VERDICTS.index, default="not judged")
