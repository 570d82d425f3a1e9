"""Where recordings come from: folders, single files and globs, manifests, WebDataset shards.

All are read as streams: a corpus of any size is walked with the memory of one entry.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

from unheard.common.afar import check_uri
from unheard.common.files import files_in
from unheard.common.sound_endings import CONTAINERS, SOUNDS, ending_of, is_sound
from unheard.common.sound_limits import current_limits
from unheard.errors import InputError
from unheard.index.building.manifests import CaptionTable, Manifest
from unheard.index.building.recording import Recording, Reject, Remark
from unheard.index.building.shards import SHARDS, Shard
from unheard.index.building.sidecars import with_sidecars
from unheard.index.building.tables import TABLES
from unheard.index.store.uri import as_text

BRACES = re.compile(
    r"\\.|\{(?P<first>-?\d+|[a-zA-Z])\.\.(?P<last>-?\d+|[a-zA-Z])(?:\.\.-?\d+)?\}|[{},]", re.DOTALL
)
MOST_NAMES = 1 << 17
"""Paths that the braces of a pattern may stand for."""


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

    Attributes:
        limits: of what is read of a sound, those in force when it was made.
        unused_captions: rows of the captions that name no sound, known when all has been come by.

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
        self.limits = current_limits()

    def __iter__(self) -> Iterator[Recording | Reject]:
        for source in self.sources:
            yield from self.recordings(source)
        if self._captions is not None:
            self.unused_captions = self._captions.unused
            yield from self._captions.told()

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
        """What one of the `sources` holds, with what the captions say of it; remarks come before theirs."""
        for found in source.recordings():
            if not isinstance(found, Recording):
                yield found
                continue
            if not (_is_text(found.id) and _is_text(found.source)):
                yield Reject(repr(found.source), "its name is not UTF-8; rename it")
                continue
            if self._captions is not None:
                found = self._captions.describe(found, source.root)
            for remark in found.remarks:
                yield Remark(found.source, remark)
            yield replace(found, remarks=())

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


def _is_text(name: str) -> bool:
    """Whether a name can be written down: those of files may hold bytes that are no UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _relative(path: str, root: str) -> str:
    return PurePosixPath(Path(os.path.relpath(path, root or "."))).as_posix()


def _expand(pattern: str) -> list[Source]:
    """The sources that a path or pattern names."""
    if os.path.exists(pattern):
        names, root = [pattern], str(Path(pattern).parent)
    else:
        names, root = _matches(pattern)
    if not names:
        raise InputError(f"{pattern} matches nothing; check the spelling")
    if len(names) == 1 and os.path.isdir(names[0]):
        return [Folder(names[0])]
    sources: list[Source] = []
    sounds = []
    for name in names:
        ending = ending_of(name)
        if name.endswith(SHARDS):
            if "://" in name:
                check_uri(name)
            sources.append(Shard(name))
        elif ending in TABLES:
            sources.append(Manifest(name))
        elif ending in ("json", "txt") and _is_sidecar(name):
            continue  # read with its sound
        elif ending == "json":
            raise InputError(f"{name}: a JSON file of embeddings is read by `unheard index import`")
        elif os.path.isdir(name):
            sources.append(Folder(name))
        elif "://" in name:
            raise InputError(f"{name}: only shards (.tar) are read from afar")
        else:
            sounds.append(name)
    return sources + ([Files(root, sounds)] if sounds else [])


def _matches(pattern: str) -> tuple[list[str], str]:
    """Paths that match a pattern with braces and wildcards, and the folder before its first wildcard."""
    written = _expanded(pattern)
    paths: list[str] = []
    for name in written:
        if "://" in name or os.path.exists(name):
            paths.append(name)
        elif glob.has_magic(name):
            paths += [path for path in sorted(glob.glob(name, recursive=True)) if _is_source(path)]
        else:
            named = name if name == pattern else f"{name}, which {pattern} names,"
            raise InputError(f"{named} does not exist; check the spelling")
    fixed = pattern[: min((pattern.index(mark) for mark in "*?[{" if mark in pattern), default=0)]
    return paths, os.path.dirname(fixed)


def _expanded(pattern: str) -> list[str]:
    """What the braces of a pattern stand for."""
    from braceexpand import braceexpand

    if _names(pattern) > MOST_NAMES:
        raise InputError(f"{pattern} stands for more than {MOST_NAMES:,} names; give fewer at once")
    try:
        return list(braceexpand(pattern))
    except (ValueError, RecursionError) as error:
        raise InputError(f"the braces of {pattern} cannot be expanded: {error}") from error


def _names(pattern: str) -> int:
    """How many names braces stand for, told without listing them."""
    levels = [(1, 0)]  # names of the alternative under way, and of those before it, by depth
    for found in BRACES.finditer(pattern):
        together, before = levels[-1]
        first, last = found["first"], found["last"]
        if first is not None and last is not None:
            levels[-1] = together * _range(first, last), before
        elif found[0] == "{":
            levels.append((1, 0))
        elif found[0] == "," and len(levels) > 1:
            levels[-1] = 1, before + together
        elif found[0] == "}" and len(levels) > 1:
            levels.pop()
            outer, before_it = levels[-1]
            levels[-1] = outer * (before + together), before_it
    return levels[0][0]


def _range(first: str, last: str) -> int:
    """How many numbers or letters lie between two."""
    if max(len(first), len(last)) > 18:
        return MOST_NAMES + 1
    begin, end = (int(each) if each[-1].isdigit() else ord(each) for each in (first, last))
    return abs(end - begin) + 1


def _is_source(path: str) -> bool:
    """Whether a pattern means this path, too: by its ending."""
    return is_sound(path) or ending_of(path) in TABLES or path.endswith(SHARDS) or os.path.isdir(path)


def _is_sidecar(path: str) -> bool:
    stem, endings = path.rpartition(".")[0], [*SOUNDS, *CONTAINERS]
    return any(os.path.exists(f"{stem}.{written}") for one in endings for written in (one, one.upper()))
