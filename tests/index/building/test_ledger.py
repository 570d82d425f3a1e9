"""What a build remembers of each item."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from stored_rows import GUIDE, rows

from unheard.index.building.ledger import Ledger, described
from unheard.index.store.table import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", GUIDE)


def test_the_ledger_knows_the_store_and_tells_what_comes_twice(store: Store) -> None:
    further = json.dumps({"licence": "CC0"})
    store.append(pa.concat_tables([rows({"a": 3}, further=further), rows({"b'": 1})]))
    ledger = Ledger(store)
    known = ledger.known("a")
    assert known is not None
    assert (known.content_sha256, known.seconds_total) == ("0" * 64, 2.0)
    assert known.described == described("caption of a", further) != described("caption of a", None)
    assert ledger.known("c") is None
    assert [ledger.see(name) for name in ("a", "c", "a")] == [True, True, False]
    assert list(ledger.unseen()) == [["b'"]]
