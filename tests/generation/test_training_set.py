"""The recordings of a training set: those that an index says, and those of what a model has memorised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from replaying import RECORDINGS

from unheard.auditing.catalogue import by_id
from unheard.embedders import load_embedder
from unheard.generation.training_set import TrainingSet
from unheard.guidance.detour.settings import Detour
from unheard.index import Index, build


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder of two of the recordings that `tiny` has memorised."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for file in sorted(RECORDINGS.glob("*.flac"))[:2]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def index(tmp_path: Path, sounds: Path, tiny_clap_folder: Path) -> Index:
    build([sounds], tmp_path / "index", embedder=load_embedder(tiny_clap_folder), workers=0)
    return Index.open(tmp_path / "index")


def test_what_an_index_locates_is_not_all_that_a_model_has_memorised(index: Index, sounds: Path) -> None:
    sorted(sounds.iterdir())[0].unlink()
    training_set = TrainingSet(index, own=True)
    assert len(training_set.recordings) == 1
    assert not training_set.memorised
    assert not training_set.only_memorised


def test_a_list_of_a_model_says_what_it_has_memorised(index: Index, sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "model" / "memorised").mkdir(parents=True)
    shutil.copy(sorted(sounds.iterdir())[0], tmp_path / "model" / "memorised")
    brought = tmp_path / "model" / "memorised.json"
    located = TrainingSet(index, own=True, brought=brought)
    assert len(located.recordings) == 2
    assert len(located.memorised) == 1
    assert not located.only_memorised
    shutil.rmtree(sounds)
    assert TrainingSet(index, own=True, brought=brought).only_memorised
    assert not TrainingSet(index, own=True, brought=brought, share=0.0).only_memorised
    assert not TrainingSet(index, own=False, brought=brought).only_memorised
    assert not TrainingSet(index, by_id(brought.parent / "memorised").values(), own=True).only_memorised


def test_items_without_captions_are_told(index: Index) -> None:
    told = r"index has no caption for 2 of its 2 items: a detour cannot go on under those$"
    with pytest.warns(UserWarning, match=told):
        assert TrainingSet(index, own=True).check(Detour(), "tiny")
