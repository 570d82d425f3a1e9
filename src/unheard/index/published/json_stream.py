"""The members of one large JSON object, one after the other, in memory that does not grow with the file.

Every value is read by a decoder that is given, as `json.loads` would read it: the same numbers to the last
bit, the same half characters, the same complaints. (yajl, under the name of ijson the usual library for
this, refuses NaN, whole numbers beyond 64 bits and half of a surrogate pair, where this package has a better
word for each or takes it.)
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from unheard.errors import IndexFileError

LARGEST_MEMBER = 1 << 24
"""Characters that one member may have: a file in which one has more is no training set, but another JSON."""

NO_BLANK = re.compile(r"[^ \t\n\r]")
LONGEST_CUT = 16
"""No token is misread for a cut that is further away than this (`-1.5e`, `\\ud83d\\u`, `-Infini`)."""


class Decoder(Protocol):
    """Reads one value, as `json.JSONDecoder` does and with its errors."""

    def raw_decode(self, text: str, position: int) -> tuple[Any, int]:
        """The value that begins at a position of the text, and where it ends."""


def members(blocks: Iterable[bytes], source: str, decoder: Decoder) -> Iterator[tuple[str, Any]]:
    """The keys and values of a JSON object, in the file's order; equal keys come as often as there are.

    Args:
        blocks: the file's content, cut anywhere; a byte order mark is allowed.
        source: what errors call the file.
        decoder: reads each value.

    Raises:
        IndexFileError: the content is empty, not UTF-8, not JSON, or not an object; says where.
    """
    text = _Window(blocks, source)
    if not text.peek():
        raise IndexFileError(f"{source} is empty: an index is a JSON object of entries by id")
    if text.peek() != "{":
        other = text.value(decoder)
        text.expect_end()
        raise IndexFileError(f"{source} must be a JSON object of entries by id, not {kind(other)}")
    text.skip()
    if text.peek() == "}":
        text.skip()
        return text.expect_end()
    while True:
        if text.peek() != '"':
            raise text.error("Expecting property name enclosed in double quotes")
        key = text.value(decoder)
        if text.peek() != ":":
            raise text.error("Expecting ':' delimiter")
        text.skip()
        yield key, text.value(decoder)
        following = text.peek()
        if following not in (",", "}"):
            raise text.error("Expecting ',' delimiter")
        text.skip()
        if following == "}":
            return text.expect_end()


def kind(value: Any) -> str:
    """A JSON value in the words of JSON."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    names = {list: "a list", dict: "an object"}
    return next((name for type_, name in names.items() if isinstance(value, type_)), f"the number {value}")


def quoted(text: str, longest: int = 60) -> str:
    """In quotation marks on one line, cut if long."""
    written = json.dumps(text if len(text) <= longest else text[:longest] + "...", ensure_ascii=False)
    return written.encode("utf-8", errors="backslashreplace").decode("utf-8")


class _Window:
    """The part of the text that is being read, and where in the file it begins."""

    def __init__(self, blocks: Iterable[bytes], source: str) -> None:
        self.blocks = iter(blocks)
        self.source = source
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.bytes = 0  # decoded so far
        self.text = ""
        self.position = 0
        self.line, self.column = 1, 1  # of the text's first character
        self.at_end = False

    def peek(self) -> str:
        """The next character that is not blank; nothing at the end of the file."""
        while True:
            if (found := NO_BLANK.search(self.text, self.position)) is not None:
                self.position = found.start()
                return found.group()
            self.position = len(self.text)
            if self.at_end:
                return ""
            self._read_on()

    def skip(self) -> None:
        self.position += 1

    def value(self, decoder: Decoder) -> Any:
        """The next value; more of the file is read for as long as that may still complete it."""
        self.peek()
        while True:
            try:
                value, end = decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self.text) - LONGEST_CUT or error.msg.startswith("Unterminated string")
                if self.at_end or not cut:
                    raise self.error(error.msg, error.pos) from error
            except (ValueError, RecursionError) as error:
                # A number of thousands of digits, or thousands of nested brackets.
                raise IndexFileError(f"{self.source} is not a usable JSON file: {error}") from error
            else:
                if self.at_end or end <= len(self.text) - LONGEST_CUT:
                    self.position = end
                    return value
            self._read_on()

    def expect_end(self) -> None:
        if self.peek():
            raise self.error("Extra data")

    def error(self, message: str, position: int | None = None) -> IndexFileError:
        """What is wrong with the JSON at this position of the text, and where in the file that is."""
        line, column = self._location(self.position if position is None else position)
        return IndexFileError(f"{self.source} is not JSON: {message} at line {line}, column {column}")

    def _location(self, position: int) -> tuple[int, int]:
        """Line and column in the file of a position in the text."""
        last = self.text.rfind("\n", 0, position)
        if last < 0:
            return self.line, self.column + position
        return self.line + self.text.count("\n", 0, position), position - last

    def _read_on(self) -> None:
        """Drop what has been read, and at least double what has not, so that long values cost no square."""
        self.line, self.column = self._location(self.position)
        parts, self.position = [self.text[self.position :]], 0
        length = unread = len(parts[0])
        if unread > LARGEST_MEMBER:
            raise IndexFileError(
                f"{self.source}: what begins at line {self.line}, column {self.column} is longer than "
                f"{LARGEST_MEMBER:,} characters; an index is a JSON object of entries by id"
            )
        while not self.at_end and length <= 2 * unread:
            block = next(self.blocks, b"")
            self.at_end = not block
            try:
                parts.append(self.decoder.decode(block, final=self.at_end))
            except UnicodeDecodeError as error:
                # The decoder counts from the bytes that it holds of a character that was cut.
                start = self.bytes + len(block) - len(error.object) + error.start
                raise IndexFileError(f"{self.source} is not JSON: byte {start} is not UTF-8") from error
            self.bytes += len(block)
            length += len(parts[-1])
        self.text = "".join(parts)
