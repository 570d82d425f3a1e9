"""Which sounds an audit compares with: those named, those of the index, or those that a model brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from unheard.auditing.catalogue import Catalogue, by_id
from unheard.auditing.fingerprint_cache import FileOfPrints, Kept, Place
from unheard.common.files import cache_folder
from unheard.common.progress import Report
from unheard.common.shards import is_available
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
    fingerprints: Path | None = None,
    progress: Report | None = None,
) -> Catalogue:
    """The catalogue to audit against.

    Args:
        references: what is named; it comes first.
        index: a training set, whose sounds are used where it says where they lie.
        own: the list of recordings that the model brings (`Defaults.references`), for its own training set.
        fingerprints: the folder where fingerprints are kept of what is in no index on disk; those of an index
            are kept with it, and in this folder if nothing can be written there.
        progress: called with how many references are done, and how many there are.

    Raises:
        InputError: none of the three leads to a sound.
    """
    if isinstance(references, Catalogue):
        return references
    if references is not None:
        return Catalogue.from_files(references, kept=_kept(index, None, fingerprints), progress=progress)
    if index is not None and (places := _places(index)):
        captions = dict(zip(index.ids, index.prompts, strict=True))
        name = None if index.path is None else PurePosixPath(index.path).name
        kept = _kept(index, places, fingerprints)
        found = Catalogue.from_files(places, captions=captions, name=name, kept=kept, progress=progress)
        found.left_out |= _elsewhere(index, places)
        return found
    if own is not None:
        return Catalogue.of_model(own.parent, kept=fingerprints, progress=progress)
    if index is None:
        raise InputError("there is nothing to compare with: name the recordings (--references FOLDER)")
    raise InputError(
        f"{index.path or 'the index'} does not say where its sounds lie: "
        "name them (--references FOLDER, in which their ids are the file names)"
    )


def locate_recordings(references: References | None, index: Index, own: Path | None) -> dict[str, Path]:
    """Where the recordings of an index's items lie, by id; empty if none are there."""
    if isinstance(references, Catalogue):
        places = dict(zip(references.ids, references.paths, strict=True))
    elif references is not None:
        places = by_id(references)
    elif not (places := _places(index)) and own is not None:
        places = by_id(own.parent / "memorised")
    return {item: places[name] for item, name in recordings_of(index.ids, places).items()}


def recordings_of(items: Iterable[str], references: Iterable[str]) -> dict[str, str]:
    """The reference that is each item's recording, as far as there is one.

    It has the item's id, or, where none has, is a file of that name: `drums/kick.wav` is that of `kick`.
    """
    ids = dict.fromkeys(references)
    named = {Path(name).stem: name for name in ids} | {name: name for name in ids}
    return {item: named[item] for item in items if item in named}


def _places(index: Index) -> dict[str, Path]:
    """Where the sounds of an index lie, by id, of those that are there."""
    places = dict(zip(index.ids, index.sources, strict=True))
    return {item: Path(place) for item, place in places.items() if place and is_available(place)}


def _elsewhere(index: Index, places: Mapping[str, Path]) -> dict[str, str]:
    """Items whose sounds are not available, with the reason."""
    return {
        item: f"{place or item} is not available: only files and uncompressed shards on this machine are read"
        for item, place in zip(index.ids, index.sources, strict=True)
        if item not in places
    }


def _kept(index: Index | None, places: Mapping[str, Path] | None, folder: Path | None) -> Kept:
    """Fingerprints with the index, if it is on disk and these are its places, else in a folder, if any.

    Sounds named by the user may be the index's in another place: what is kept with it is of use then too.
    """
    in_folder: list[Place] = [] if folder is None else [FileOfPrints(folder)]
    if index is None or index.store is None:
        return Kept(in_folder)
    table = FingerprintTable(index.store.uri)
    if places is None:
        return Kept(in_folder, others=[table])
    contents = {places[item]: content for item, content in index.store.contents().items() if item in places}
    return Kept([table, *in_folder], contents=contents)


def fingerprints_folder() -> Path:
    """Where fingerprints are kept by default: the user's cache (XDG Base Directory Specification)."""
    return cache_folder("fingerprints")
