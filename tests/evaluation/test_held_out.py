"""Sounds held out, and recordings embedded by the judge once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_experiment import write_noise
from tiny_world import build_tiny_clap

from unheard.embedders import load_embedder
from unheard.errors import IndexFileError, InputError
from unheard.evaluation import held_out
from unheard.evaluation.recording_embeddings import embed_recordings


def test_held_out_sounds_are_those_of_a_folder_or_of_the_judges_index(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge = load_embedder(tiny_model_folder / "guide")
    assert held_out.embed(str(tiny_model_folder / "index.json"), judge).shape == (12, 16)
    write_noise(tmp_path / "sounds", ["a", "b"])
    vectors = held_out.embed(str(tmp_path / "sounds"), judge)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    (tmp_path / "sounds" / "a.wav").unlink()
    with pytest.raises(InputError, match="holds 1 held-out sound: give"):
        held_out.embed(str(tmp_path / "sounds"), judge)


def test_held_out_sounds_are_those_of_an_index_that_was_built(indexless: Path) -> None:
    folder = indexless.parent
    judge = load_embedder(folder / "embedder")
    assert held_out.embed(str(folder / "training-set"), judge).shape == (2, 16)
    with pytest.raises(IndexFileError, match="was made by"):
        held_out.embed(str(folder / "training-set"), load_embedder(build_tiny_clap(folder / "other", seed=7)))


def test_embeddings_of_the_judge_are_cached_by_content(
    tmp_path: Path, tiny_model_folder: Path, tiny_clap_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge, other = (load_embedder(folder) for folder in (tiny_model_folder / "guide", tiny_clap_folder))
    write_noise(tmp_path / "sounds", ["a", "b", "c"])
    a, b, c = sorted((tmp_path / "sounds").iterdir())
    said: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        said.append((done, total))

    first = embed_recordings([a, b], judge, progress)
    assert said == [(0, 2), (1, 2), (2, 2)]
    a = a.rename(a.with_name("z.wav"))
    again = embed_recordings([b, a, c], judge, progress)
    assert said[3:] == [(2, 3), (3, 3)]
    np.testing.assert_array_equal(again[:2], first[::-1])
    assert not np.array_equal(embed_recordings([a, b], other), first)
    b.write_bytes(c.read_bytes() + b"more")  # a sound of another content, and then one that is none
    c.write_bytes(b"no sound")
    with pytest.raises(InputError, match="cannot read"):
        embed_recordings([b, c], judge)
    said.clear()
    embed_recordings([b], judge, progress)
    assert not said  # what was embedded before the broken one is cached
