"""What a row of a table or a sidecar says of a recording: path, caption, timing, and whatever else.

A description that is not as it should be costs no recording: it is taken as well as it can be, with a remark.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from unheard.common.texts import cleaned, decoded
from unheard.errors import InputError
from unheard.index.building.recording import Recording

PATH_COLUMNS = ("path", "file", "file_name", "filename")
PROMPT_COLUMNS = ("prompt", "caption", "text", "captions")
LARGEST_CAPTION = 1 << 16
"""Characters that are taken of a caption."""
LARGEST_FURTHER = 1 << 20
"""Characters of JSON that further columns may take."""


def describe(row: Mapping[str, Any], *remarks: str) -> Recording:
    """What a manifest's row or a sidecar says, by the usual names of the columns.

    Args:
        row: values by column.
        remarks: what is to be said of the row already.

    Returns:
        A recording whose `source` is the path as it stands there, or "", as `id` is.

    Raises:
        InputError: the path is none.
    """
    said = list(remarks)
    left = {name.strip(): value for name, value in row.items() if name and value not in (None, "")}
    path = next((left.pop(name) for name in PATH_COLUMNS if name in left), "")
    if not isinstance(path, str):
        raise InputError(f"path must be a text, not {_shown(path)}")
    if (wrong := cleaned(path)[1]) is not None:
        raise InputError(f"its path {wrong}: no file here can have that name")
    prompt = None
    for column in PROMPT_COLUMNS:
        if column in left and prompt is None:
            several = isinstance(left[column], list | dict)
            prompt = caption(left[column] if several else left.pop(column), said)
    identifier, wrong = cleaned(str(left.pop("id", "")))
    if wrong is not None:
        said.append(f"its id {wrong}: left out of it")
    start, total = (_seconds(name, left.pop(name, None), said) for name in ("seconds_start", "seconds_total"))
    return Recording(identifier, path, None, prompt, start, total, _storable(left, said), tuple(said))


def caption(value: Any, remarks: list[str]) -> str | None:
    """A caption as it can be stored; what was to be done to it is added to the remarks.

    Args:
        value: a text, bytes, a list or an object of texts, of which the first is taken, or a number.
        remarks: sentences of which the caption is the subject.
    """
    if isinstance(value, list | tuple | dict):
        texts = [text for text in _texts(value, remarks) if text]
        if len(texts) > 1:
            remarks.append(f"it has {len(texts):,} captions: the first is taken, all are kept beside it")
        return texts[0] if texts else None
    return next(_texts(value, remarks), None) or None


def _texts(value: Any, remarks: list[str]) -> Iterator[str]:
    """The texts in a value, stripped, cleaned and cut."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            if not isinstance(each, list | tuple | dict):
                yield from _texts(each, remarks)
        return
    if isinstance(value, bytes):
        value, wrong = decoded(value)
        _remark(remarks, wrong)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return
    if not isinstance(value, str):
        remarks.append(f"its caption is no text but {_shown(value)}: taken as it is written")
    text, wrong = cleaned(str(value)[: LARGEST_CAPTION + 1].strip())
    _remark(remarks, wrong and f"{wrong}: left out of it")
    if isinstance(value, str) and len(value) > LARGEST_CAPTION:
        remarks.append(f"its caption has {len(value):,} characters: the first {LARGEST_CAPTION:,} are taken")
    yield text[:LARGEST_CAPTION]


def _remark(remarks: list[str], wrong: str | None) -> None:
    if wrong:
        remarks.append(f"its caption {wrong}")


def _seconds(name: str, value: Any, remarks: list[str]) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        remarks.append(f"{name} must be a finite number of seconds, 0 or more, not {_shown(value)}: left out")
        return None
    return seconds


def _storable(further: Mapping[str, Any], remarks: list[str]) -> dict[str, Any]:
    """Further columns as far as they can be stored."""
    kept: dict[str, Any] = {}
    room = LARGEST_FURTHER
    for name, value in further.items():
        taken = _length(value)
        if taken is None or taken > room:
            remarks.append(f"its column {_shown(name)} is not stored: it is too large, or no JSON")
        else:
            kept[name] = value
            room -= taken
    return kept


def _length(value: Any) -> int | None:
    """Characters of a value as JSON; None for what is none."""
    try:
        return None if isinstance(value, bytes) else len(json.dumps(value, default=str))
    except (TypeError, ValueError, RecursionError):
        return None


def _shown(value: Any) -> str:
    """A value in a message of one line."""
    try:
        text = " ".join(repr(value)[:200].split())
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."


def json_object(text: str) -> dict[str, Any]:
    """A JSON object; InputError if the text is none."""
    try:
        made = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON: {error}") from error
    if not isinstance(made, dict):
        raise InputError("it is not a JSON object")
    return made
