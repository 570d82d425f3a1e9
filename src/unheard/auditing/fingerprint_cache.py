"""What recordings are found by, outlasting the program: with the index whose recordings they are, or in the
user's cache. These are fingerprints, landmarks and moments, together called their fingerprints.

They are found again by the SHA-256 of the recordings, and by how they were made.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from unheard import audio
from unheard.auditing import fingerprint, moment_index, moment_network, moments
from unheard.auditing.features import PERIOD, Signal
from unheard.auditing.landmark_index import sparse
from unheard.auditing.landmarks import PER_FRAME
from unheard.common.content_cache import Arrays, ContentCache
from unheard.common.files import sha256
from unheard.common.memory import sufficing_for
from unheard.common.regular_files import what_else
from unheard.common.shards import is_available
from unheard.common.texts import plural
from unheard.errors import IndexFileError, InputError
from unheard.index.store.fingerprints import FingerprintTable, Prints

SAVE_EVERY = 2_000
"""Recordings after which new fingerprints are written to an index, so that a stop loses little."""


class FingerprintCache:
    """Fingerprints of recordings: those that are cached, and others as soon as they are made.

    Args:
        files: where they are looked for, and where new ones are written.
        table: an index's fingerprints, where they are looked for as well.
        contents: SHA-256 of the index's recordings, by path, where these are what is asked for: none of them
            is read if its fingerprints are known, and new ones are written to the table, or to `files` if
            the index cannot be written.
    """

    def __init__(
        self,
        files: ContentCache,
        *,
        table: FingerprintTable | None = None,
        contents: Mapping[Path, str] | None = None,
    ) -> None:
        self._files, self._table = files, table
        self._contents = contents or {}
        self._of_index = contents is not None
        self._known: dict[str, Prints] = {} if table is None else _of_table(table)
        self._unsaved: dict[str, Prints] = {}

    def prints(self, path: Path) -> Prints:
        """Of one recording; InputError if it cannot be used."""
        content = self._contents.get(path)
        if content is not None and (found := self._find(content)) is not None:
            return found
        if not is_available(path):
            raise InputError(
                f"cannot read {path}: {what_else(path) or 'it does not exist'}; name a sound file"
            )
        content = sha256(path)
        found = self._find(content)
        if found is None:
            found = self._known[content] = fingerprints_of(path)
            self._write(content, found)
        return found

    def save(self) -> None:
        """Write what is new to the index, or to the files if that cannot be done."""
        if self._table is None or not self._unsaved:
            return
        try:
            self._table.add(maker(), self._unsaved)
        except InputError:
            for content, prints in self._unsaved.items():
                self._files.try_to_write(content, _entry(prints))
        self._unsaved = {}

    def _find(self, content: str) -> Prints | None:
        if content in self._known:
            return self._known[content]
        entry = self._files.read(content)
        return None if entry is None else _prints(entry)

    def _write(self, content: str, prints: Prints) -> None:
        if self._of_index:
            self._unsaved[content] = prints
            if len(self._unsaved) >= SAVE_EVERY:
                self.save()
        else:
            self._files.try_to_write(content, _entry(prints))


def fingerprint_files(folder: Path | None = None) -> ContentCache:
    """Fingerprints in a folder; in the user's cache if left out."""
    return ContentCache("fingerprints", maker().replace(" ", "-"), folder, fits=_fits)


def _fits(entry: Arrays) -> bool:
    """Whether an entry holds fingerprints of a sound."""
    named = {"prints", "landmarks", "moments", "moments_at", "seconds"}
    return entry.keys() == named and entry["seconds"].shape == () and are_fingerprints(_prints(entry))


def are_fingerprints(prints: Prints) -> bool:
    """Whether these are fingerprints [windows, SIZE], landmarks and moments of a sound."""
    windows, landmarks, vectors, at, seconds = prints
    return (
        windows.dtype == np.float16
        and windows.ndim == 2
        and len(windows) > 0
        and windows.shape[1] == fingerprint.SIZE
        and bool(np.isfinite(windows).all())
        and 0 < seconds < math.inf
        and landmarks.dtype == np.int32
        and landmarks.ndim == 2
        and len(landmarks) == 2
        and bool((np.diff(landmarks[0]) >= 0).all())
        and bool((landmarks >= 0).all())
        and bool((landmarks[1] < columns(seconds)).all())
        and vectors.dtype == np.int8
        and at.dtype == np.int32
        and at.ndim == 1
        and len(at) > 0
        and vectors.shape == (len(at), moment_network.NUMBERS)
        and bool((np.diff(at) > 0).all())
        and bool((at >= 0).all())
        and bool((at < columns(seconds) // PER_FRAME).all())
    )


def columns(seconds: float) -> int:
    """Columns of landmarks that a sound of so many seconds has, at most."""
    return (int(seconds / PERIOD) + 2) * PER_FRAME


def _of_table(table: FingerprintTable) -> dict[str, Prints]:
    """What is cached with an index; damaged entries are left out, and made again."""
    try:
        found = table.read(maker())
    except IndexFileError as error:
        warnings.warn(f"{error}; the fingerprints are made again", stacklevel=4)
        return {}
    good = {content: prints for content, prints in found.items() if are_fingerprints(prints)}
    if len(good) < len(found):
        damaged = len(found) - len(good)
        warnings.warn(
            f"the index {table.uri} holds {plural(damaged, 'damaged fingerprint')}, made again now",
            stacklevel=4,
        )
    return good


def _entry(prints: Prints) -> Arrays:
    return {
        "prints": prints.windows,
        "landmarks": prints.landmarks,
        "moments": prints.moments,
        "moments_at": prints.moments_at,
        "seconds": np.array(prints.seconds),
    }


def _prints(entry: Arrays) -> Prints:
    return Prints(
        entry["prints"],
        entry["landmarks"],
        entry["moments"],
        entry["moments_at"],
        float(entry["seconds"]),
    )


def fingerprints_of(path: Path) -> Prints:
    """Fingerprints of a recording, whatever is cached; InputError if it cannot be used."""
    with sufficing_for(str(path)):
        waveform, rate = audio.read(path)
        signal = Signal(waveform, rate)
        if not signal.features.any():
            raise InputError(f"{path} is silent or too short to compare with")
        windows = fingerprint.fingerprints(signal.features).to(torch.float16).numpy()
        marks = moment_index.sparse(signal.once(moments.of_signal))
        return Prints(windows, sparse(signal.mono), *marks, waveform.shape[-1] / rate)


@lru_cache(maxsize=1)
def maker() -> str:
    """What fingerprints depend on: how they are computed, and the numbers that were learnt for it."""
    learnt = (fingerprint.COMPONENTS, moment_network.WEIGHTS)
    return " ".join([str(fingerprint.VERSION), *map(sha256, learnt)])
