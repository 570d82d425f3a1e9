"""Adding one's own sounds to a training set, a file or a store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import torch

from unheard import audio
from unheard.common.files import sha256
from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.sources import Sources
from unheard.index.searching.json_index import JSONIndex

if TYPE_CHECKING:
    from unheard.embedders import Embedder
    from unheard.index.store.table import Store


@dataclass(frozen=True)
class AddedSounds:
    """What came of adding sounds.

    Attributes:
        index: the index with them.
        ids: their ids, in the order of the files.
        unreadable: what was left out, with the reason (a sentence that names the file).
    """

    index: JSONIndex
    ids: list[str]
    unreadable: dict[Path, str]


def add_sounds(
    path: str | Path, files: Iterable[str | Path], caption: str, embedder: Embedder
) -> AddedSounds:
    """Embed sound files and add them to a training-set file, which is created if it is not there.

    Ids are the files' names, made unique; each sound starts at 0 seconds and is as long as it is. Files that
    cannot be read are left out and listed. The index is written once, at the end; what other processes have
    added until then stays in it.

    Args:
        path: index to add to, in a folder that exists.
        files: sound files of any format and sample rate.
        caption: of all these sounds; may be empty, but then caption deduplication has nothing to work with.
        embedder: must be the one that made the index.

    Raises:
        InputError: no file is given or none can be read, or the index cannot be written.
        IndexFileError: the index is malformed, or was made by another embedder.
    """
    path = Path(path)
    sounds = [Path(file) for file in files]
    if not sounds:
        raise InputError("no sounds to add; name one sound file or more")
    if not os.path.isdir(path.parent):
        raise InputError(f"cannot write {path}: the folder {path.parent} does not exist; create it")
    if os.path.exists(path):
        JSONIndex.open(path).check_embedder(embedder)

    read: list[Path] = []
    unreadable: dict[Path, str] = {}
    embeddings, durations = [], []
    for file in sounds:
        try:
            waveform, sample_rate = audio.read(file)
            with torch.no_grad():
                embeddings.append(embedder.embed_audio(waveform[None], sample_rate).cpu())
        except InputError as error:
            unreadable[file] = str(error)
            continue
        durations.append(waveform.shape[-1] / sample_rate)
        read.append(file)
    if not read:
        raise InputError(f"no sound could be read: {next(iter(unreadable.values()))}")

    count = len(read)
    with JSONIndex.changing(path, create=True) as index:
        if len(index):
            index.check_embedder(embedder)
        ids: list[str] = []
        for file in read:
            ids.append(_unique(file, {*index.ids, *ids}))  # each counts for the next
        index.add(
            ids,
            torch.cat(embeddings),
            [caption] * count,
            [0.0] * count,
            durations,
            embedder_name=embedder.name,
        )
    return AddedSounds(index, ids, unreadable)


def _unique(file: Path, taken: Collection[str]) -> str:
    """The file's name, with a number before its ending if it is taken: kick.wav, kick-2.wav ..."""
    name, number = file.name, 1
    while name in taken:
        number += 1
        name = f"{file.stem}-{number}{file.suffix}"
    return name


class NewSounds:
    """Sounds to add to a store under ids that are free, as `unheard.index.building.builder` takes them.

    A sound of which the store holds the same bytes under its name keeps that id, and so is not added again.

    Args:
        sounds: files, folders or patterns.
        caption: of all of them, instead of what lies beside them; None for what does.
        store: where they will go, or None for a new one.
    """

    unused_captions = 0

    def __init__(
        self, sounds: str | Path | Iterable[str | Path], caption: str | None, store: Store | None
    ) -> None:
        self._sources = Sources(sounds)
        self._caption, self._store = caption, store

    def __iter__(self) -> Iterator[Recording | Reject]:
        given: set[str] = set()
        for found in self._sources:
            if isinstance(found, Recording):
                identifier = self._free_id(found, given)
                given.add(identifier)
                found = replace(found, id=identifier)
                if self._caption is not None:
                    found = replace(found, prompt=self._caption)
            yield found

    def count(self) -> int | None:
        return self._sources.count()

    def _free_id(self, recording: Recording, given: Collection[str]) -> str:
        name = PurePosixPath(recording.id)
        identifier, number = recording.id, 1
        while identifier in given or self._is_another(identifier, recording):
            number += 1
            identifier = name.with_name(f"{name.stem}-{number}{name.suffix}").as_posix()
        return identifier

    def _is_another(self, identifier: str, recording: Recording) -> bool:
        """Whether the store holds another sound under this id."""
        if self._store is None or not (held := self._store.where([identifier], ["content_sha256"])):
            return False
        if recording.content is not None:
            digest = hashlib.sha256(recording.content).hexdigest()
        else:
            try:
                digest = sha256(recording.source)
            except (InputError, OSError):
                return False  # cannot be read, which is said in its turn
        return bool(held["content_sha256"][0].as_py() != digest)
