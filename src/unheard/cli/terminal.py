"""What is printed: every line of every command goes through here, or through `unheard.cli.console`.

Names of files, captions and prompts come from anywhere. A control character in one of them could clear the
screen, rename the window or put another line in the place of what was found; a bidirectional one turns a
name's letters round. All of these are shown as JSON escapes them (`\\u001b`), and JSON stays JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from typing import Any

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tabs and line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides, isolates
    "\u200b\u2028\u2029\ufeff\U000e0000-\U000e007f"  # blanks without width, separators, tags
    "\ud800-\udfff]"  # bytes of a name that are no text
)


def visible(text: str) -> str:
    """A text with what cannot be seen, or would act on the terminal, as JSON escapes it."""
    return _UNSEEN.sub(lambda found: json.dumps(found.group())[1:-1], text)


def one_line(text: str) -> str:
    """The same, and line ends and tabs too: for what stands within a line."""
    return re.sub("[\n\t]", lambda found: json.dumps(found.group())[1:-1], visible(text))


def say(*lines: str, err: bool = False) -> None:
    """Print lines, on standard error with `err`; a line end within one of them does not begin another."""
    # Not with click.echo, which cannot write to what rich puts in the place of stderr while a bar is there.
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{one_line(line)}\n" for line in lines))
    stream.flush()


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(f"{visible(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))}\n")
    sys.stdout.flush()


def take_any_text() -> None:
    """Let both streams write what their encoding lacks with escapes, in place of failing in mid-line."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def give_up_output() -> None:
    """Have Python not try once more, when it ends, to write what could not be written."""
    with open(os.devnull, "wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                with suppress(OSError, ValueError):
                    os.dup2(nowhere.fileno(), stream.fileno())
