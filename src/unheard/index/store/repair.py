"""A store after a power cut: a commit that it tore is taken back."""

from __future__ import annotations

import os
from pathlib import Path

from unheard.index.store.lance import connected, explained
from unheard.index.store.rows import TABLE
from unheard.index.store.uri import checked_uri, is_local


def step_back(uri: str | Path) -> bool:
    """Take back the newest commit of a store in a folder if a power cut tore it; whether it did.

    Lance's files end with four letters, which a file lacks that was not written to its end.

    Raises:
        IndexFileError: the store cannot be repaired.
    """
    uri = checked_uri(uri)
    if not is_local(uri):
        return False  # object stores write wholly or not at all
    folder = Path(uri) / f"{TABLE}.lance"
    newest = min((folder / "_versions").glob("*.manifest"), default=None)  # numbered downwards
    if newest is None:
        return False
    if not _is_whole(newest):
        newest.rename(newest.with_suffix(".torn"))
        (folder / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)
        return True
    torn = [path for path in (folder / "data").glob("*.lance") if not _is_whole(path)]
    if not torn:
        return False
    with explained(f"cannot repair the index {uri}"):
        table = connected(uri).open_table(TABLE)
        if table.version < 2:
            return False
        table.checkout(table.version - 1)
        table.restore()
    for path in torn:
        path.rename(path.with_suffix(".torn"))
    return True


def _is_whole(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        return file.read() == b"LANC"
