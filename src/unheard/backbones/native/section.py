"""A JSON object of a model's configuration: what is taken out of it, and what nobody has taken.

A value that is not understood would change the model without a word. So whoever reads a section closes it at
the end, and what was not asked for by then is refused by the name of its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from unheard.common.checks import require_number
from unheard.errors import InputError, ModelError

_NEEDED = object()


class Section:
    """An object in a JSON file.

    Args:
        content: of the object.
        file: for messages.
        keys: that lead to it from the file's root, joined with dots; "" for the root.
    """

    def __init__(self, content: object, file: Path, keys: str = "") -> None:
        self._file, self._keys = file, keys
        if not isinstance(content, dict):
            raise ModelError(f"{file}: {keys or 'the file'} is {content!r}: it must be a JSON object")
        self._content: dict[str, Any] = content
        self._left = set(content)

    def take(self, key: str, default: Any = _NEEDED) -> Any:
        """The value of a key; the default, if one is given, where there is none."""
        self._left.discard(key)
        if key not in self._content and default is _NEEDED:
            raise ModelError(
                f"{self._file} lacks {self.name(key)}: give the file that the checkpoint came with"
            )
        return self._content.get(key, default)

    def section(self, key: str, default: Any = _NEEDED) -> Section:
        """The object under a key."""
        return Section(self.take(key, default), self._file, self.name(key))

    def sections(self, key: str) -> list[Section]:
        """The objects in the list under a key."""
        found = self.take(key)
        if not isinstance(found, list):
            self.refuse(key, found, "a list")
        return [Section(each, self._file, f"{self.name(key)}.{number}") for number, each in enumerate(found)]

    def text(self, key: str, default: Any = _NEEDED) -> str:
        """The text under a key."""
        found = self.take(key, default)
        return found if isinstance(found, str) and found else self.refuse(key, found, "text")

    def whole(self, key: str, default: Any = _NEEDED) -> int:
        """The whole number above 0 under a key."""
        found = self.take(key, default)
        return int(found) if _is_whole(found) else self.refuse(key, found, "a whole number above 0")

    def wholes(self, key: str) -> list[int]:
        """The whole numbers above 0 in the list under a key, of which there is one at least."""
        found = self.take(key)
        if not isinstance(found, list) or not found or not all(map(_is_whole, found)):
            self.refuse(key, found, "a list of whole numbers above 0")
        return list(found)

    def number(self, key: str, default: Any = _NEEDED) -> float:
        """The finite number under a key."""
        found = self.take(key, default)
        try:
            require_number(key, found)
        except InputError:
            self.refuse(key, found, "a finite number")
        return float(found)

    def flag(self, key: str, default: bool) -> bool:
        """The truth under a key."""
        found = self.take(key, default)
        return found if isinstance(found, bool) else self.refuse(key, found, "true or false")

    def only(self, key: str, *supported: Any, default: Any = _NEEDED) -> Any:
        """The value of a key, one of those supported."""
        found = self.take(key, default)
        if not any(found == each and isinstance(found, bool) == isinstance(each, bool) for each in supported):
            self.refuse(key, found, " or ".join(map(repr, supported)))
        return found

    def left_at(self, defaults: Mapping[str, Any]) -> None:
        """Refuse any of some keys with a value other than the one here, which it has where it is left out."""
        for key, default in defaults.items():
            self.only(key, default, default=default)

    def ignore(self, *keys: str) -> None:
        """Take what says nothing of the model itself, such as how much memory to spend on it."""
        self._left -= set(keys)

    def close(self) -> None:
        """Refuse what was not taken."""
        for key in sorted(self._left):
            raise ModelError(
                f"{self._file}: {self.name(key)} is {self._content[key]!r}: unheard does not know this part "
                "of stable-audio-tools"
            )

    def refuse(self, key: str, found: object, instead: str) -> NoReturn:
        """Raise a ModelError that names a key, its value, and what unheard runs."""
        raise ModelError(f"{self._file}: {self.name(key)} is {_said(found)}: unheard runs {instead} there")

    def name(self, key: str) -> str:
        """A key with those that lead to it."""
        return f"{self._keys}.{key}" if self._keys else key


def _said(value: object) -> str:
    """A value in a message; one of too many digits, as a product may be, cannot be written."""
    try:
        return repr(value)
    except ValueError:
        return "too large"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
