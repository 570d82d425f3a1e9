"""Which sounds an audit compares with: those named, those of the index, or those that a model brings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from unheard.auditing.catalogue import Catalogue, by_id
from unheard.auditing.fingerprint_cache import FingerprintCache, fingerprint_files
from unheard.common.progress import Report
from unheard.errors import InputError
from unheard.index import Index
from unheard.index.store.fingerprints import FingerprintTable

References = Catalogue | str | Path | Iterable[str | Path]
"""A catalogue, a folder (searched at any depth), a sound file, or several of these."""


def locate_catalogue(
    references: References | None,
    index: Index | None,
    own: Path | None,
    *,
    progress: Report | None = None,
) -> Catalogue:
    """The catalogue to audit against; fingerprints are cached with an index on disk, else for the user.

    Args:
        references: what is named; it comes first.
        index: a training set, whose recordings are used where it says where they lie.
        own: the list of recordings that the model brings (`Defaults.references`), for its own training set.
        progress: called with how many references are done, and how many there are.

    Raises:
        InputError: none of the three leads to a sound.
    """
    if isinstance(references, Catalogue):
        return references
    if references is not None:
        return Catalogue.from_files(references, cache=_cache(index, None), progress=progress)
    if index is not None and (paths := _recordings(index)):
        captions = dict(zip(index.ids, index.prompts, strict=True))
        name = None if index.path is None else PurePosixPath(index.path).name
        cache = _cache(index, paths)
        found = Catalogue.from_files(paths, captions=captions, name=name, cache=cache, progress=progress)
        found.left_out |= _elsewhere(index, paths)
        return found
    if own is not None:
        return Catalogue.of_model(own.parent, cache=_cache(None, None), progress=progress)
    if index is None:
        raise InputError(
            "there is nothing to compare with: name the recordings (--references FOLDER, references=...)"
        )
    raise InputError(
        f"{index.path or 'the index'} does not say where its sounds lie: "
        "name them (--references FOLDER, references=...; its file names are the ids)"
    )


def locate_recordings(references: References | None, index: Index) -> dict[str, Path]:
    """Where the recordings of an index's items lie, by id; empty if none are there."""
    if isinstance(references, Catalogue):
        paths = dict(zip(references.ids, references.paths, strict=True))
    elif references is not None:
        paths = by_id(references)
    else:
        paths = _recordings(index)
    return _of_items(index, paths)


def memorised_recordings(index: Index, own: Path | None) -> dict[str, Path]:
    """Where those lie that a model has memorised, by id of the index's items.

    Args:
        index: of the model's training set.
        own: the list that the model brings of them; None where it brings none.
    """
    return {} if own is None else _of_items(index, by_id(own.parent / "memorised"))


def _of_items(index: Index, paths: Mapping[str, Path]) -> dict[str, Path]:
    return {item: paths[name] for item, name in recordings_of(index.ids, paths).items()}


def recordings_of(items: Iterable[str], references: Iterable[str]) -> dict[str, str]:
    """The reference that is each item's recording, as far as there is one.

    It has the item's id, or, where none has, is a file of that name: `drums/kick.wav` is that of `kick`.
    """
    ids = dict.fromkeys(references)
    named = {_one_form(Path(name).stem): name for name in ids} | {_one_form(name): name for name in ids}
    found = {item: named.get(_one_form(item)) for item in items}
    return {item: name for item, name in found.items() if name is not None}


def _one_form(name: str) -> str:
    """Letters and accents in one form, whichever a file system has them in."""
    return unicodedata.normalize("NFC", name)


def _recordings(index: Index) -> dict[str, Path]:
    """The recordings of an index, by id, as far as it says where they lie and they are there."""
    if index.store is None:
        return {}
    of_items = dict(zip(index.ids, index.sources, strict=True))
    located = ((item, index.store.locate(source)) for item, source in of_items.items() if source)
    return {item: Path(path) for item, path in located if path is not None}


def _elsewhere(index: Index, paths: Mapping[str, Path]) -> dict[str, str]:
    """Items whose recordings are not available, with the reason."""
    return {
        item: f"{source or item} is not available: "
        "only files and uncompressed shards on this machine are read"
        for item, source in zip(index.ids, index.sources, strict=True)
        if item not in paths
    }


def _cache(index: Index | None, paths: Mapping[str, Path] | None) -> FingerprintCache:
    """Fingerprints in the user's cache, and those of an index on disk.

    Args:
        index: a training set, if there is one.
        paths: its recordings, where these are fingerprinted: then new fingerprints are written to the index.
            Recordings that the user names may be the index's in another folder: then its fingerprints serve.
    """
    files = fingerprint_files()
    if index is None or index.store is None:
        return FingerprintCache(files)
    table = FingerprintTable(index.store.uri)
    if paths is None:
        return FingerprintCache(files, table=table)
    contents = {paths[item]: content for item, content in index.store.contents().items() if item in paths}
    return FingerprintCache(files, table=table, contents=contents)
