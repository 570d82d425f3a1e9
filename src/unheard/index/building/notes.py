"""Texts by name, on disk: there may be more of them than memory holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator


class Notes:
    """Texts by name, of which each is marked when it is taken."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT, taken INT) WITHOUT ROWID"
        )

    def write(self, name: str, text: str) -> None:
        """Add a text; the last one under a name counts."""
        self._database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, 0)", (name, text))

    def take(self, name: str) -> str | None:
        """The text under a name, which may be taken again."""
        self._database.execute("UPDATE notes SET taken = 1 WHERE name = ?", (name,))
        row = self._database.execute("SELECT text FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    @property
    def untaken(self) -> int:
        """Texts that were not taken so far."""
        return int(self._database.execute("SELECT count(*) FROM notes WHERE taken = 0").fetchone()[0])

    @property
    def count(self) -> int:
        """Texts in all."""
        return int(self._database.execute("SELECT count(*) FROM notes").fetchone()[0])

    def untaken_names(self) -> Iterator[str]:
        """Names of the texts that were not taken so far, in order."""
        for (name,) in self._database.execute("SELECT name FROM notes WHERE taken = 0 ORDER BY name"):
            yield name


def temporary_database() -> sqlite3.Connection:
    """SQLite's own temporary file: under an empty name it is on disk, and gone with the connection."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    return database
