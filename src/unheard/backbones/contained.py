"""A folder of a model is data: it names no file outside itself, and no code that would be run.

The libraries that read a model follow what its JSON files name: weights in several files, vocabularies, code
of its own for a tokenizer or for attention. What they are told with `AS_DATA`, and what is checked here
before they read anything, keeps that within the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from unheard.common.regular_files import what_else
from unheard.common.structured_files import read_json
from unheard.errors import ModelError

AS_DATA = {"local_files_only": True, "trust_remote_code": False}
"""What transformers is told of a folder: ask no network, run no code of its, and do not ask about it."""

LARGEST_CONFIGURATION = 1 << 20
"""Bytes of a JSON file beyond which it is a vocabulary or an index, and no configuration."""
LEFT_OVER = ("name_or_path", "_name_or_path", "special_tokens_map_file")
"""Keys that say where a model lay when it was saved; nothing is read there."""
ATTENTION = ("attn_implementation", "_attn_implementation")
"""Keys that may name a repository of compiled code on the hub."""


def inside(folder: Path, name: str) -> Path:
    """A file or folder that a model names in its own folder.

    Raises:
        ModelError: the name leads out of the folder.
    """
    if not _stays(name) or not _is_within(folder / name, folder):
        raise ModelError(
            f"{folder} names {name!r}, which is outside of it: a model's files lie in its folder"
        )
    return folder / name


def check_contained(folder: Path) -> None:
    """Look through the configuration of a model's folder and of the folders in it.

    Raises:
        ModelError: it names a file that is there but outside, or code on the hub; or something in it is a
            pipe or a device, for which whoever reads it would wait.
    """
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if not path.is_dir() and (refusal := what_else(path)) is not None:
            raise ModelError(f"{path} is no file of a model: {refusal}")
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        for key, text in _texts(_read(path)):
            if key in ATTENTION and "/" in text:
                raise ModelError(
                    f"{path} asks for the code {text!r} on the hub, which is never run: take it out"
                )
            if key in LEFT_OVER or _stays(text):
                continue
            named = path.parent / text
            if os.path.isfile(named) and not _is_within(named, folder):
                raise ModelError(f"{path} names the file {text!r}, which is outside of {folder}: take it out")


def read_json_object(path: Path) -> dict[str, Any]:
    """A file of a model that holds a JSON object; ModelError if it does not."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}: it must hold a JSON object")
    return content


def first_line(error: Exception) -> str:
    """What an error says first."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def reason(error: Exception) -> str:
    """The first sentence of what a library says of a folder that it cannot read."""
    if "trust_remote_code" in str(error):
        return "it brings code of its own, which is never run"
    return (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".")


def _read(path: Path) -> Any:
    """The content of a configuration; None for another file, and for what its reader will complain of."""
    try:
        if path.stat().st_size > LARGEST_CONFIGURATION:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in it that may be a name, with the key that it stands under."""
    waiting = [(key, value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str) and 0 < len(value) < 4096 and "\0" not in value:
            yield key, value
        elif isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += ((key, each) for each in value)


def _stays(name: str) -> bool:
    """Whether a name leads nowhere but down; one that no file can have leads nowhere."""
    try:
        if b"\0" in os.fsencode(name):
            return False
    except UnicodeEncodeError:
        return False
    absolute = PurePath(name).is_absolute() or PureWindowsPath(name).drive or name.startswith(("~", "\\"))
    return bool(name) and not absolute and ".." not in name.replace("\\", "/").split("/")


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, links resolved: those in the hub's cache lead to its store."""
    home = folder.parents[1] if folder.parent.name == "snapshots" else folder
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))
