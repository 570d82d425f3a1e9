"""Fingerprints that are kept: with the index on disk, or in the user's cache."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replaying import RECORDINGS

import unheard.index as verbs
from unheard.auditing import fingerprint_cache
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.fingerprint_cache import FileOfPrints, Kept, maker
from unheard.auditing.references import locate_catalogue
from unheard.embedders import load_embedder
from unheard.errors import InputError
from unheard.index import Index
from unheard.index.store.fingerprints import FingerprintTable
from unheard.index.store.table import Store

NAMES = ("00000", "00001", "00017")


@pytest.fixture(scope="module")
def embedder(tiny_clap_folder: Path) -> Any:
    return load_embedder(tiny_clap_folder)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(RECORDINGS / f"{name}.flac", folder)
    return folder


@pytest.fixture
def place(sounds: Path, tmp_path: Path, embedder: Any) -> Path:
    verbs.build(sounds, tmp_path / "index", embedder=embedder, workers=0)
    return tmp_path / "index"


def table(place: Path) -> FingerprintTable:
    return FingerprintTable(Store.open(place).uri)


def test_what_is_kept_with_the_index_is_not_heard_again(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store.open(place)
    cache = tmp_path / "cache"
    first = locate_catalogue(None, Index.open(place), None, fingerprints=cache)
    assert not cache.exists()
    after = Store.open(place)
    assert (after.version, after.checksum, after.verify()) == (before.version, before.checksum, [])

    for name in ("features", "sha256"):
        monkeypatch.setattr(fingerprint_cache, name, lambda *_: pytest.fail("a known sound was read again"))
    moved = shutil.copytree(place, tmp_path / "elsewhere")  # as on another machine, where the cache is not
    second = locate_catalogue(None, Index.open(moved), None)
    assert (second.ids, second.seconds) == (first.ids, first.seconds)
    assert np.array_equal(second.prints, first.prints)


def test_recordings_of_the_index_that_lie_elsewhere_are_not_heard_again(
    place: Path, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = locate_catalogue(None, Index.open(place), None)
    moved = sounds.rename(tmp_path / "moved")
    monkeypatch.setattr(fingerprint_cache, "features", lambda *_: pytest.fail("a sound was heard again"))
    second = locate_catalogue(moved, Index.open(place), None)
    assert np.array_equal(second.prints, first.prints)


def test_items_that_come_and_go(place: Path, sounds: Path, embedder: Any) -> None:
    locate_catalogue(None, Index.open(place), None)
    known = table(place).read(maker())
    assert len(known) == 3
    shutil.copy(RECORDINGS / "00018.flac", sounds)
    verbs.add(place, sounds / "00018.flac", embedder=embedder)
    assert len(locate_catalogue(None, Index.open(place), None)) == 4
    assert known.keys() < table(place).read(maker()).keys()
    verbs.remove(place, ["00018.flac", "00001.flac"])
    left = table(place).read(maker())
    assert len(left) == 2
    assert left.keys() < known.keys()


def test_fingerprints_of_another_making_are_replaced(place: Path) -> None:
    locate_catalogue(None, Index.open(place), None)
    made = table(place).read(maker())
    table(place).add("an older one", made)
    assert table(place).read(maker()) == {}
    locate_catalogue(None, Index.open(place), None)
    again = table(place).read(maker())
    assert table(place).read("an older one") == {}
    assert all(np.array_equal(again[content][0], made[content][0]) for content in made)


def test_where_the_index_cannot_be_written_the_cache_is(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("cannot write to the index: read-only")

    monkeypatch.setattr(FingerprintTable, "add", refuse)
    locate_catalogue(None, Index.open(place), None, fingerprints=tmp_path / "cache")
    assert len(FileOfPrints(tmp_path / "cache").read(maker())) == 3
    with pytest.warns(UserWarning, match="not kept: cannot write to the index: read-only"):
        locate_catalogue(None, Index.open(place), None)


def test_a_file_that_is_another_by_now(place: Path, sounds: Path) -> None:
    """What lies there is heard, and kept under its own content."""
    shutil.copy(RECORDINGS / "00018.flac", sounds / "00001.flac")
    found = locate_catalogue(None, Index.open(place), None)
    alone = Catalogue.from_files(sounds / "00001.flac")
    number = found.number("00001.flac")
    assert np.array_equal(found.prints[found.parts[number, 1] : found.parts[number, 2]], alone.prints)


def test_items_that_are_not_available_are_named(place: Path, sounds: Path) -> None:
    (sounds / "00017.flac").unlink()
    found = locate_catalogue(None, Index.open(place), None)
    assert found.ids == ["00000.flac", "00001.flac"]
    assert "00017.flac is not available" in found.left_out["00017.flac"]


def test_a_stop_keeps_what_was_made(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most `SAVE_EVERY` sounds have to be heard again."""
    monkeypatch.setattr(fingerprint_cache, "SAVE_EVERY", 2)
    keeping = Kept([FileOfPrints(tmp_path)])
    for name in NAMES:
        keeping.prints(sounds / f"{name}.flac")
    assert len(FileOfPrints(tmp_path).read(maker())) == 2
    keeping.save()
    assert len(FileOfPrints(tmp_path).read(maker())) == 3
