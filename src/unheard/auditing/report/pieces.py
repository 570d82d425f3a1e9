"""What a page loads when something is opened: findings, and the clips of sounds that they share."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from unheard.auditing.report import pictures
from unheard.auditing.report.matrix import similarity_matrix
from unheard.auditing.report.playing import encoded
from unheard.auditing.results import FileAudit, Match
from unheard.common.progress import Report
from unheard.errors import InputError
from unheard.figures.spectrogram import LOWEST, top_frequency

Read = Callable[[str], tuple[Tensor, int]]
Loaded = tuple[Tensor, int] | str
"""A waveform [channels, time] and its sample rate, or why there is none."""


class References(Protocol):
    """Where the report reads the references (an `unheard.auditing.Catalogue`)."""

    def read(self, reference: str) -> tuple[Tensor, int]: ...


@dataclass(frozen=True)
class Fineness:
    """How much of each sound a report holds, and how finely.

    Attributes:
        margin: seconds before and after a match that are put in.
        whole: a sound of so many seconds or fewer is put in whole.
        largest: pixels of a picture along time at most.
        levels: steps of brightness in a picture.
        compression: of Opus in one channel, 0 to 1; None for FLAC, which loses nothing.
    """

    margin: float
    whole: float
    largest: int
    levels: int
    compression: float | None


FINE = Fineness(10.0, 20.0, pictures.LARGEST, pictures.LEVELS, None)
SMALL = Fineness(2.0, 8.0, 160, 8, 0.945)
"""About 22 kbit/s: enough to tell by ear what is replayed. The files themselves are named by checksum."""


class Found(NamedTuple):
    """What can be opened: a sound with a match, or one without any.

    Attributes:
        name: of its piece, such as "7-0" for the first match of the eighth sound.
    """

    name: str
    file: FileAudit
    match: Match | None


class Pieces:
    """What a page loads when something is opened: findings, and the clips of sounds that they share.

    Args:
        references, read: as `write_report` has them.
        fineness: of the clips and the matrices.
    """

    def __init__(self, references: References, read: Read, fineness: Fineness) -> None:
        self._fineness = fineness
        self._audited = lru_cache(1)(partial(_read, read))  # findings of one sound follow one another
        self._reference = lru_cache(16)(partial(_read, references.read))
        self._clips: dict[tuple[str, str, int, int], str] = {}

    def of(self, found: Sequence[Found], progress: Report | None) -> Iterator[tuple[str, str]]:
        """Names and contents, JSON that may stand inside a script; a clip comes before who needs it."""
        for done, (name, file, match) in enumerate(found, 1):
            audited = self._audited(file.path)
            reference = "" if match is None else self._reference(match.reference)
            span = (0.0, math.inf) if match is None else (match.start, match.end)
            ours, content = self._clip("audited", file.path, audited, *span)
            yield from content
            finding: dict[str, Any] = {"audited": ours, "reference": None, "matrix": None}
            if match is not None:
                span = match.reference_start, match.reference_end
                finding["reference"], content = self._clip("reference", match.reference, reference, *span)
                yield from content
                if not isinstance(audited, str) and not isinstance(reference, str):
                    finding["matrix"] = self._matrix(audited, reference, match)
            yield name, to_json(finding)
            if progress is not None:
                progress(done, len(found))

    def _clip(
        self, role: str, name: str, sound: Loaded, start: float, end: float
    ) -> tuple[str | dict[str, str], list[tuple[str, str]]]:
        """The name of a clip around a match, or why there is none; and its content if it is new."""
        if isinstance(sound, str):
            return {"missing": sound}, []
        waveform, rate = sound
        first, last = self._bounds(waveform, rate, start, end)
        key = (role, name, first, last)
        if key in self._clips:
            return self._clips[key], []
        clip = self._clips[key] = f"c{len(self._clips)}"
        part, fine = waveform[:, first:last], self._fineness
        picture = pictures.spectrogram(part, rate, largest=fine.largest, levels=fine.levels)
        content = {
            "from": first / rate,
            "seconds": part.shape[-1] / rate,
            "whole": part.shape[-1] == waveform.shape[-1],
            "sound": _base64(encoded(part, rate, fine.compression, 2 if fine is FINE else 1)),
            "type": "audio/flac" if fine.compression is None else "audio/ogg",
            "spectrogram": _base64(picture),
            "hertz": [LOWEST, top_frequency(rate)],
        }
        return clip, [(clip, to_json(content))]

    def _bounds(self, waveform: Tensor, rate: int, start: float, end: float) -> tuple[int, int]:
        """The samples around a match that are put in; a short sound is put in whole."""
        length, fine = waveform.shape[-1], self._fineness
        if length <= fine.whole * rate:
            return 0, length
        if end == math.inf:  # no match: the beginning, as much as is put in elsewhere
            return 0, math.ceil(fine.whole * rate)
        first = max(0, math.floor((start - fine.margin) * rate))
        return first, min(length, math.ceil((end + fine.margin) * rate))

    def _matrix(
        self, audited: tuple[Tensor, int], reference: tuple[Tensor, int], match: Match
    ) -> dict[str, Any]:
        """Of what is shown of both, time of the audited sound to the right; the path in seconds."""
        found = similarity_matrix(*audited, *reference, match)
        period, fine = found.period, self._fineness
        spans = ((match.start, match.end), (match.reference_start, match.reference_end))
        rows, columns = (
            slice(round(first / rate / period), round(last / rate / period) + 1)
            for (waveform, rate), span in zip((audited, reference), spans, strict=True)
            for first, last in [self._bounds(waveform, rate, *span)]
        )
        seen = found.similarity[rows, columns]
        step = max(1, len(found.path) // (400 if fine is FINE else 40))
        path = [*found.path[::step], *found.path[-1:]]
        picture = pictures.matrix(seen.T, largest=fine.largest, levels=fine.levels) if seen.size else None
        return {
            "picture": None if picture is None else _base64(picture),
            "seconds": [seen.shape[0] * period, seen.shape[1] * period],
            "path": [[round(i * period, 3), round(j * period, 3)] for i, j in path],
        }


def _read(read: Read, name: str) -> Loaded:
    """A sound, or why there is none."""
    try:
        return read(name)
    except InputError as error:
        return str(error)


def to_json(value: Any) -> str:
    """JSON in ASCII that no HTML parser takes for markup, null for numbers that JSON cannot hold."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
