"""JSON and TOML files that came from elsewhere: of a bounded size, whatever is nested in them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from unheard.common.regular_files import read_regular

LARGEST = 1 << 26
"""Bytes that such a file may have."""


def read_json(path: str | Path, most: int = LARGEST) -> Any:
    """What a JSON file holds.

    Args:
        path: of a file in UTF-8.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, too large, no UTF-8, no JSON, or nested too deeply.
    """
    try:
        return json.loads(read_regular(path, most).decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_toml(path: str | Path) -> dict[str, Any]:
    """What a TOML file holds; raises as `read_json`."""
    try:
        return tomllib.loads(read_regular(path, LARGEST).decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
