"""Texts of one line each, such as prompts, from a file."""

from __future__ import annotations

from pathlib import Path

from unheard.common.regular_files import read_regular
from unheard.common.texts import cleaned, decoded, lines
from unheard.errors import InputError

LARGEST = 1 << 26
"""Bytes that a file of prompts may have."""
INHERITED = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Pipes that a shell hands over, as in `--prompts-file <(command)`: the only ones that are read."""


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file that are not blank, without the white space around them.

    Lines end at a line feed, a carriage return, or both; other separators stand within a line.

    Raises:
        InputError: it cannot be read, has more than `LARGEST` bytes, is no text in UTF-8 (or in UTF-16 with a
            byte order mark), or a line holds a NUL character.
    """
    try:
        if str(path).startswith(INHERITED):
            with open(path, "rb") as file:
                content = file.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise InputError(f"it has more than {LARGEST:,} bytes")
        else:
            content = read_regular(path, LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}") from error
    text, wrong = decoded(content)
    if wrong is not None:
        raise InputError(f"{path} {wrong.partition(':')[0]}: convert it to UTF-8 (iconv -t UTF-8)")
    for number, line in enumerate(lines(text), 1):
        if (wrong := cleaned(line)[1]) is not None:
            raise InputError(f"{path}, line {number}, {wrong}: remove it")
    return [line.strip() for line in lines(text) if line.strip()]
