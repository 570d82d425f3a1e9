"""The references that sounds are compared with, and their fingerprints, landmarks and moments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from unheard import audio
from unheard.auditing import fingerprint
from unheard.auditing.fingerprint_cache import FingerprintCache, columns, fingerprint_files, fingerprints_of
from unheard.auditing.landmark_index import LandmarkIndex
from unheard.auditing.landmarks import PER_FRAME, Landmarks
from unheard.auditing.moment_index import MomentIndex
from unheard.auditing.sounds import sound_files
from unheard.backbones.contained import inside
from unheard.common.progress import Report
from unheard.common.structured_files import read_json
from unheard.common.texts import plural
from unheard.errors import InputError, said
from unheard.index.store.fingerprints import Prints

Sources = str | Path | Mapping[str, str | Path] | Iterable[str | Path]
"""A folder (ids are paths in it), files (ids are their names as given), or files by id."""

PART, STRIDE = 30, 15
"""Fingerprints of a part of a long reference, and from one part to the next: 25.2 s and 12 s."""
END = 1 << 34
"""A frame beyond any sound's last."""


class Catalogue:
    """References by id, with what they are found by; their audio is decoded again only for the finalists.

    Attributes:
        name: what it is called in reports.
        ids, paths, captions, seconds: of the references, in one order.
        left_out: ids of what could not be used, with the reason.
        prints: fingerprints of all references [windows, SIZE], float16.
        parts: the pieces in which references are compared: reference, first fingerprint, one after its
            last [parts, 3]; a reference of 25 s or less is one part.
    """

    def __init__(
        self,
        name: str,
        ids: list[str],
        paths: list[Path],
        captions: list[str | None],
        prints: Sequence[Prints],
        left_out: dict[str, str],
    ) -> None:
        self.name = name
        self.ids, self.paths, self.captions = ids, paths, captions
        self.seconds = [some.seconds for some in prints]
        self.left_out = left_out
        self.prints = np.concatenate([some.windows for some in prints])
        self._landmarks = [some.landmarks for some in prints]
        self._moments = [(some.moments, some.moments_at) for some in prints]
        self._numbers = {identifier: number for number, identifier in enumerate(ids)}
        windows = [len(some.windows) for some in prints]
        parts = []
        for number, (end, count) in enumerate(zip(np.cumsum(windows), windows, strict=True)):
            begin = end - count
            last = max(count - PART, 0)
            firsts = [*range(0, last, STRIDE), last]
            parts += [(number, begin + first, begin + min(first + PART, count)) for first in firsts]
        self.parts = np.array(parts)

    @classmethod
    def from_files(
        cls,
        sources: Sources,
        *,
        captions: Mapping[str, str] | None = None,
        name: str | None = None,
        cache: FingerprintCache | Path | None = None,
        progress: Report | None = None,
    ) -> Catalogue:
        """Files, or all sounds in a folder (any depth).

        Args:
            sources: see `Sources`.
            captions: by id.
            name: of the catalogue; the folder's if left out.
            cache: where fingerprints are found again, by the content of the files; a path is a folder for
                them, made if need be. None are cached without it.
            progress: called with how many references are done, and how many there are.

        Raises:
            InputError: there is no such file or folder, or no usable sound.
        """
        paths = by_id(sources)
        if isinstance(cache, Path):
            cache = FingerprintCache(fingerprint_files(cache))
        prints_of = fingerprints_of if cache is None else cache.prints
        ids, prints, left_out = [], [], {}
        try:
            for number, (identifier, path) in enumerate(paths.items()):
                try:
                    made = prints_of(path)
                except InputError as error:
                    left_out[identifier] = str(error)
                else:
                    ids.append(identifier)
                    prints.append(made)
                if progress is not None:
                    progress(number + 1, len(paths))
        finally:
            if cache is not None:
                cache.save()
        if not ids:
            reason = next(iter(left_out.values()), "there are none")
            raise InputError(f"no reference can be used: {reason}")
        if name is None:
            name = Path(sources).name if isinstance(sources, str | Path) else plural(len(paths), "file")
        said = [(captions or {}).get(identifier) for identifier in ids]
        return cls(name, ids, [paths[some] for some in ids], said, prints, left_out)

    @classmethod
    def of_model(
        cls,
        model: Path,
        *,
        cache: FingerprintCache | Path | None = None,
        progress: Report | None = None,
    ) -> Catalogue:
        """The recordings that a model's folder brings (`memorised.json`, `memorised/`), with captions.

        Raises:
            InputError: the folder has none.
        """
        listed = model / "memorised.json"
        if not listed.is_file():
            raise InputError(f"{model} brings no recordings to compare with: name some as references")
        try:
            entries = read_json(listed)
            captions = {str(item): str(entry["caption"]) for entry in entries for item in entry["items"]}
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{listed} is no list of captions and items: {said(error)}") from error
        paths = {item: inside(model, f"memorised/{item}.flac") for item in captions}
        name = f"{model.name}'s memorised recordings"
        return cls.from_files(paths, captions=captions, name=name, cache=cache, progress=progress)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, reference: str) -> bool:
        return reference in self._numbers

    def number(self, reference: str) -> int:
        """The position of a reference in `ids`; KeyError if there is none."""
        return self._numbers[reference]

    def read(self, reference: str) -> tuple[Tensor, int]:
        """A reference's waveform, float32 [channels, time], and rate; InputError if it cannot be read."""
        return audio.read(self.paths[self._numbers[reference]])

    def part(self, position: int) -> tuple[int, slice]:
        """The reference of a part, by its position in `ids`, and which of the reference's frames it has."""
        number, start, stop = (int(value) for value in self._frames[position])
        return number, slice(start, None if stop == END else stop)

    def nearest(self, queries: Tensor, count: int) -> list[int]:
        """So many parts that most resemble a sound by its fingerprints [windows, SIZE], the best first."""
        scores = fingerprint.resemblance(queries, self.prints, self.parts[:, 1], self.parts[:, 2])
        return [int(part) for part in np.argsort(-scores, kind="stable")[:count]]

    def sharing(self, sound: Landmarks, count: int) -> list[int]:
        """Parts of so many references, at most, that share landmarks with a sound; the surest first."""
        return [
            self._part_at(number, lag + sound.length // 2)
            for number, lag in self._landmark_index.nearest(sound, count)
        ]

    def known_again(self, sound: Tensor, count: int) -> list[int]:
        """So many parts, at most, that have moments of a sound [frames, NUMBERS + 1]; the surest first."""
        return self._moment_index.nearest(sound, count)

    def parts_like(self, number: int, queries: Tensor, count: int = 2) -> list[int]:
        """The parts of one reference that most resemble a sound by its fingerprints, the best first."""
        own = np.flatnonzero(self.parts[:, 0] == number)
        rows = self.parts[own]
        first = rows[0, 1]
        scores = fingerprint.resemblance(
            queries, self.prints[first : rows[-1, 2]], rows[:, 1] - first, rows[:, 2] - first
        )
        return [int(part) for part in own[np.argsort(-scores, kind="stable")[:count]]]

    @cached_property
    def _landmark_index(self) -> LandmarkIndex:
        return LandmarkIndex(self._landmarks, np.array([columns(some) for some in self.seconds]))

    @cached_property
    def _moment_index(self) -> MomentIndex:
        return MomentIndex(self._moments, self._frames)

    @cached_property
    def _frames(self) -> np.ndarray:
        """Reference, first frame and one after the last, or `END`, of each part [parts, 3]."""
        number, begin, end = self.parts.T
        start = (begin - begin[np.searchsorted(number, number)]) * fingerprint.HOP
        stop = start + PART * fingerprint.HOP + fingerprint.WINDOW
        whole = (start == 0) & (end - begin < PART)
        return np.stack([number, start, np.where(whole, END, stop)], axis=1)

    def _part_at(self, number: int, column: int) -> int:
        """The part of a reference in whose midst a column is, as nearly as any."""
        own = np.flatnonzero(self._frames[:, 0] == number)
        middles = self._frames[own, 1] + PART * fingerprint.HOP / 2
        return int(own[np.abs(middles - column / PER_FRAME).argmin()])


def by_id(sources: Sources) -> dict[str, Path]:
    """Sound files by their ids; raises as `sound_files`."""
    if isinstance(sources, Mapping):
        return {identifier: Path(path) for identifier, path in sources.items()}
    files = sound_files(sources)
    if isinstance(sources, str | Path) and os.path.isdir(sources):
        return {file.relative_to(sources).as_posix(): file for file in files}
    return {str(file): file for file in files}
