"""Where recordings come from: folders, single files and globs, manifests, WebDataset shards.

All are read as streams: a corpus of any size is walked with the memory of one entry.
"""

from __future__ import annotations

import csv
import glob
import json
import math
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from unheard.common.shards import SEPARATOR, sample_and_ending
from unheard.errors import InputError

SOUNDS = frozenset("wav wave flac ogg oga opus mp3 aif aiff aifc au snd caf w64 rf64".split())  # noqa: SIM905
"""Endings of what libsndfile reads."""
OTHER_SOUNDS = frozenset("m4a aac wma mp4 mka webm".split())  # noqa: SIM905
"""Endings of sounds that it does not read: these are rejected by name instead of being passed over."""
MANIFESTS = frozenset({"csv", "jsonl", "ndjson", "parquet"})
SHARDS = (".tar", ".tar.gz", ".tgz")

PATH_COLUMNS = ("path", "file", "file_name", "filename")
PROMPT_COLUMNS = ("prompt", "caption", "text")
LARGEST_SIDECAR = 1 << 20


@dataclass(frozen=True)
class Recording:
    """A sound as its source names it, not yet read.

    Attributes:
        id: its name in the index, the same in every run.
        source: where it is: a path, or `shard.tar::member`.
        content: the bytes of a shard's member; None for a file, which lies at `source`.
        prompt: caption, or None.
        seconds_start, seconds_total: timing the model was trained with; None for 0 and the sound's length.
        further: whatever else the source says of it, such as licence and URL.
    """

    id: str
    source: str
    content: bytes | None = field(default=None, repr=False)
    prompt: str | None = None
    seconds_start: float | None = None
    seconds_total: float | None = None
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reject:
    """What is left out, and why (a sentence without the name); its id, where it has come to have one."""

    source: str
    reason: str
    id: str | None = None


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
        self.places: list[Place] = [place for source in given for place in _expand(str(source))]
        self._captions = None if captions is None else _Captions(Path(captions))
        self.unused_captions = 0

    def __iter__(self) -> Iterator[Recording | Reject]:
        for place in self.places:
            yield from self.recordings(place)
        if self._captions is not None:
            self.unused_captions = self._captions.unused

    def parts(self) -> list[Sources]:
        """The same in parts that may be read side by side: no id can come up in two of them.

        That is so for shards of different names; anything else stays in one part.
        """
        if self._captions is not None or not all(isinstance(place, _Shard) for place in self.places):
            return [self]
        by_name: dict[str, list[Place]] = {}
        for place in self.places:
            by_name.setdefault(cast(_Shard, place).name, []).append(place)
        parts = [copy(self) for _ in by_name]
        for part, places in zip(parts, by_name.values(), strict=True):
            part.places = places
        return parts

    def recordings(self, place: Place) -> Iterator[Recording | Reject]:
        """What one of the `places` holds, with what the captions say of it."""
        for found in place.recordings():
            if isinstance(found, Recording) and self._captions is not None:
                yield self._captions.describe(found, place.root)
            else:
                yield found

    def count(self) -> int | None:
        """How many recordings there are, or None where only reading all shards would tell."""
        counts = [place.count() for place in self.places]
        return None if None in counts else sum(cast(list[int], counts))


class Place:
    """One folder, manifest, shard or list of files."""

    root: str = ""
    """What paths in captions may be relative to."""

    def recordings(self) -> Iterator[Recording | Reject]:
        raise NotImplementedError

    def count(self) -> int | None:
        raise NotImplementedError


class _Folder(Place):
    def __init__(self, folder: str) -> None:
        self.root = folder

    def _walk(self) -> Iterator[str]:
        def refuse(error: OSError) -> None:
            raise InputError(f"cannot read the folder {error.filename}: {error.strerror}") from error

        for folder, folders, files in os.walk(self.root, onerror=refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if _ending(name) in SOUNDS | OTHER_SOUNDS and not name.startswith("."):
                    yield os.path.join(folder, name)

    def recordings(self) -> Iterator[Recording | Reject]:
        for path in self._walk():
            yield _with_sidecars(path, PurePosixPath(Path(os.path.relpath(path, self.root))).as_posix())

    def count(self) -> int:
        return sum(1 for _ in self._walk())


class _Files(Place):
    """Sounds named alone or by a pattern; ids are relative to the folder before its first wildcard."""

    def __init__(self, root: str, paths: Sequence[str]) -> None:
        self.root, self._paths = root, paths

    def recordings(self) -> Iterator[Recording | Reject]:
        for path in self._paths:
            yield _with_sidecars(
                path, PurePosixPath(Path(os.path.relpath(path, self.root or "."))).as_posix()
            )

    def count(self) -> int:
        return len(self._paths)


class _Manifest(Place):
    def __init__(self, path: str) -> None:
        self._path, self.root = path, str(Path(path).parent)

    def recordings(self) -> Iterator[Recording | Reject]:
        for number, row in manifest_rows(Path(self._path)):
            place = f"{self._path}, row {number}"
            try:
                described = describe(row)
            except InputError as error:
                yield Reject(place, str(error))
                continue
            if not described.source:
                yield Reject(place, f"it has no path; name the column one of {', '.join(PATH_COLUMNS)}")
                continue
            path = os.path.join(self.root, described.source)
            yield replace(
                described, id=described.id or PurePosixPath(described.source).as_posix(), source=path
            )

    def count(self) -> int:
        return sum(1 for _ in manifest_rows(Path(self._path)))


class _Shard(Place):
    """A tar file in WebDataset's layout: members that share a name up to its first dot are one sample."""

    def __init__(self, path: str) -> None:
        self._path, self.name = path, _without_ending(PurePosixPath(path).name)

    def count(self) -> None:
        return None

    def recordings(self) -> Iterator[Recording | Reject]:
        key, members = "", dict[str, bytes]()
        try:
            with _opened(self._path) as file, tarfile.open(fileobj=file, mode="r|*") as shard:
                for member in shard:
                    name = PurePosixPath(member.name)
                    if not member.isfile() or name.name.startswith("."):
                        continue
                    sample, ending = sample_and_ending(member.name)
                    if sample != key:
                        yield from self._sample(key, members)
                        key, members = sample, {}
                    members[ending] = cast(IO[bytes], shard.extractfile(member)).read()
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            yield from self._sample(key, members)
            yield Reject(self._path, f"the shard cannot be read to its end: {error}")
            return
        yield from self._sample(key, members)

    def _sample(self, key: str, members: Mapping[str, bytes]) -> Iterator[Recording | Reject]:
        sounds = [ending for ending in members if _ending(f".{ending}") in SOUNDS | OTHER_SOUNDS]
        if not sounds and members.keys() & {"txt", "json"}:
            yield Reject(
                f"{self._path}{SEPARATOR}{key}",
                "it is a caption without a sound; the members of a sample have to follow each other",
            )
        for ending in sounds:
            source = f"{self._path}{SEPARATOR}{key}.{ending}"
            identifier = f"{self.name}/{key}" + ("" if len(sounds) == 1 else f".{ending}")
            recording = Recording(identifier, source, members[ending])
            try:
                yield _sidecars(recording, members.get("json"), members.get("txt"))
            except InputError as error:
                yield Reject(source, str(error))


class _Captions:
    """A manifest by path, in a temporary database: it may be larger than memory."""

    def __init__(self, path: Path) -> None:
        from unheard.index.building.ledger import Notes

        if _ending(path.name) not in MANIFESTS:
            raise InputError(f"captions come from CSV, JSON Lines or Parquet, not {path}")
        self._path, self._folder, self._notes = path, str(path.parent), Notes()
        for number, row in manifest_rows(path):
            try:
                described = describe(row)
            except InputError as error:
                raise InputError(f"{path}, row {number}: {error}") from error
            if not (named := described.source or described.id):
                raise InputError(
                    f"{path}, row {number} names no sound; name the column one of {', '.join(PATH_COLUMNS)}"
                )
            self._notes.write(named.removeprefix("./"), json.dumps(dict(row), default=str))

    def __reduce__(self) -> tuple[type[_Captions], tuple[Path]]:
        return _Captions, (self._path,)  # another process reads them anew

    def describe(self, recording: Recording, root: str) -> Recording:
        """The recording with what the captions say of it, under its path in the source or in the manifest."""
        beside = os.path.relpath(recording.source, self._folder) if recording.content is None else ""
        for name in (recording.id, PurePosixPath(Path(beside)).as_posix(), recording.source):
            if (row := self._notes.take(name)) is not None:
                said = describe(json.loads(row))
                return replace(
                    recording,
                    id=said.id or recording.id,
                    prompt=recording.prompt if said.prompt is None else said.prompt,
                    seconds_start=recording.seconds_start
                    if said.seconds_start is None
                    else said.seconds_start,
                    seconds_total=recording.seconds_total
                    if said.seconds_total is None
                    else said.seconds_total,
                    further={**recording.further, **said.further},
                )
        return recording

    @property
    def unused(self) -> int:
        return self._notes.untaken


def manifest_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a CSV, JSON Lines or Parquet file, numbered from 1.

    Raises:
        InputError: it cannot be read, or a line is malformed.
    """
    ending = _ending(path.name)
    try:
        if ending == "parquet":
            yield from _parquet_rows(path)
            return
        with open(path, encoding="utf-8-sig", newline="") as file:
            if ending == "csv":
                csv.field_size_limit(LARGEST_SIDECAR)
                for number, row in enumerate(csv.DictReader(file, strict=True), 1):
                    row.pop(None, None)  # cells beyond the header
                    yield number, row
            else:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, _json_object(line)
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: it is not UTF-8") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise InputError(f"cannot read {path}: {error}") from error


def describe(row: Mapping[str, Any]) -> Recording:
    """What a manifest's row or a sidecar says, by the usual names of the columns.

    Returns:
        A recording whose `source` is the path as it stands there, or "", as `id` is.

    Raises:
        InputError: a value that its column cannot hold.
    """
    left = {name.strip(): value for name, value in row.items() if name and value not in (None, "")}
    path = next((left.pop(name) for name in PATH_COLUMNS if name in left), "")
    prompt = next((left.pop(name) for name in PROMPT_COLUMNS if name in left), None)
    for name, text in (("path", path), ("prompt", prompt)):
        if not isinstance(text, str | None):
            raise InputError(f"{name} must be a text, not {text!r}")
    identifier = str(left.pop("id", ""))
    start, total = (_seconds(name, left.pop(name, None)) for name in ("seconds_start", "seconds_total"))
    return Recording(identifier, path, None, prompt, start, total, left)


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a number of seconds, not {value!r}") from error
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"{name} must be a finite number of seconds, 0 or more, not {value!r}")
    return seconds


def _with_sidecars(path: str, identifier: str) -> Recording | Reject:
    """A sound file with what lies beside it under its name."""
    stem = path.removesuffix(os.path.splitext(path)[1])
    try:
        identifier.encode("utf-8")
        beside = [_sidecar(f"{stem}{ending}") for ending in (".json", ".txt")]
        return _sidecars(Recording(identifier, path), *beside)
    except UnicodeEncodeError:
        return Reject(repr(path), "its name is not UTF-8; rename it")
    except InputError as error:
        return Reject(path, str(error))


def _sidecar(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST_SIDECAR)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _sidecars(recording: Recording, as_json: bytes | None, as_text: bytes | None) -> Recording:
    """The recording with its caption and timing: from the JSON and, where that has no caption, the text."""
    try:
        if as_json is not None:
            said = describe(_json_object(as_json.decode("utf-8-sig")))
            further = {**said.further, **({"id": said.id} if said.id else {})}
            recording = replace(
                recording,
                prompt=said.prompt,
                seconds_start=said.seconds_start,
                seconds_total=said.seconds_total,
                further=further,
            )
        if as_text is not None and recording.prompt is None:
            recording = replace(recording, prompt=as_text.decode("utf-8-sig").strip() or None)
    except (UnicodeDecodeError, InputError) as error:
        raise InputError(f"what is beside it cannot be read: {error}") from error
    return recording


def _json_object(text: str) -> dict[str, Any]:
    try:
        made = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON: {error}") from error
    if not isinstance(made, dict):
        raise InputError("it is not a JSON object")
    return made


def _expand(source: str) -> list[Place]:
    """The places that a path or pattern names."""
    if Path(source).exists() or "://" in source:
        names, root = [source], str(Path(source).parent)
    else:
        names, root = _matches(source)
    if not names:
        raise InputError(f"{source} matches nothing; check the spelling")
    if len(names) == 1 and Path(names[0]).is_dir():
        return [_Folder(names[0])]
    places: list[Place] = []
    sounds = []
    for name in names:
        ending = _ending(name)
        if name.endswith(SHARDS):
            places.append(_Shard(name))
        elif ending in MANIFESTS:
            places.append(_Manifest(name))
        elif ending in ("json", "txt") and _is_sidecar(name):
            continue  # read with its sound
        elif ending == "json":
            raise InputError(f"{name}: a JSON file of embeddings is read by `unheard index import`")
        elif Path(name).is_dir():
            places.append(_Folder(name))
        elif "://" in name:
            raise InputError(f"{name}: only shards (.tar) are read from afar")
        else:
            sounds.append(name)
    return places + ([_Files(root, sounds)] if sounds else [])


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
        elif Path(name).exists() or "://" in name:
            paths.append(name)
        else:
            named = name if name == pattern else f"{name}, which {pattern} names,"
            raise InputError(f"{named} does not exist; check the spelling")
    fixed = pattern[: min((pattern.index(mark) for mark in "*?[{" if mark in pattern), default=0)]
    return paths, os.path.dirname(fixed)


def _is_source(path: str) -> bool:
    """Whether a pattern means this path, too: by its ending."""
    known = SOUNDS | OTHER_SOUNDS | MANIFESTS
    return _ending(path) in known or path.endswith(SHARDS) or Path(path).is_dir()


def _is_sidecar(path: str) -> bool:
    stem, endings = path.rpartition(".")[0], SOUNDS | OTHER_SOUNDS
    return any(Path(f"{stem}.{written}").exists() for one in endings for written in (one, one.upper()))


def _opened(path: str) -> IO[bytes]:
    """A file here, or at a URI."""
    if "://" not in path:
        return open(path, "rb")
    import fsspec

    return cast(IO[bytes], fsspec.open(path, "rb").open())


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _without_ending(name: str) -> str:
    return next((name.removesuffix(ending) for ending in SHARDS if name.endswith(ending)), name)
