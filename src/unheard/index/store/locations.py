"""Where the recordings of an index lie, whoever asks, and from wherever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from unheard.common.shards import SEPARATOR, is_available
from unheard.index.store.uri import is_local


def absolute(source: str) -> str:
    """A recording's path, or that of its shard, from the root of this machine; a URI as it is."""
    if not is_local(source):
        return source
    path, separator, member = source.partition(SEPARATOR)
    return f"{os.path.abspath(path)}{separator}{member}"


def located(source: str, index: str | None, made_in: str | None) -> str | None:
    """Where a recording is available; None where it is not.

    That is the path that the index says or, where the index and its recordings were moved together, the same
    way from where the index is now. Older indexes say paths relative to the folder of the build: that was the
    folder of the index, or one above it.

    Args:
        source: what the index says.
        index: its folder, where it is on this machine.
        made_in: the folder in which it was made.
    """
    return next((path for path in _candidates(source, index, made_in) if is_available(path)), None)


def _candidates(source: str, index: str | None, made_in: str | None) -> Iterator[str]:
    yield source
    if index is None or not is_local(source):
        return
    folder = Path(os.path.abspath(index))
    if os.path.isabs(source):
        if made_in is not None and made_in != str(folder):
            yield os.path.normpath(folder / os.path.relpath(source, made_in))
    else:
        yield from (str(parent / source) for parent in (folder, *folder.parents))
