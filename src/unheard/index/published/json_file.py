"""The training-set file in the format of the published code, read and written without loss.

    {id: {"embedding": [numbers],
          "conditioning": {"prompt": text, "seconds_start": seconds, "seconds_total": seconds},
          "embedder": name}}

"embedder" is ours and may be missing; keys that are not listed here are written again as they were read.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from unheard.common.files import replacing
from unheard.common.regular_files import open_regular
from unheard.common.texts import json_bytes
from unheard.errors import IndexFileError, InputError
from unheard.index.published import json_stream
from unheard.index.published.entry_decoder import AmbiguousObject, EntryDecoder
from unheard.index.published.json_stream import kind, quoted

Entry = dict[str, Any]
"""An item as it stands in the file, but with its embedding as a float64 array [dimension]."""


def read(path: str | Path) -> tuple[dict[str, Entry], str]:
    """Read and check a training-set file.

    Returns:
        The entries by id, in the file's order, and the SHA-256 of the file.

    Raises:
        IndexFileError: the file cannot be read, is not JSON, is empty, or an entry is malformed; names it.
    """
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for block in blocks(path):
            digest.update(block)
            yield block

    entries: dict[str, Entry] = {}
    for identifier, entry in stream(hashed(), str(path)):
        if identifier in entries:
            raise twice(identifier, str(path))
        entries[identifier] = entry
    return entries, digest.hexdigest()


def blocks(path: str | Path, size: int = 1 << 20) -> Iterator[bytes]:
    """The file's content in pieces of `size` bytes; IndexFileError if it cannot be read."""
    try:
        with open_regular(path) as file:
            while block := file.read(size):
                yield block
    except (OSError, InputError) as error:
        reason = getattr(error, "strerror", None) or error
        raise IndexFileError(f"cannot read the index {path}: {reason}") from error


def sha256(path: str | Path) -> str:
    """Of the file's content, in hexadecimal; IndexFileError if it cannot be read."""
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()


def stream(content: Iterable[bytes], source: str) -> Iterator[tuple[str, Entry]]:
    """The checked entries of a training-set file, one after the other, in memory that does not grow with it.

    Only that ids are unique is left to the caller, who alone knows which came before.

    Args:
        content: of the file, cut anywhere.
        source: what errors call the file.

    Raises:
        IndexFileError: the content is no JSON object, is empty, or an entry is malformed; names it.
    """
    decoder = EntryDecoder()
    alike = _Alike(source)
    for identifier, entry in json_stream.members(content, source, decoder):
        _check(entry, f"{source}: id {quoted(identifier)}")
        if decoder.ambiguous:  # in a key that is not ours: it could not be written as it was read
            key = quoted(decoder.ambiguous[0].key)
            raise IndexFileError(f"{source}: id {quoted(identifier)}: {key} occurs twice in one object")
        alike.check(identifier, entry)
        yield identifier, entry
    if alike.first is None:
        raise IndexFileError(f"{source} holds no entries: add sounds to it with `unheard index add`")


def twice(identifier: str, source: str) -> IndexFileError:
    """The complaint about an id that comes again."""
    return IndexFileError(f"{source}: the id {quoted(identifier)} occurs twice; ids must be unique")


def lines(entries: Iterable[tuple[str, Entry]]) -> Iterator[bytes]:
    """The file's content, one entry a line; numbers as the shortest text that reads as the same number."""
    opening = b"{\n"
    for identifier, entry in entries:
        written = json.dumps(entry, ensure_ascii=False, default=np.ndarray.tolist)
        text = f"{json.dumps(identifier, ensure_ascii=False)}: {written}"
        yield opening + json_bytes(text)
        opening = b",\n"
    yield b"\n}\n"


def write(path: str | Path, entries: dict[str, Entry]) -> str:
    """Write a training-set file, wholly or not at all.

    Returns:
        The SHA-256 of the file.

    Raises:
        InputError: the file cannot be written, or there are no entries.
    """
    if not entries:
        raise InputError(f"cannot write {path}: the index has no entries yet")
    digest = hashlib.sha256()
    with replacing(path) as file:
        for line in lines(entries.items()):
            file.write(line)
            digest.update(line)
    return digest.hexdigest()


def new_entry(
    identifier: str,
    embedding: np.ndarray,
    prompt: str,
    start: float,
    total: float,
    embedder: str | None,
    source: str,
) -> Entry:
    """A checked entry; IndexFileError, naming `source` and the id, for what no file may hold."""
    entry: Entry = {
        "embedding": embedding.copy(),
        "conditioning": {"prompt": prompt, "seconds_start": start, "seconds_total": total},
    }
    if embedder is not None:
        entry["embedder"] = embedder
    _check(entry, f"{source}: id {quoted(identifier)}")
    return entry


def check_alike(entries: dict[str, Entry], source: str) -> None:
    """Raise IndexFileError unless all embeddings are of one length and, where recorded, of one embedder."""
    alike = _Alike(source)
    for identifier, entry in entries.items():
        alike.check(identifier, entry)


class _Alike:
    """Whether entries are of one length and one embedder, told entry by entry."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.first: str | None = None
        self.dimension = 0
        self.named: str | None = None
        self.embedder = ""

    def check(self, identifier: str, entry: Entry) -> None:
        dimension = len(entry["embedding"])
        if self.first is None:
            self.first, self.dimension = identifier, dimension
        if dimension != self.dimension:
            raise IndexFileError(
                f"{self.source}: id {quoted(identifier)}: embedding has {dimension} numbers, where the first "
                f"entry ({quoted(self.first)}) has {self.dimension}; embed all sounds with the same model"
            )
        if "embedder" not in entry:
            return
        if self.named is None:
            self.named, self.embedder = identifier, entry["embedder"]
        if entry["embedder"] != self.embedder:
            raise IndexFileError(
                f"{self.source}: id {quoted(identifier)} was made by the embedder "
                f"{quoted(entry['embedder'])}, but id {quoted(self.named)} by {quoted(self.embedder)}; keep "
                "one index for each embedder"
            )


def _check(entry: Any, where: str) -> None:
    """Check one entry and turn its embedding into an array; `where` is how errors begin."""
    _check_object(entry, where, "the entry")
    if "embedding" not in entry:
        raise IndexFileError(f'{where}: "embedding" is missing')
    entry["embedding"] = _checked_embedding(entry["embedding"], where)
    if "conditioning" not in entry:
        raise IndexFileError(f'{where}: "conditioning" is missing')
    conditioning = entry["conditioning"]
    _check_object(conditioning, where, '"conditioning"')
    if "prompt" not in conditioning:
        raise IndexFileError(f'{where}: "prompt" is missing in "conditioning"')
    if not isinstance(conditioning["prompt"], str):
        raise IndexFileError(f'{where}: "prompt" must be a text, not {kind(conditioning["prompt"])}')
    for key in ("seconds_start", "seconds_total"):
        if key not in conditioning:
            raise IndexFileError(f'{where}: "{key}" is missing in "conditioning"')
        seconds = conditioning[key]
        if not _is_number(seconds):
            raise IndexFileError(f'{where}: "{key}" must be a number of seconds, not {kind(seconds)}')
        if not 0 <= seconds <= sys.float_info.max:
            raise IndexFileError(
                f'{where}: "{key}" must be a finite number of seconds, 0 or more, not {seconds}'
            )
    if "embedder" in entry and not isinstance(entry["embedder"], str):
        raise IndexFileError(f'{where}: "embedder" must be a name, not {kind(entry["embedder"])}')


def _check_object(value: Any, where: str, what: str) -> None:
    if not isinstance(value, dict):
        raise IndexFileError(f"{where}: {what} must be an object, not {kind(value)}")
    if isinstance(value, AmbiguousObject):
        raise IndexFileError(f"{where}: {quoted(value.key)} occurs twice in {what}")


def _checked_embedding(embedding: Any, where: str) -> np.ndarray:
    if isinstance(embedding, list):
        for position, number in enumerate(embedding):
            if not _is_number(number):
                raise IndexFileError(f"{where}: embedding[{position}] must be a number, not {kind(number)}")
        try:
            embedding = np.array(embedding, dtype=np.float64)
        except OverflowError as error:
            raise IndexFileError(
                f"{where}: embedding has a whole number beyond what a float holds"
            ) from error
    if not isinstance(embedding, np.ndarray):
        raise IndexFileError(f'{where}: "embedding" must be a list of numbers, not {kind(embedding)}')
    if not embedding.size:
        raise IndexFileError(f'{where}: "embedding" is an empty list')
    with np.errstate(over="ignore"):
        if 0 < embedding @ embedding < np.inf:
            return embedding
    finite = np.isfinite(embedding)
    if not finite.all():
        position = int(np.argmin(finite))
        raise IndexFileError(
            f"{where}: embedding[{position}] is {embedding[position]}; all numbers must be finite"
        )
    if not embedding.any():
        raise IndexFileError(
            f"{where}: embedding is all zeros, so it has no direction; embed the sound again"
        )
    return embedding


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
