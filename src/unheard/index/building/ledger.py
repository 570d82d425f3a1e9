"""What a build has to remember of each item, on disk: memory does not grow with the corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unheard.common.texts import cleaned
from unheard.index.building.notes import temporary_database
from unheard.index.store.table import Store

COLUMNS = ["id", "window", "content_sha256", "prompt", "seconds_start", "seconds_total", "further"]


@dataclass(frozen=True)
class Known:
    """An item of the store: the hash of its sound, its timing, and a digest of its caption and the rest."""

    content_sha256: str | None
    seconds_start: float
    seconds_total: float
    described: bytes


def described(prompt: str | None, further: str | None) -> bytes:
    """A digest of what may change while the sound stays the same."""
    return hashlib.sha256(json.dumps([prompt, further]).encode()).digest()[:16]


def further_json(further: Mapping[str, Any]) -> str | None:
    """Further columns as the store has them."""
    return cleaned(json.dumps(dict(further), ensure_ascii=False, default=str))[0] if further else None


class Ledger:
    """The items that a store held when a build began, and the ids that the build has come by since."""

    def __init__(self, store: Store) -> None:
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE known (id TEXT PRIMARY KEY, sha256 TEXT, start REAL, total REAL, described BLOB) "
            "WITHOUT ROWID"
        )
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")
        for batch in store.batches(COLUMNS):
            rows = (
                (
                    row["id"],
                    row["content_sha256"],
                    row["seconds_start"],
                    row["seconds_total"],
                    described(row["prompt"], row["further"]),
                )
                for row in batch.to_pylist()
                if row["window"] == 0
            )
            self._database.executemany("INSERT OR IGNORE INTO known VALUES (?, ?, ?, ?, ?)", rows)

    def see(self, identifier: str) -> bool:
        """Note that the build has come by this id; whether it is the first time."""
        inserted = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (identifier,))
        return inserted.rowcount == 1

    def forget(self) -> None:
        """As if the build had come by no id yet."""
        self._database.execute("DELETE FROM seen")

    def known(self, identifier: str) -> Known | None:
        """What the store held under this id when the build began."""
        found = self._database.execute(
            "SELECT sha256, start, total, described FROM known WHERE id = ?", (identifier,)
        )
        row = found.fetchone()
        return None if row is None else Known(*row)

    def unseen(self, at_once: int = 1000) -> Iterator[list[str]]:
        """Ids of the store that the build has not come by, some at a time."""
        found = self._database.execute("SELECT id FROM known EXCEPT SELECT id FROM seen")
        while rows := found.fetchmany(at_once):
            yield [identifier for (identifier,) in rows]
