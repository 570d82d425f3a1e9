"""WebDataset shards: tar files whose members, where they share a name, are one sample."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, cast

from unheard.common.afar import open_afar
from unheard.common.regular_files import open_regular
from unheard.common.shards import SEPARATOR, SHARD_ERRORS, Member, check_size, members, sample_and_ending
from unheard.common.sound_endings import ending_of, is_sound
from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.sidecars import LARGEST_SIDECAR, described_by

SHARDS = (".tar", ".tar.gz", ".tgz")
DESCRIPTIONS = ("json", "txt")
BLOCK = 1 << 20


class Shard:
    """A tar file in WebDataset's layout: members that share a name up to its first dot are one sample.

    Where a sound's name has several dots, a caption that shares it up to the last one goes before.

    Attributes:
        name: without its ending; the first part of its recordings' ids.
    """

    root = ""  # its recordings lie in no folder

    def __init__(self, path: str) -> None:
        self._path, self.name = path, _without_ending(PurePosixPath(path).name)

    def count(self) -> None:
        return None

    def recordings(self) -> Iterator[Recording | Reject]:
        sample = _Sample("")
        try:
            with _opened(self._path) as file, tarfile.open(fileobj=file, mode="r|*", tarinfo=Member) as shard:
                for name, member in members(shard):
                    key, _ = sample_and_ending(name)
                    if key != sample.key:
                        yield from self._recordings(sample)
                        sample = _Sample(key)
                    sample.take(name, member, shard)
        except SHARD_ERRORS as error:
            yield from self._recordings(sample)
            said = str(error) or type(error).__name__
            yield Reject(self._path, f"the shard cannot be read to its end: {said}")
            return
        yield from self._recordings(sample)

    def _recordings(self, sample: _Sample) -> Iterator[Recording | Reject]:
        for name, reason in sample.left_out:
            yield Reject(self._source(name), reason)
        if not sample.sounds:
            if sample.described:
                reason = "it is a caption without a sound; the members of a sample have to follow each other"
                yield Reject(self._source(sample.key), reason)
            for name in sample.others:
                yield Reject(self._source(name), "its ending is none of a sound that is known")
        for name, content in sample.sounds.items():
            yield described_by(
                Recording(f"{self.name}/{sample.name_of(name)}", self._source(name), content),
                *(sample.description(name, ending) for ending in DESCRIPTIONS),
            )

    def _source(self, name: str) -> str:
        return f"{self._path}{SEPARATOR}{name}"


@dataclass
class _Sample:
    """Members that follow each other and share a name up to its first dot.

    Attributes:
        key: what they share.
        sounds: content by name.
        described: captions and other descriptions, by name with the ending in lower case.
        others: names of members that are neither.
        left_out: names of members that cannot be taken, with the reason.
        held: bytes of the contents.
    """

    key: str
    sounds: dict[str, bytes] = field(default_factory=dict)
    described: dict[str, bytes] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    held: int = 0

    def take(self, name: str, member: tarfile.TarInfo, shard: tarfile.TarFile) -> None:
        """Read a member, as far as it is a sound or a description."""
        lowered = f"{_stem(name)}.{ending_of(name)}"
        if name in self.sounds or lowered in self.described or name in self.others:
            self.left_out.append((name, "another member of this name came before it: that one is taken"))
        elif not member.isfile():
            self.left_out.append((name, "it is a link or a device, and no file of the shard"))
        elif is_sound(name):
            self._hold(self.sounds, name, member, shard, member.size)
        elif ending_of(name) in DESCRIPTIONS:
            self._hold(self.described, lowered, member, shard, min(member.size, LARGEST_SIDECAR + 1))
        else:
            self.others.append(name)

    def _hold(
        self,
        contents: dict[str, bytes],
        name: str,
        member: tarfile.TarInfo,
        shard: tarfile.TarFile,
        size: int,
    ) -> None:
        """Read the first bytes of a member, unless the sample then has more than memory should hold."""
        try:
            check_size(size, self.held)
        except InputError as error:
            self.left_out.append((name, str(error)))
        else:
            contents[name] = _read(cast(IO[bytes], shard.extractfile(member)), size)
            self.held += size

    def name_of(self, sound: str) -> str:
        """What a sound is called in its shard: as its sample where that is plain, else by its whole name."""
        described = any(f"{self.key}.{ending}" in self.described for ending in DESCRIPTIONS)
        plain = _stem(sound) == self.key or described
        return self.key if plain and len(self.sounds) == 1 else sound

    def description(self, sound: str, ending: str) -> bytes | None:
        """What is said of a sound under its own name, or under that of the sample."""
        own = self.described.get(f"{_stem(sound)}.{ending}")
        return self.described.get(f"{self.key}.{ending}") if own is None else own


def _read(file: IO[bytes], size: int) -> bytes:
    """The first bytes of a file, block by block: of one large read `tarfile` holds three copies."""
    content = io.BytesIO()
    while block := file.read(min(BLOCK, size - content.tell())):
        content.write(block)
    return content.getvalue()


def _stem(name: str) -> str:
    """A name up to its last dot."""
    return name.rpartition(".")[0] if "." in PurePosixPath(name).name else name


def _opened(path: str) -> IO[bytes]:
    """A file here, or at a URI."""
    if "://" not in path:
        return open_regular(path)
    return open_afar(path)


def _without_ending(name: str) -> str:
    return next((name.removesuffix(ending) for ending in SHARDS if name.endswith(ending)), name)
