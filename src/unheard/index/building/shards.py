"""WebDataset shards: tar files whose members, where they share a name, are one sample."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, cast

from unheard.common.afar import open_afar
from unheard.common.shards import SEPARATOR, sample_and_ending
from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject, is_sound
from unheard.index.building.sidecars import described_by

SHARDS = (".tar", ".tar.gz", ".tgz")


class Shard:
    """A tar file in WebDataset's layout: members that share a name up to its first dot are one sample.

    Attributes:
        name: without its ending; the first part of its recordings' ids.
    """

    root = ""  # its recordings lie in no folder

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
        sounds = [ending for ending in members if is_sound(f".{ending}")]
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
                yield described_by(recording, members.get("json"), members.get("txt"))
            except InputError as error:
                yield Reject(source, str(error))


def _opened(path: str) -> IO[bytes]:
    """A file here, or at a URI."""
    if "://" not in path:
        return open(path, "rb")
    return open_afar(path)


def _without_ending(name: str) -> str:
    return next((name.removesuffix(ending) for ending in SHARDS if name.endswith(ending)), name)
