"""Fingerprints that are cached: with the index on disk, or in the user's cache."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from replaying import RECORDINGS

import unheard.index as commands
from unheard.auditing import fingerprint_cache
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.fingerprint_cache import FingerprintCache, fingerprint_files, maker
from unheard.auditing.references import locate_catalogue
from unheard.common.files import sha256
from unheard.embedders import load_embedder
from unheard.errors import InputError
from unheard.index import Index
from unheard.index.store.fingerprints import FingerprintTable, Prints
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
def path(sounds: Path, tmp_path: Path, embedder: Any) -> Path:
    commands.build(sounds, tmp_path / "index", embedder=embedder, workers=0)
    return tmp_path / "index"


def same(one: Prints, other: Prints) -> bool:
    return all(map(np.array_equal, one, other))


def table(path: Path) -> FingerprintTable:
    return FingerprintTable(Store.open(path).uri)


def test_what_is_cached_with_the_index_is_not_read_again(
    path: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store.open(path)
    first = locate_catalogue(None, Index.open(path), None)
    assert not cache.exists()
    after = Store.open(path)
    assert (after.version, after.checksum, after.verify()) == (before.version, before.checksum, [])

    for name in ("Signal", "sha256"):
        monkeypatch.setattr(fingerprint_cache, name, lambda *_: pytest.fail("a known sound was read again"))
    moved = shutil.copytree(path, tmp_path / "elsewhere")  # as on another machine, where the cache is not
    second = locate_catalogue(None, Index.open(moved), None)
    assert (second.ids, second.seconds) == (first.ids, first.seconds)
    assert np.array_equal(second.prints, first.prints)


def test_recordings_of_the_index_that_lie_elsewhere_are_not_read_again(
    path: Path, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = locate_catalogue(None, Index.open(path), None)
    moved = sounds.rename(tmp_path / "moved")
    monkeypatch.setattr(fingerprint_cache, "Signal", lambda *_: pytest.fail("a sound was read again"))
    second = locate_catalogue(moved, Index.open(path), None)
    assert np.array_equal(second.prints, first.prints)


def test_items_that_come_and_go(path: Path, sounds: Path, embedder: Any) -> None:
    locate_catalogue(None, Index.open(path), None)
    known = table(path).read(maker())
    assert len(known) == 3
    shutil.copy(RECORDINGS / "00018.flac", sounds)
    commands.add(path, sounds / "00018.flac", embedder=embedder)
    assert len(locate_catalogue(None, Index.open(path), None)) == 4
    assert known.keys() < table(path).read(maker()).keys()
    commands.remove(path, ["00018.flac", "00001.flac"])
    left = table(path).read(maker())
    assert len(left) == 2
    assert left.keys() < known.keys()


def test_fingerprints_of_another_making_are_replaced(path: Path) -> None:
    locate_catalogue(None, Index.open(path), None)
    made = table(path).read(maker())
    table(path).add("an older one", made)
    assert table(path).read(maker()) == {}
    locate_catalogue(None, Index.open(path), None)
    again = table(path).read(maker())
    assert table(path).read("an older one") == {}
    assert all(same(again[content], made[content]) for content in made)


@pytest.mark.parametrize("lacking", ["landmarks", "moments_at"])
def test_a_table_from_before_there_was_what_is_kept_now_is_replaced(path: Path, lacking: str) -> None:
    locate_catalogue(None, Index.open(path), None)
    made = table(path).read(maker())
    database = lancedb.connect(str(path))
    rows = database.open_table("fingerprints").to_arrow().drop_columns([lacking])
    database.create_table("fingerprints", rows, mode="overwrite")
    assert table(path).read(maker()) == {}
    table(path).forget_all_but([])
    locate_catalogue(None, Index.open(path), None)
    again = table(path).read(maker())
    assert again.keys() == made.keys()
    assert all(same(again[content], made[content]) for content in made)


def test_where_the_index_cannot_be_written_the_users_cache_is(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("cannot write to the index: read-only")

    monkeypatch.setattr(FingerprintTable, "add", refuse)
    first = locate_catalogue(None, Index.open(path), None)
    assert len(list(cache.rglob("*.safetensors"))) == 3
    monkeypatch.setattr(fingerprint_cache, "Signal", lambda *_: pytest.fail("a sound was read again"))
    assert np.array_equal(locate_catalogue(None, Index.open(path), None).prints, first.prints)


def test_where_nothing_can_be_written_one_warning_says_so(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("cannot write to the index: read-only")

    monkeypatch.setattr(FingerprintTable, "add", refuse)
    cache.parent.write_text("a file where a folder should be")
    with pytest.warns(UserWarning, match="fingerprints are not cached") as warned:
        found = locate_catalogue(None, Index.open(path), None)
    assert (len(found), len(warned)) == (3, 1)


def test_a_file_that_is_another_by_now(path: Path, sounds: Path) -> None:
    """What lies there is read, and cached under its own content."""
    shutil.copy(RECORDINGS / "00018.flac", sounds / "00001.flac")
    found = locate_catalogue(None, Index.open(path), None)
    alone = Catalogue.from_files(sounds / "00001.flac")
    number = found.number("00001.flac")
    assert np.array_equal(found.prints[found.parts[number, 1] : found.parts[number, 2]], alone.prints)


def test_items_that_are_not_available_are_named(path: Path, sounds: Path) -> None:
    (sounds / "00017.flac").unlink()
    found = locate_catalogue(None, Index.open(path), None)
    assert found.ids == ["00000.flac", "00001.flac"]
    assert "00017.flac is not available" in found.left_out["00017.flac"]


def test_a_stop_loses_little(path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most `SAVE_EVERY` recordings of an index have to be read again; of files, none."""
    monkeypatch.setattr(fingerprint_cache, "SAVE_EVERY", 2)
    recordings = [sounds / f"{name}.flac" for name in NAMES]
    contents = {recording: sha256(recording) for recording in recordings}
    of_index = FingerprintCache(fingerprint_files(), table=table(path), contents=contents)
    of_files = FingerprintCache(fingerprint_files())
    for recording in recordings:
        of_index.prints(recording)
    assert len(table(path).read(maker())) == 2
    of_index.save()
    assert len(table(path).read(maker())) == 3
    for recording, content in contents.items():
        assert content not in fingerprint_files()
        of_files.prints(recording)
        assert content in fingerprint_files()


@pytest.mark.parametrize(
    "damage",
    [
        {"prints": np.zeros((3, 64), np.float32)},
        {"prints": np.zeros((3, 63), np.float16)},
        {"prints": np.zeros((0, 64), np.float16)},
        {"prints": np.full((3, 64), np.nan, np.float16)},
        {"seconds": np.array(np.inf)},
        {"seconds": np.array([2.0, 2.0])},
        {"landmarks": np.zeros((2, 3), np.int64)},
        {"landmarks": np.zeros((3, 3), np.int32)},
        {"landmarks": np.array([[2, 1], [0, 0]], np.int32)},
        {"landmarks": np.array([[1, 2], [0, -1]], np.int32)},
        {"landmarks": np.array([[1, 2], [0, 1 << 30]], np.int32)},
        {"moments": np.zeros((7, 64), np.int16), "moments_at": np.arange(7, dtype=np.int32)},
        {"moments": np.zeros((7, 63), np.int8), "moments_at": np.arange(7, dtype=np.int32)},
        {"moments": np.zeros((7, 64), np.int8), "moments_at": np.arange(6, dtype=np.int32)},
        {"moments": np.zeros((2, 64), np.int8), "moments_at": np.array([3, 3], np.int32)},
        {"moments": np.zeros((2, 64), np.int8), "moments_at": np.array([-1, 3], np.int32)},
        {"moments": np.zeros((2, 64), np.int8), "moments_at": np.array([3, 1 << 30], np.int32)},
        {"moments": np.zeros((2, 64), np.int8), "moments_at": np.array([3, 4])},
        {"moments": np.zeros((0, 64), np.int8), "moments_at": np.zeros(0, np.int32)},
        {"else": np.zeros(3)},
    ],
)
def test_an_entry_that_is_no_fingerprint_is_made_again(
    sounds: Path, tmp_path: Path, damage: dict[str, np.ndarray]
) -> None:
    path = sounds / "00000.flac"
    files = fingerprint_files(tmp_path / "cache")
    made = FingerprintCache(files).prints(path)
    files.write(sha256(path), {**(files.read(sha256(path)) or {}), **damage})
    with pytest.warns(UserWarning, match="it holds other arrays than it should; it is made again"):
        again = FingerprintCache(files).prints(path)
    assert same(again, made)
    FingerprintCache(files).prints(path)  # without a warning


def test_damaged_fingerprints_of_an_index_are_made_again(path: Path) -> None:
    first = locate_catalogue(None, Index.open(path), None)
    known = table(path).read(maker())
    spoilt = {
        content: some._replace(windows=some.windows[:, :7]) for content, some in list(known.items())[:2]
    }
    table(path).add(maker(), spoilt)
    with pytest.warns(UserWarning, match="the index .* holds 2 damaged fingerprints, made again"):
        second = locate_catalogue(None, Index.open(path), None)
    assert np.array_equal(second.prints, first.prints)
    assert all(same(table(path).read(maker())[content], known[content]) for content in known)


@pytest.mark.parametrize("kept", [0, 3, 5])
def test_frames_of_moments_that_are_cut_short_are_damage(path: Path, kept: int) -> None:
    """So many bytes of them."""
    first = locate_catalogue(None, Index.open(path), None)
    database = lancedb.connect(str(path))
    rows = database.open_table("fingerprints").to_arrow()
    at = rows.schema.get_field_index("moments_at")
    cut = pa.array([frames[:kept] for frames in rows["moments_at"].to_pylist()], pa.binary())
    database.create_table("fingerprints", rows.set_column(at, rows.schema.field(at), cut), mode="overwrite")
    with pytest.warns(UserWarning, match="the index .* holds 3 damaged fingerprints, made again"):
        second = locate_catalogue(None, Index.open(path), None)
    assert np.array_equal(second.prints, first.prints)
    assert all(len(some.moments_at) > 0 for some in table(path).read(maker()).values())


def test_a_table_of_fingerprints_that_cannot_be_read_is_done_without(path: Path) -> None:
    first = locate_catalogue(None, Index.open(path), None)
    for file in path.rglob("fingerprints.lance/**/*"):
        if file.is_file():
            file.write_bytes(b"\xff" * 40)
    with pytest.warns(UserWarning, match="cannot read the fingerprints .*; the fingerprints are made again"):
        second = locate_catalogue(None, Index.open(path), None)
    assert np.array_equal(second.prints, first.prints)
