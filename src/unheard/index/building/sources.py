"""Where recordings come from: folders, single files and globs, manifests, WebDataset shards.

All are read as streams: a corpus of any size is walked with the memory of one entry.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

from unheard.common.afar import check_uri
from unheard.common.files import files_in
from unheard.errors import InputError
from unheard.index.building.manifests import MANIFESTS, CaptionTable, Manifest
from unheard.index.building.recording import OTHER_SOUNDS, SOUNDS, Recording, Reject, ending_of, is_sound
from unheard.index.building.shards import SHARDS, Shard
from unheard.index.building.sidecars import with_sidecars
from unheard.index.store.uri import as_text


class Source(Protocol):
    """One folder, manifest, shard or list of files."""

    root: str
    """What paths in captions may be relative to."""

    def recordings(self) -> Iterator[Recording | Reject]:
        """What it holds, in an order that is the same in every run."""
        ...

    def count(self) -> int | None:
        """How many recordings that is, or None where only reading all of it would tell."""
        ...


class Sources:
    """What to build from, in the order given.

    Each source is a folder (all sounds in it at any depth, captions from a `.txt` or `.json` beside a sound),
    a manifest (CSV, JSON Lines or Parquet with a column `path`), WebDataset shards (`.tar`), a sound, or a
    pattern of any of these with `{000..127}`, `*`, `?` or `**`.

    Args:
        sources: paths and patterns; shards may be URIs that fsspec opens.
        captions: a manifest whose rows, by their `path`, tell more of the sounds of folders and patterns.

    Raises:
        InputError: a source that does not exist or is none of these.
    """

    def __init__(
        self, sources: str | Path | Iterable[str | Path], captions: str | Path | None = None
    ) -> None:
        given = [sources] if isinstance(sources, str | Path) else list(sources)
        if not given:
            raise InputError("nothing to build from; name a folder, a manifest, shards or sounds")
        self.sources: list[Source] = [source for name in given for source in _expand(as_text(name))]
        self._captions = None if captions is None else CaptionTable(Path(captions))
        self.unused_captions = 0

    def __iter__(self) -> Iterator[Recording | Reject]:
        for source in self.sources:
            yield from self.recordings(source)
        if self._captions is not None:
            self.unused_captions = self._captions.unused

    def parts(self) -> list[Sources]:
        """The same in parts that may be read side by side: no id can come up in two of them.

        That is so for shards of different names; anything else stays in one part.
        """
        if self._captions is not None or not all(isinstance(source, Shard) for source in self.sources):
            return [self]
        by_name: dict[str, list[Source]] = {}
        for source in self.sources:
            by_name.setdefault(cast(Shard, source).name, []).append(source)
        parts = [copy(self) for _ in by_name]
        for part, sources in zip(parts, by_name.values(), strict=True):
            part.sources = sources
        return parts

    def recordings(self, source: Source) -> Iterator[Recording | Reject]:
        """What one of the `sources` holds, with what the captions say of it."""
        for found in source.recordings():
            if isinstance(found, Recording) and self._captions is not None:
                yield self._captions.describe(found, source.root)
            else:
                yield found

    def count(self) -> int | None:
        """How many recordings there are, or None where only reading all shards would tell."""
        counts = [source.count() for source in self.sources]
        return None if None in counts else sum(cast(list[int], counts))


class Folder:
    """All sounds in a folder, at any depth, and in folders that are links."""

    def __init__(self, folder: str) -> None:
        self.root = folder

    def recordings(self) -> Iterator[Recording | Reject]:
        broken: list[str] = []
        for path in files_in(self.root, broken=broken.append):
            if is_sound(path):
                yield with_sidecars(path, _relative(path, self.root))
        for path in broken:
            yield Reject(path, "No such file or directory: it is a link that leads nowhere")

    def count(self) -> int:
        broken: list[str] = []
        sounds = sum(is_sound(path) for path in files_in(self.root, broken=broken.append))
        return sounds + len(broken)


class Files:
    """Sounds named alone or by a pattern; ids are relative to the folder before its first wildcard."""

    def __init__(self, root: str, paths: Sequence[str]) -> None:
        self.root, self._paths = root, paths

    def recordings(self) -> Iterator[Recording | Reject]:
        for path in self._paths:
            yield with_sidecars(path, _relative(path, self.root))

    def count(self) -> int:
        return len(self._paths)


def _relative(path: str, root: str) -> str:
    return PurePosixPath(Path(os.path.relpath(path, root or "."))).as_posix()


def _expand(pattern: str) -> list[Source]:
    """The sources that a path or pattern names."""
    if os.path.exists(pattern) or "://" in pattern:
        names, root = [pattern], str(Path(pattern).parent)
    else:
        names, root = _matches(pattern)
    if not names:
        raise InputError(f"{pattern} matches nothing; check the spelling")
    if len(names) == 1 and Path(names[0]).is_dir():
        return [Folder(names[0])]
    sources: list[Source] = []
    sounds = []
    for name in names:
        ending = ending_of(name)
        if name.endswith(SHARDS):
            if "://" in name:
                check_uri(name)
            sources.append(Shard(name))
        elif ending in MANIFESTS:
            sources.append(Manifest(name))
        elif ending in ("json", "txt") and _is_sidecar(name):
            continue  # read with its sound
        elif ending == "json":
            raise InputError(f"{name}: a JSON file of embeddings is read by `unheard index import`")
        elif Path(name).is_dir():
            sources.append(Folder(name))
        elif "://" in name:
            raise InputError(f"{name}: only shards (.tar) are read from afar")
        else:
            sounds.append(name)
    return sources + ([Files(root, sounds)] if sounds else [])


def _matches(pattern: str) -> tuple[list[str], str]:
    """Paths that match a pattern with braces and wildcards, and the folder before its first wildcard."""
    from braceexpand import braceexpand

    try:
        written = list(braceexpand(pattern))
    except ValueError as error:
        raise InputError(f"the braces of {pattern} are not balanced") from error
    paths: list[str] = []
    for name in written:
        if glob.has_magic(name):
            paths += [path for path in sorted(glob.glob(name, recursive=True)) if _is_source(path)]
        elif os.path.exists(name) or "://" in name:
            paths.append(name)
        else:
            named = name if name == pattern else f"{name}, which {pattern} names,"
            raise InputError(f"{named} does not exist; check the spelling")
    fixed = pattern[: min((pattern.index(mark) for mark in "*?[{" if mark in pattern), default=0)]
    return paths, os.path.dirname(fixed)


def _is_source(path: str) -> bool:
    """Whether a pattern means this path, too: by its ending."""
    return is_sound(path) or ending_of(path) in MANIFESTS or path.endswith(SHARDS) or Path(path).is_dir()


def _is_sidecar(path: str) -> bool:
    stem, endings = path.rpartition(".")[0], SOUNDS | OTHER_SOUNDS
    return any(Path(f"{stem}.{written}").exists() for one in endings for written in (one, one.upper()))
