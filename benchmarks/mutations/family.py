"""What a family of inputs is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Family:
    """A kind of reader.

    Attributes:
        good: content of files that it reads, by name.
        read: reads a file of that name, which lies in a folder of its own.
        text: whether damage is done to values as well as to bytes.
    """

    good: Callable[[], dict[str, bytes]]
    read: Callable[[Path], object]
    text: bool = True
