"""The whole audit: sounds and references in, verdicts out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from unheard import __version__, audio
from unheard.auditing import alignment, calibration, features
from unheard.auditing.catalogue import Catalogue, sound_files
from unheard.auditing.features import PER_SEMITONE, PERIOD
from unheard.auditing.fingerprint import fingerprints
from unheard.auditing.results import Audit, Evidence, FileAudit, Match
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.index import Index

__all__ = ["Auditor", "Sounds", "audit", "evidence", "sound_files"]

Sounds = str | Path | Iterable[str | Path | tuple[Tensor, int]]
"""A file, a folder (at any depth), or a list of files and pairs of waveform [channels, time] and rate."""

FINALISTS = 10
"""Parts of references, of those nearest by fingerprint, that a sound is aligned with."""
DENSE = 16
"""Frames from one fingerprint of a judged sound to the next: twice as dense as in the catalogue."""
SHORTEST = 1.0
"""Seconds that a sound must be audible for to be judged."""
PIECE, STEP = 20.0, 10.0
"""A longer sound is judged in pieces of so many seconds, one every so many."""

CONVINCING = 0.05
"""Expected false alarms in the catalogue below which a match is one."""
SUSPICIOUS = 0.05
"""False-alarm rate of a comparison below which sounds count as similar."""
WHOLE = 0.5
"""Share of the audible time from which a copy is a copy and not a partial one."""


class Auditor:
    """A catalogue, ready to be asked about one sound after another.

    Args:
        catalogue: what to compare with.
        index, embedder: give both to have an embedder propose candidates as well; an item of the index counts
            where its id is one of the catalogue's.
        k: how many items the embedder proposes for each of its windows.
        bounds: the calibration; the package's own if left out.

    Raises:
        InputError: only one of index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        index: Index | None = None,
        embedder: Embedder | None = None,
        k: int = 5,
        bounds: calibration.Calibration | None = None,
    ) -> None:
        if (index is None) != (embedder is None):
            raise InputError("the embedder's candidates need both an index and its embedder, not one of them")
        if index is not None and embedder is not None:
            index.check_embedder(embedder)
        if k < 1:
            raise InputError(f"k must be 1 or more, not {k}")
        self.catalogue, self.index, self.embedder, self.k = catalogue, index, embedder, k
        self.bounds = bounds or calibration.default()

    @torch.no_grad()
    def judge(self, sound: str | Path | tuple[Tensor, int], name: str | None = None) -> FileAudit:
        """What is to be said of one sound; one that cannot be judged says why, and never raises.

        Args:
            sound: a file, or a waveform [channels, time] and its sample rate in hertz.
            name: what to call it; the file's path if left out.
        """
        name = name or (str(sound) if isinstance(sound, str | Path) else "sound")
        try:
            waveform, rate = audio.read(sound) if isinstance(sound, str | Path) else sound
            _check(waveform, rate)
            heard = features.features(waveform.cpu(), rate)
        except InputError as error:
            return FileAudit(name, "not judged", str(error))
        duration = waveform.shape[-1] / rate
        audible = features.audible(waveform.cpu(), rate).numpy()
        if (reason := _too_little(waveform, audible)) is not None:
            return FileAudit(name, "not judged", reason, duration=duration, sample_rate=rate)
        embedded = self._embedded(waveform, rate)
        matches = self._matches(heard, audible, embedded)
        verdict = matches[0].verdict if matches else "clear"
        score = matches[0].score if matches else 0.0
        return FileAudit(name, verdict, None, score, matches, duration, rate)

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
                "finalists": FINALISTS,
                "k": self.k if self.index is not None else None,
                "embedder": self.embedder.name if self.embedder is not None else None,
                "copy_below_expected_false_alarms": CONVINCING,
                "copy_from_share": WHOLE,
                "similar_below_false_alarm_rate": SUSPICIOUS,
                "shortest_seconds": SHORTEST,
            },
            {"name": self.bounds.name, **self.bounds.made_by},
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

    def _matches(self, heard: Tensor, audible: np.ndarray, embedded: dict[int, float]) -> tuple[Match, ...]:
        """The best match with each candidate, the best first."""
        pieces = _pieces(len(heard))
        # what chance could have matched: every piece with every part
        comparisons = len(pieces) * len(self.catalogue.parts)
        matches: dict[int, Match] = {}
        covered: dict[int, np.ndarray] = {}
        for start, end in pieces:
            piece = heard[start:end]
            if not piece.any():
                continue
            queries = fingerprints(piece, DENSE)
            nearest = self.catalogue.nearest(queries, FINALISTS)
            by_print = set(nearest)
            proposed = [part for number in embedded for part in self.catalogue.parts_like(number, queries)]
            for part in dict.fromkeys([*nearest, *proposed]):
                number = int(self.catalogue.parts[part, 0])
                try:
                    other, first = self.catalogue.part_features(part)
                except InputError:  # it was there when it was fingerprinted
                    continue
                found = alignment.align(piece, other)
                if found is None:
                    continue
                sources = ("fingerprint",) * (part in by_print) + ("embedding",) * (number in embedded)
                match = self._match(number, found, start, first, comparisons, embedded.get(number), sources)
                marks = covered.setdefault(number, np.zeros(len(heard), bool))
                if match.expected_false_alarms < CONVINCING:
                    marks[start:end] |= alignment.coverage(piece, other, found)
                marks[start + found.start : start + found.end] |= match.false_alarm_rate < SUSPICIOUS
                best = matches.get(number)
                if best is None or match.score > best.score:
                    matches[number] = match
        shared = {number: float(marks[audible].mean()) for number, marks in covered.items()}
        finished = [
            replace(match, share=shared[number], verdict=_verdict(match, shared[number]))
            for number, match in matches.items()
        ]
        return tuple(sorted(finished, key=lambda match: -match.score))

    def _match(
        self,
        number: int,
        found: alignment.Alignment,
        start: int,
        other_start: int,
        comparisons: int,
        cosine: float | None,
        sources: tuple[str, ...],
    ) -> Match:
        """A match in seconds and rates; share and verdict are still open."""
        catalogue = self.catalogue
        begin, reference_begin = start + found.start, other_start + found.other_start
        score = self.bounds.score(found.strength, found.room)
        return Match(
            reference=catalogue.ids[number],
            reference_path=str(catalogue.paths[number]),
            caption=catalogue.captions[number],
            verdict="clear",
            score=score,
            false_alarm_rate=self.bounds.false_alarm_rate(score),
            expected_false_alarms=self.bounds.expected_false_alarms(score, comparisons),
            start=begin * PERIOD,
            end=(start + found.end) * PERIOD,
            reference_start=reference_begin * PERIOD,
            reference_end=(other_start + found.other_end) * PERIOD,
            share=0.0,
            shift=(begin - reference_begin) * PERIOD,
            stretch=found.stretch,
            transposition=found.transposition / PER_SEMITONE,
            embedding_similarity=cosine,
            found_by=sources,
        )


def audit(
    sounds: Sounds,
    references: Catalogue | str | Path | Iterable[str | Path],
    *,
    index: Index | None = None,
    embedder: Embedder | None = None,
    k: int = 5,
    progress: Callable[[FileAudit], None] | None = None,
) -> Audit:
    """Whether sounds replay a catalogue, where, and how surely.

    Args:
        sounds: what to judge.
        references: a `Catalogue`, or what `Catalogue.from_files` takes.
        index, embedder, k: see `Auditor`.
        progress: called with each sound's result as soon as it is there.

    Raises:
        InputError: there are no sounds or no usable references, or only one of index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """
    to_judge: list[Path | tuple[Tensor, int]] = []
    for sound in [sounds] if isinstance(sounds, str | Path) else sounds:
        to_judge += sound_files(sound) if isinstance(sound, str | Path) else [sound]
    if not to_judge:
        raise InputError("there are no sounds to audit: name a file or a folder")
    catalogue = references if isinstance(references, Catalogue) else Catalogue.from_files(references)
    auditor = Auditor(catalogue, index=index, embedder=embedder, k=k)
    results = []
    for number, sound in enumerate(to_judge, start=1):
        results.append(auditor.judge(sound, None if isinstance(sound, Path) else f"sound {number}"))
        if progress is not None:
            progress(results[-1])
    return auditor.audit(results)


def evidence(
    waveform: Tensor, sample_rate: int, reference: Tensor, reference_rate: int, match: Match
) -> Evidence:
    """The similarity matrix behind a match, and the path through it.

    Args:
        waveform, sample_rate: the audited sound [channels, time], in hertz.
        reference, reference_rate: the match's reference likewise.
        match: as `audit` gave it.

    Raises:
        InputError: a waveform or a rate cannot be used.
    """
    ours = features.features(waveform, sample_rate)
    theirs = features.features(reference, reference_rate)
    similarity = alignment.similarity_matrix(ours, theirs, round(match.transposition * PER_SEMITONE))
    frames = np.arange(round(match.start / PERIOD), min(round(match.end / PERIOD), len(ours)))
    others = np.round(match.reference_start / PERIOD + (frames - match.start / PERIOD) / match.stretch)
    path = [(int(i), int(j)) for i, j in zip(frames, others, strict=True) if j < len(theirs)]
    return Evidence(similarity, tuple(path), PERIOD)


def _check(waveform: Tensor, rate: int) -> None:
    if waveform.ndim != 2 or 0 in waveform.shape:
        raise InputError(f"a sound to audit is [channels, time], not {list(waveform.shape)}")
    if not waveform.isfinite().all():
        raise InputError("the sound holds NaN or infinity")


def _too_little(waveform: Tensor, audible: np.ndarray) -> str | None:
    """Why a sound cannot be judged, or None."""
    if float(waveform.abs().max()) < audio.SILENCE:
        return "it is silent"
    if float((waveform - waveform.mean(dim=-1, keepdim=True)).abs().max()) < audio.SILENCE:
        return "it is constant"
    seconds = float(audible.sum()) * PERIOD
    if seconds < SHORTEST:
        return f"it is audible for {seconds:.1f} s, which is too short: at least {SHORTEST} s are needed"
    return None


def _pieces(frames: int) -> list[tuple[int, int]]:
    """First frame, and one after the last, of the pieces of a sound."""
    length, step = round(PIECE / PERIOD), round(STEP / PERIOD)
    count = max(0, math.ceil((frames - length) / step)) + 1
    starts = [min(number * step, max(0, frames - length)) for number in range(count)]
    return [(start, min(frames, start + length)) for start in starts]


def _verdict(match: Match, share: float) -> str:
    if match.expected_false_alarms < CONVINCING:
        return "copy" if share >= WHOLE else "partial copy"
    return "similar" if match.false_alarm_rate < SUSPICIOUS else "clear"
