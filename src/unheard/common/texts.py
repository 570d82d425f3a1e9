"""Text that came as bytes, from whatever program, as well as it can be read; numbers of things in words."""

from __future__ import annotations

import codecs
import re
from typing import Any

SURROGATES = re.compile("[\ud800-\udfff]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet takes for a formula."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""In this order: that of UTF-32 begins with that of UTF-16."""


def is_text(text: str) -> bool:
    """Whether text could be written as UTF-8, without NUL.

    Bytes that are not UTF-8 come from the command line as lone surrogates.
    """
    return "\0" not in text and SURROGATES.search(text) is None


def decoded(content: bytes) -> tuple[str, str | None]:
    """Bytes as text.

    Returns:
        The text, and what had to be assumed if it is no UTF-8: a sentence without its subject.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            try:
                return content[len(mark) :].decode(encoding), None
            except UnicodeDecodeError:
                return content[len(mark) :].decode(encoding, "replace"), f"is not all {encoding.upper()}"
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":  # cut within a character
            return content[: error.start].decode("utf-8"), None
    repaired = content.decode("utf-8", "replace")
    wrong = repaired.count("\ufffd")
    if wrong < sum(character > "\x7f" for character in repaired) - wrong:
        return repaired, "is not all UTF-8"
    if content.count(0) > len(content) // 4:  # every other byte of western text in UTF-16
        encoding = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
        return content.decode(encoding, "replace"), f"is not UTF-8: read as {encoding.upper()}"
    return content.decode("cp1252", "replace"), "is not UTF-8: read as Windows-1252"


def cleaned(text: str) -> tuple[str, str | None]:
    """A text without characters that cannot be stored.

    Returns:
        The text, without NUL and with U+FFFD for halves of surrogate pairs, and what was wrong with it, if
        anything was: a sentence without its subject.
    """
    halves = SURROGATES.search(text) is not None
    if not halves and "\0" not in text:
        return text, None
    wrong = "half a surrogate pair" if halves else "a NUL character"
    return whole_characters(text).replace("\0", ""), f"holds {wrong}"


def whole_characters(text: str) -> str:
    """A text with U+FFFD for halves of surrogate pairs, which no encoding writes."""
    return SURROGATES.sub("\ufffd", text)


def json_bytes(text: str) -> bytes:
    """JSON text in UTF-8. Half a surrogate pair has no place there; as an escape it is also right as JSON."""
    return text.encode("utf-8", errors="backslashreplace")


def lines(text: str) -> list[str]:
    """The lines of a text: they end at a line feed, a carriage return, or both, and at nothing else.

    `str.splitlines` also parts at form feeds and at Unicode's separators, which stand within a line.
    """
    return re.split("\r\n|\r|\n", text)


def no_formula(value: Any) -> Any:
    """A cell of a table for spreadsheets: a text that they would run as a formula, behind an apostrophe.

    Names and captions came from elsewhere, and `=HYPERLINK(...)` may be one. Anything else is as it is.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def plural(number: int, noun: str) -> str:
    """A number of things, such as "1 sound", "2 sounds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
