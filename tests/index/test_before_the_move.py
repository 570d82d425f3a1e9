"""Indexes that were made before the package was arranged anew are read, searched, verified and added to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fixtures.before_the_move import RATE, described, embedder, write_sounds

from unheard import index
from unheard.index import Index, JSONIndex

BEFORE = Path(__file__).parents[1] / "fixtures" / "before_the_move"
INDEXES = ("store", "index.json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the indexes, beside the sounds that they were made of."""
    copy = shutil.copytree(BEFORE, tmp_path / "before")
    write_sounds(copy / "sounds")
    monkeypatch.chdir(copy)
    return copy


def expected(uri: str) -> dict[str, Any]:
    return json.loads((BEFORE / "expected.json").read_text())[uri]


@pytest.mark.parametrize("uri", INDEXES)
def test_what_was_said_of_it_and_found_in_it_is_so_still(folder: Path, uri: str) -> None:
    found, then = described(uri, folder / "sounds" / "bell.wav"), expected(uri)
    assert found["info"] == then["info"]
    assert [item for item, _ in found["nearest"]] == [item for item, _ in then["nearest"]]
    assert [similarity for _, similarity in found["nearest"]] == pytest.approx(
        [similarity for _, similarity in then["nearest"]], abs=1e-6
    )
    assert index.verify(uri) == []
    assert Index.open(uri).sha256 == then["info"]["checksum"]


def test_a_build_knows_what_is_in_the_store_and_adds_what_is_new(folder: Path) -> None:
    samples, _ = soundfile.read("sounds/bell.wav")
    soundfile.write("sounds/other bell.wav", samples[::2], RATE)  # an octave higher
    built = index.build("sounds", "store", embedder=embedder(), workers=0)
    assert (built.unchanged, built.added, built.changed, built.rejected) == (4, 1, 0, 0)
    assert index.verify("store") == []
    assert Index.open("store").ids == [
        "bass.wav",
        "bell.wav",
        "long.wav",
        "long.wav",
        "long.wav",
        "other bell.wav",
    ]
    assert index.remove("store", ["other bell.wav"]) == 1
    assert index.info("store").checksum == expected("store")["info"]["checksum"]


def test_sounds_are_added_to_either(folder: Path) -> None:
    sound = folder / "sounds" / "long.wav"
    assert index.add("store", [sound], caption="A low tone", embedder=embedder()).redescribed == 1
    assert index.add_sounds("index.json", [sound], "A low tone", embedder()).ids == ["long.wav"]
    for uri in INDEXES:
        assert index.verify(uri) == []
        (nearest, similarity), *_ = index.search(uri, audio=sound, embedder=embedder())
        assert (nearest.id, nearest.prompt) == ("long.wav", "A low tone")
        assert similarity > 0.9


def test_a_json_file_is_written_again_as_it_was(folder: Path) -> None:
    JSONIndex.open("index.json").save("again.json")
    assert (folder / "again.json").read_bytes() == (BEFORE / "index.json").read_bytes()
