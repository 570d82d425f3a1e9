"""Where an index is: a folder, an object store's URI, or a JSON file. Nothing is opened here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from unheard.errors import InputError


def is_store(uri: str | Path) -> bool:
    """Whether an index is a store, and not a JSON file in the published format.

    What is there tells: a folder is a store, a file is not. Of what is not there yet the name tells.
    """
    text = as_text(uri)
    return not is_local(text) or os.path.isdir(text) or not (os.path.isfile(text) or text.endswith(".json"))


def as_text(uri: str | Path) -> str:
    """A URI or a path as text; a URI that was made a `Path` has its second slash again."""
    text = str(uri)
    through_path = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)", text)
    if through_path is None or os.path.exists(f"{through_path[1]}:"):
        return text
    return f"{through_path[1]}://{text[through_path.end() :]}"


def is_local(uri: str) -> bool:
    """Whether a URI is a path on this machine."""
    return "://" not in uri


def checked_uri(uri: str | Path) -> str:
    """The URI of a store as text, a path on this machine without its `file://`.

    Raises:
        InputError: it is empty, or a file.
    """
    text = as_text(uri)
    if not text.strip():
        raise InputError("an index needs a path: a folder, or a URI such as s3://bucket/index")
    text = text.removeprefix("file://")
    if is_local(text) and os.path.isfile(text):
        raise InputError(f"{text} is a file; an index that is built is a folder: choose another name")
    return text
