"""Where an index is: a folder, an object store's URI, or a JSON file. Nothing is opened here."""

from __future__ import annotations

from pathlib import Path

from unheard.errors import InputError


def is_store(uri: str | Path) -> bool:
    """Whether an index is a store, and not a JSON file in the published format.

    What is there tells: a folder is a store, a file is not. Of what is not there yet the name tells.
    """
    path = Path(uri)
    return not is_local(str(uri)) or path.is_dir() or not (path.is_file() or str(uri).endswith(".json"))


def is_local(uri: str) -> bool:
    """Whether a URI is a path on this machine."""
    return "://" not in uri


def checked_uri(uri: str | Path) -> str:
    """The URI of a store as text, a path on this machine without its `file://`.

    Raises:
        InputError: it is empty, or a file.
    """
    text = str(uri)
    if not text.strip():
        raise InputError("an index needs a path: a folder, or a URI such as s3://bucket/index")
    text = text.removeprefix("file://")
    if is_local(text) and Path(text).is_file():
        raise InputError(f"{text} is a file; an index that is built is a folder: choose another name")
    return text
