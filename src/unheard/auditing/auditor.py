"""The audit of one sound after another: candidates, evidence, verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from unheard import __version__, audio
from unheard.auditing import moments
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.evidence import EVIDENCES, Evidence
from unheard.auditing.evidence.joint import SUSPICIOUS, Group, Joint, Weighed
from unheard.auditing.features import PERIOD, Signal
from unheard.auditing.fingerprint import fingerprints
from unheard.auditing.landmarks import Landmarks, landmarks, peaks_of_signal
from unheard.auditing.likeness import LIKENESSES, UNUSUAL, Likeness, unusual
from unheard.auditing.results import BOUNDS, Audit, FileAudit, Match, as_bad_as
from unheard.common.checks import require_whole
from unheard.common.files import sha256
from unheard.common.memory import sufficing_for
from unheard.common.sound_limits import LOUDEST
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.index import Index

FINALISTS, SHARING, KNOWN_AGAIN = 6, 4, 4
"""Parts of references to compare with: nearest by fingerprint, and those that share landmarks or moments."""
DENSE = 16
"""Frames from one fingerprint of a judged sound to the next: twice as dense as in the catalogue."""
SHORTEST = 0.5
"""Seconds that a sound must be audible for to be judged."""
PIECE, STEP = 20.0, 10.0
"""A longer sound is judged in pieces of so many seconds, one every so many."""
FEATURES_HELD = 64
"""References whose features are held, of each kind of evidence."""

CONVINCING = 0.05
"""Expected false alarms in the catalogue below which a match is one."""
WHOLE = 0.5
"""Share of the audible time from which a copy is a copy and not a partial one."""


class Auditor:
    """A catalogue, ready to be asked about one sound after another.

    Args:
        catalogue: what to compare with.
        index, embedder: give both to have an embedder propose candidates as well; an item of the index counts
            where its id is one of the catalogue's.
        k: how many items the embedder proposes for each of its windows.
        evidence: what tells copies; all of `unheard.auditing.evidence.EVIDENCES` if left out.
        likenesses: what makes a sound similar without being a copy; all of
            `unheard.auditing.likeness.LIKENESSES` if left out.

    Raises:
        InputError: only one of index and embedder is given, or no evidence.
        IndexFileError: the index was made by another embedder.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        index: Index | None = None,
        embedder: Embedder | None = None,
        k: int = 5,
        evidence: Sequence[Evidence] | None = None,
        likenesses: Sequence[Likeness] | None = None,
    ) -> None:
        if (index is None) != (embedder is None):
            raise InputError("the embedder's candidates need both an index and its embedder, not one of them")
        if index is not None and embedder is not None:
            index.check_embedder(embedder)
        require_whole("k", k, 1)
        self.catalogue, self.index, self.embedder, self.k = catalogue, index, embedder, k
        kinds = [kind() for kind in EVIDENCES.values()] if evidence is None else list(evidence)
        if not kinds:
            raise InputError("evidence is empty: give at least one kind, or leave it out")
        self.joint = Joint(kinds)
        self.likenesses = [kind() for kind in LIKENESSES.values()] if likenesses is None else list(likenesses)
        self._reference_features = lru_cache(FEATURES_HELD)(
            partial(_features_of_reference, catalogue, self.joint, self.likenesses)
        )

    @torch.no_grad()
    def judge(self, sound: str | Path | tuple[Tensor, int], name: str | None = None) -> FileAudit:
        """What is to be said of one sound; one that cannot be judged says why, and never raises.

        Args:
            sound: a file, or a waveform [channels, time] and its sample rate in hertz.
            name: what to call it; the file's path if left out.
        """
        name = name or (str(sound) if isinstance(sound, str | Path) else "sound")
        try:
            with sufficing_for(f"judging {name}"):
                about = self._about(sound, name)
        except InputError as error:
            about = FileAudit(name, "not judged", str(error))
        return replace(about, sha256=_checksum(sound))

    def _about(self, sound: str | Path | tuple[Tensor, int], name: str) -> FileAudit:
        """What `judge` says, without the checksum; InputError for a sound that cannot be used."""
        waveform, rate = audio.read(sound) if isinstance(sound, str | Path) else sound
        _check(waveform, rate)
        signal = Signal(waveform.cpu(), rate)
        reason = too_little(signal)
        if reason is None:
            return self._judged(name, signal, self._embedded(waveform, rate))
        duration = waveform.shape[-1] / rate
        return FileAudit(name, "not judged", reason, duration=duration, sample_rate=rate)

    def audit(self, files: Iterable[FileAudit]) -> Audit:
        """Results, with what they were found with."""
        catalogue = self.catalogue
        return Audit(
            tuple(files),
            {
                "name": catalogue.name,
                "items": len(catalogue),
                "seconds": float(sum(catalogue.seconds)),
                "left_out": dict(catalogue.left_out),
            },
            {
                "evidence": [kind.name for kind in self.joint.kinds],
                "likenesses": [kind.name for kind in self.likenesses],
                "finalists": FINALISTS,
                "sharing_landmarks": SHARING,
                "sharing_moments": KNOWN_AGAIN,
                "k": self.k if self.index is not None else None,
                "embedder": self.embedder.name if self.embedder is not None else None,
                "copy_below_expected_false_alarms": CONVINCING,
                "copy_from_share": WHOLE,
                "similar_below_false_alarm_rate": SUSPICIOUS,
                "alike_below_false_alarm_rate": UNUSUAL,
                "shortest_seconds": SHORTEST,
            },
            self._calibration(),
            {
                "unheard": __version__,
                "torch": version("torch"),
                "soundfile": soundfile.__version__,
                "libsndfile": soundfile.__libsndfile_version__,
            },
        )

    def _embedded(self, waveform: Tensor, rate: int) -> dict[int, float]:
        """References that the embedder proposes, with the highest cosine of each."""
        if self.index is None or self.embedder is None:
            return {}
        _, vectors = self.embedder.embed_windows(waveform, rate)
        similarities, positions = self.index.search(vectors, self.k)
        found: dict[int, float] = {}
        pairs = zip(similarities.flatten().tolist(), positions.flatten().tolist(), strict=True)
        for cosine, position in pairs:
            item = self.index.item(position).id
            if item in self.catalogue:
                number = self.catalogue.number(item)
                found[number] = max(found.get(number, -1.0), cosine)
        return found

    def _calibration(self) -> dict[str, Any]:
        """Where the rates of the first kind come from, and those of every other by its name."""
        kinds: list[Evidence | Likeness] = [*self.joint.kinds, *self.likenesses]
        first, *others = kinds
        return {
            **first.calibration,
            **{kind.name: kind.calibration for kind in others if kind.calibration != first.calibration},
        }

    def _judged(self, name: str, signal: Signal, embedded: dict[int, float]) -> FileAudit:
        """The best match with each candidate, the best first, and what they come to."""
        features = _features(self.joint, self.likenesses, signal)
        found_peaks, found_moments = signal.once(peaks_of_signal), signal.once(moments.of_signal)
        pieces = _pieces(len(signal.features))
        # what chance could have matched: every piece with every part
        comparisons = len(pieces) * len(self.catalogue.parts)
        matches: dict[int, Match] = {}
        alike: dict[int, set[str]] = {}
        weighty: dict[int, tuple[Weighed, _Candidate]] = {}
        copied: dict[int, np.ndarray] = {}
        unread: dict[int, str] = {}
        union = np.zeros(len(signal.features), bool)
        for piece in pieces:
            if not signal.features[piece].any():
                continue
            ours = features.of(piece)
            for candidate in self._candidates(
                signal.features[piece], landmarks(found_peaks[piece]), found_moments[piece], embedded
            ):
                number = candidate.number
                try:
                    theirs = self._reference_features(number).of(candidate.frames)
                except InputError as error:  # it was there when it was fingerprinted
                    unread.setdefault(number, str(error))
                    continue
                alike.setdefault(number, set()).update(self._alike(ours, theirs))
                for weighed in self.joint.weigh(ours.evidence, theirs.evidence):
                    match = self._match(candidate, weighed, piece.start, comparisons)
                    marks = copied.setdefault(number, np.zeros_like(union))
                    finding = weighed.finding
                    if match.expected_false_alarms < CONVINCING:
                        covered = weighed.covers()
                        marks[piece] |= covered
                        union[piece] |= covered
                    passage = slice(piece.start + finding.start, piece.start + finding.end)
                    marks[passage] |= match.false_alarm_rate < SUSPICIOUS
                    if number not in matches or _order(match) < _order(matches[number]):
                        matches[number], weighty[number] = match, (weighed, candidate)
        shares = {number: float(marks[signal.audible].mean()) for number, marks in copied.items()}
        share = float(union[signal.audible].mean())
        duration = signal.waveform.shape[-1] / signal.sample_rate
        finished = sorted(
            (
                self._finished(match, shares[number], alike[number], duration)
                for number, match in matches.items()
            ),
            key=lambda match: (match.verdict not in BOUNDS, *_order(match)),
        )
        about = FileAudit(name, "clear", None, self.joint.nothing(), (), duration, signal.sample_rate, share)
        if finished and as_bad_as(finished[0].verdict, "partial copy"):
            return replace(about, verdict=_extent(share), score=finished[0].score, matches=tuple(finished))
        best = weighty[self.catalogue.number(finished[0].reference)] if finished else None
        return _with_unread(
            self._uncopied(about, features.evidence, pieces, comparisons, finished, best),
            {self.catalogue.ids[number]: why for number, why in unread.items()},
        )

    def _uncopied(
        self,
        about: FileAudit,
        features: Sequence[Tensor],
        pieces: Sequence[slice],
        comparisons: int,
        matches: list[Match],
        best: tuple[Weighed, _Candidate] | None,
    ) -> FileAudit:
        """What is to be said where no copy was found: whether one would have been.

        An exact copy of the sound is the sound itself, and one of the reference that is most alike is that.
        """
        group = self.joint.groups[0] if best is None else best[0].group
        needed = self._score_needed(group, comparisons)
        longest = max(pieces, key=lambda piece: float(features[0][piece].abs().sum()))
        of_sound = self.joint.highest([some[longest] for some in features], group)
        reason = _too_short("an exact copy of it", of_sound, needed)
        possible = of_sound
        if best is not None:
            theirs = self._reference_features(best[1].number).evidence
            of_reference = self.joint.highest([some[best[1].frames] for some in theirs], group)
            possible = min(-math.inf if some is None else some for some in (of_sound, of_reference))
            copy = f"an exact copy of {matches[0].reference}, which is most alike,"
            reason = reason or _too_short(copy, of_reference, needed)
        verdict = "clear" if reason is None else "too short to tell"
        if matches:
            verdict = "similar" if matches[0].verdict == "similar" else verdict
            matches[0] = replace(matches[0], score_possible=possible, verdict=verdict)
            about = replace(about, score=matches[0].score)
        return replace(about, verdict=verdict, reason=reason, matches=tuple(matches))

    def _candidates(
        self, piece: Tensor, shared: Landmarks, known: Tensor, embedded: dict[int, float]
    ) -> list[_Candidate]:
        """Parts to compare a piece's features with: by fingerprint, landmarks, moments and embedding."""
        queries = fingerprints(piece, DENSE)
        nearest = self.catalogue.nearest(queries, FINALISTS)
        sharing = self.catalogue.sharing(shared, SHARING)
        known_again = self.catalogue.known_again(known, KNOWN_AGAIN)
        proposed = [part for number in embedded for part in self.catalogue.parts_like(number, queries)]
        found = []
        for part in dict.fromkeys([*nearest, *sharing, *known_again, *proposed]):
            number, frames = self.catalogue.part(part)
            sources = tuple(
                name
                for name, proposes in (
                    ("fingerprint", part in nearest),
                    ("landmarks", part in sharing),
                    ("moments", part in known_again),
                    ("embedding", number in embedded),
                )
                if proposes
            )
            found.append(_Candidate(number, frames, embedded.get(number), sources))
        return found

    def _alike(self, piece: _Features, part: _Features) -> Iterator[str]:
        """Words for what a piece and a part have in common."""
        for kind, ours, theirs in zip(self.likenesses, piece.likenesses, part.likenesses, strict=True):
            if unusual(kind, ours, theirs):
                yield kind.name

    def _finished(self, match: Match, share: float, alike: set[str], duration: float) -> Match:
        """A match with what all pieces together say of it; its last frame may reach beyond both sounds."""
        lasting = self.catalogue.seconds[self.catalogue.number(match.reference)]
        words = tuple(kind.name for kind in self.likenesses if kind.name in alike)
        verdict = _verdict(match, share)
        return replace(
            match,
            verdict="similar" if words and verdict == "clear" else verdict,
            end=min(match.end, duration),
            reference_end=min(match.reference_end, lasting),
            share=share,
            alike=words,
            reference_sha256=self._reference_checksum(match.reference),
        )

    def _match(self, candidate: _Candidate, weighed: Weighed, piece_start: int, comparisons: int) -> Match:
        """A match in seconds and rates; share and verdict are still open."""
        catalogue, number, finding = self.catalogue, candidate.number, weighed.finding
        start, reference_start = piece_start + finding.start, candidate.frames.start + finding.reference_start
        return Match(
            reference=catalogue.ids[number],
            reference_path=str(catalogue.paths[number]),
            caption=catalogue.captions[number],
            verdict="clear",
            score=weighed.score,
            score_needed=self._score_needed(weighed.group, comparisons),
            score_possible=None,
            false_alarm_rate=weighed.false_alarm_rate,
            expected_false_alarms=weighed.expected_false_alarms(comparisons),
            evidence=weighed.parts,
            agreeing=weighed.agreeing,
            start=start * PERIOD,
            end=(piece_start + finding.end) * PERIOD,
            reference_start=reference_start * PERIOD,
            reference_end=(candidate.frames.start + finding.reference_end) * PERIOD,
            share=0.0,
            shift=(start - reference_start) * PERIOD,
            stretch=finding.stretch,
            transposition=finding.transposition,
            embedding_similarity=candidate.cosine,
            found_by=(*candidate.found_by, weighed.parts[0].kind),
        )

    @lru_cache(maxsize=4096)  # noqa: B019 (as long as the auditor, whose it is)
    def _reference_checksum(self, reference: str) -> str | None:
        return _checksum(self.catalogue.paths[self.catalogue.number(reference)])

    @lru_cache(maxsize=8)  # noqa: B019 (as long as the auditor, whose it is)
    def _score_needed(self, group: Group, comparisons: int) -> float:
        return group.score_needed(comparisons, CONVINCING)


@dataclass(frozen=True)
class _Candidate:
    """A part of a reference to compare with.

    Attributes:
        number: position of the reference in the catalogue.
        frames: of the reference, which are the part.
        cosine: of the embedder's nearest windows, if it proposed the reference.
        found_by: the searches that proposed it.
    """

    number: int
    frames: slice
    cosine: float | None
    found_by: tuple[str, ...]


@dataclass(frozen=True)
class _Features:
    """What every kind of evidence, and of likeness, needs of a sound, [frames, ...] each."""

    evidence: list[Tensor]
    likenesses: list[Tensor]

    def of(self, frames: slice) -> _Features:
        """Those of some frames."""
        return _Features([some[frames] for some in self.evidence], [some[frames] for some in self.likenesses])


def _features(joint: Joint, likenesses: Sequence[Likeness], signal: Signal) -> _Features:
    return _Features(joint.features(signal), [kind.features(signal) for kind in likenesses])


def _features_of_reference(
    catalogue: Catalogue, joint: Joint, likenesses: Sequence[Likeness], number: int
) -> _Features:
    return _features(joint, likenesses, Signal(*audio.read(catalogue.paths[number])))


def _with_unread(audit: FileAudit, unread: dict[str, str]) -> FileAudit:
    """An audit that found no copy, where candidates could not be read: it is not clear of these."""
    if not unread:
        return audit
    name, why = next(iter(unread.items()))
    others = f" and {len(unread) - 1:,} more" if len(unread) > 1 else ""
    verdict = audit.verdict if audit.verdict in BOUNDS else "not judged"
    reason = f"the reference {name}{others} could not be compared with: {why}"
    return replace(audit, verdict=verdict, reason=reason)


def _order(match: Match) -> tuple[float, float]:
    """The surest first: what chance reaches least often; scores are compared within one kind of evidence."""
    return match.expected_false_alarms, -match.score


def _checksum(sound: str | Path | tuple[Tensor, int]) -> str | None:
    """SHA-256 of a file; None for a waveform, and for a file that is gone or cannot be read."""
    try:
        return sha256(sound) if isinstance(sound, str | Path) else None
    except (InputError, OSError):
        return None


def _check(waveform: Tensor, rate: int) -> None:
    if waveform.ndim != 2 or 0 in waveform.shape:
        raise InputError(f"a sound to audit is [channels, time], not {list(waveform.shape)}")
    if not waveform.isfinite().all():
        raise InputError("the sound holds NaN or infinity")
    if float(waveform.abs().max()) > LOUDEST:
        raise InputError(f"the sound reaches {float(waveform.abs().max()):.1e}: scale it to -1 to 1")


def too_little(signal: Signal) -> str | None:
    """Why a sound cannot be judged, or None; InputError if its sample rate is none."""
    waveform, seconds = signal.waveform, float(signal.audible.sum()) * PERIOD
    if float(waveform.abs().max()) < audio.SILENCE:
        return "it is silent"
    if float((waveform - waveform.mean(dim=-1, keepdim=True)).abs().max()) < audio.SILENCE:
        return "it is constant"
    if seconds < SHORTEST:
        return f"it is audible for {seconds:.1f} s, which is too short: at least {SHORTEST} s are needed"
    return None


def _pieces(frames: int) -> list[slice]:
    """The frames of the pieces of a sound."""
    length, step = round(PIECE / PERIOD), round(STEP / PERIOD)
    count = max(0, math.ceil((frames - length) / step)) + 1
    starts = [min(number * step, max(0, frames - length)) for number in range(count)]
    return [slice(start, min(frames, start + length)) for start in starts]


def _verdict(match: Match, share: float) -> str:
    if match.expected_false_alarms < CONVINCING:
        return _extent(share)
    return "similar" if match.false_alarm_rate < SUSPICIOUS else "clear"


def _extent(share: float) -> str:
    return "copy" if share >= WHOLE else "partial copy"


def _too_short(copy: str, possible: float | None, needed: float) -> str | None:
    """Why a copy could not be told, or None if it could."""
    if possible is not None and possible >= needed:
        return None
    reached = "nothing" if possible is None else f"{possible:.1f}"
    return f"{copy} would score {reached}, and {needed:.1f} is needed in this catalogue"
