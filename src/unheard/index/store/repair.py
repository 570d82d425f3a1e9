"""A store after a power cut or a kill: a commit that was torn is taken back, what was half written goes."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from unheard.index.store.lance import connected, explained, open_table
from unheard.index.store.rows import TABLE
from unheard.index.store.uri import checked_uri, is_local

STAGED = re.compile(r"\.tmp\w+|.*#\d+")
"""What Lance calls a file until it is whole."""
ABANDONED = 24 * 3600.0
"""Seconds without a write after which nobody is writing it any more."""


def drop_abandoned(uri: str | Path) -> None:
    """Remove what writers that were killed left half written in a store in a folder, a day later.

    Nothing reads such files. Another process may be writing a younger one.
    """
    uri = checked_uri(uri)
    if not is_local(uri):
        return
    for path in Path(uri).glob("*.lance/*/*"):
        if STAGED.fullmatch(path.name):
            with suppress(OSError):  # gone, or somebody else's: it harms nothing
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()


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
        table = open_table(connected(uri), uri, TABLE)
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
