"""All encoded recordings at a glance."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unheard
from unheard.guidance.detour.coarse_latents import CoarseLatents, CoarseLatentsCache, means_of

FRAMES = 4


def coarse(latents: dict[str, torch.Tensor]) -> CoarseLatents:
    return CoarseLatents.of({name: means_of(each, FRAMES) for name, each in latents.items()}, FRAMES)


def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    """The cosine of two sounds' means, a frame at a time; what the other lacks counts as its mean."""
    parts = -(-one.shape[1] // FRAMES)
    rows = []
    for latents in (one.numpy(), other.numpy()):
        means = [latents[:, at : at + FRAMES].mean(axis=1) for at in range(0, latents.shape[1], FRAMES)]
        table = np.stack(means[:parts], axis=1)
        centred = table - table.mean(axis=1, keepdims=True)
        rows.append(np.pad(centred, ((0, 0), (0, parts - centred.shape[1]))).ravel())
    return float(rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]))


@given(lengths=st.lists(st.integers(9, 60), min_size=2, max_size=6), seed=st.integers(0, 100))
def test_recordings_are_ranked_by_the_cosine_of_their_means(lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    latents = {str(i): torch.randn(3, length, generator=generator) for i, length in enumerate(lengths)}
    prediction = torch.randn(3, 30, generator=generator)
    found = coarse(latents).nearest(prediction, len(lengths))
    assert sorted(found) == sorted(latents)
    values = [likeness(prediction, latents[name]) for name in found]
    assert all(one >= other - 1e-4 for one, other in itertools.pairwise(values))
    middle = (values[0] + values[-1]) / 2
    above = coarse(latents).nearest(prediction, len(lengths), middle)
    assert above == [name for name, value in zip(found, values, strict=True) if value > middle]


def test_a_recording_is_found_by_its_beginning_whatever_its_level() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = {str(number): torch.randn(3, 80, generator=generator) for number in range(50)}
    assert coarse(latents).nearest(0.5 * latents["7"][:, :32] + 2.0, 1) == ["7"]


def test_what_is_written_is_read_and_what_is_damaged_is_not(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backbone = unheard.load(tiny_model_folder).backbone
    recordings = {"a": Path("a.wav"), "b\n": Path("b.wav"), "lost": Path("c.wav")}
    cache = CoarseLatentsCache(backbone)
    assert cache.of(recordings) is None
    frames = (2 * backbone.frames(0.5), 3 * backbone.frames(0.5) + 1)
    latents = [torch.randn(*backbone.latent_shape[:-1], length) for length in frames]
    cache.write(recordings, dict(zip(recordings, map(cache.means_of, latents), strict=False)))
    for known in (cache.of(recordings), CoarseLatentsCache(backbone).of(recordings)):
        assert known is not None
        assert known.names == ("a", "b\n")
        assert known.parts.tolist() == [2, 4]
    assert cache.of({**recordings, "a": Path("a.wav").resolve()}) is not None  # another spelling
    assert cache.of({**recordings, "a": Path("elsewhere.wav")}) is None
    (file,) = tmp_path.rglob("*.safetensors")
    content = file.read_bytes()
    for damaged in (content[: len(content) // 2], content.replace(b'["a"', b'[("a"')):
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="it is made again"):
            assert CoarseLatentsCache(backbone).of(recordings) is None


def test_the_weights_are_not_hashed_to_load_a_model(tiny_model_folder: Path) -> None:
    model = unheard.load(tiny_model_folder)
    assert "fingerprint" not in vars(model.backbone)  # it is kept there once it is asked for
