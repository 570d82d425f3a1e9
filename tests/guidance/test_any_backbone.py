"""Every kind of guidance on a backbone whose latents and conditioning are unlike Stable Audio's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_world import CAPTIONS
from torch import Tensor
from toy_backbone import BANDS, CHANNELS, FRAMES, RATE, ToyBackbone

from unheard import Model
from unheard.generation.defaults import Defaults
from unheard.guidance import AMG, GUIDANCES, Detour, Volumetric, read_guidance

MEMORISED = CAPTIONS[0]
SETTINGS = {
    # Open gates and weak gradients: what is asked is whether shapes fit, not whether copies go away.
    "amg": {"lambda_min": -1.0, "lambda_max": -1.0, "c3": 1.0},
    "volumetric": {"lambda_min": -1.0, "lambda_max": -1.0, "weight": 1.0},
    "prompt-adjustment": {"target": 1e-3, "updates": 2},
    "basin": {"latest": 0.5},
    "detour": {"candidates": 4},
    "static-rewrite": {"candidates": 4},
    "nearest-caption": {},
    "gated-amg": {"candidates": 4, "c3": 1.0},
    "rare-words": {"fewest_captions": 3},
    "prompt-noise": {"random_words": 2, "embedding_noise": 0.1},
}


@pytest.fixture(scope="module")
def model(recordings: Path, toy_defaults: Defaults) -> Model:
    return Model(ToyBackbone({MEMORISED: recordings / "train_00.wav"}), toy_defaults)


def test_all_kinds_are_asked() -> None:
    assert set(SETTINGS) == set(GUIDANCES)


@pytest.mark.parametrize("kind", GUIDANCES)
def test_a_kind_runs_and_each_sound_of_a_batch_is_what_it_is_alone(
    kind: str, model: Model, recordings: Path
) -> None:
    guidance = read_guidance({"kind": kind, **SETTINGS[kind]})
    prompts = [MEMORISED, "A slow piano melody"]
    together = model.generate(prompts, seed=[3, 4], guidance=guidance, references=recordings)
    assert any(sound.acted for sound in together)
    for position, prompt in enumerate(prompts):
        assert together[position].waveform.shape == (1, round(0.6 * RATE))
        (alone,) = model.generate(prompt, seed=3 + position, guidance=guidance, references=recordings)
        torch.testing.assert_close(alone.waveform, together[position].waveform, atol=1e-4, rtol=1e-3)


def test_what_lies_beyond_the_duration_is_not_decoded(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = set()
    decode = model.backbone.decode

    def noting(latents: Tensor) -> Tensor:
        assert latents.shape[1::2] == (CHANNELS, BANDS)
        lengths.add(latents.shape[2])
        return decode(latents)

    monkeypatch.setattr(model.backbone, "decode", noting)
    model.generate("A bell", guidance=AMG(c1=0.0, c2=0.0, c3=0.0), duration=0.2)
    assert lengths == {10, FRAMES}  # the finished latents are decoded whole, and the waveform is cut


def test_the_detour_leaves_a_memorised_prompt_by_its_recordings(model: Model, recordings: Path) -> None:
    options = {"seed": 5, "guidance_scale": 1.0}
    (copied,) = model.generate(MEMORISED, guidance=None, **options)
    expected = model.backbone.decode(model.backbone._memory[0][None])[0, :, : copied.waveform.shape[1]]  # type: ignore[attr-defined]
    assert torch.cosine_similarity(copied.waveform, expected, dim=1) > 0.9
    (sound,) = model.generate(MEMORISED, guidance=Detour(candidates=4), references=recordings, **options)
    first = sound.trace[0]
    assert first.value is not None
    assert first.value > 0.9
    assert (first.neighbour, first.acted) == ("train_00", True)
    assert torch.cosine_similarity(sound.waveform, expected, dim=1) < 0.5


def test_without_recordings_the_pull_is_asked(model: Model) -> None:
    (sound,) = model.generate("A bell", guidance=Detour(pull=0.0), seed=1)
    assert sound.trace[0].measure == "the prompt's pull, in high noise"
    assert sound.trace[0].acted


def test_the_gradient_is_smoothed_along_time(model: Model) -> None:
    """A pass band of nearly nothing leaves only each feature's mean over time."""
    options = {"seed": 2, "num_inference_steps": 1, "sigma_max": 1.0}
    settings = {"lambda_min": -1.0, "lambda_max": -1.0, "pass_band": 1e-6, "weight": 5.0}
    plain = model.generate("A bell", guidance=None, **options)[0].waveform
    guided = model.generate("A bell", guidance=Volumetric(**settings), **options)[0].waveform
    moved = model.backbone.encode_audio((guided - plain)[None])[0]
    assert moved.abs().max() > 1e-4
    torch.testing.assert_close(moved, moved.mean(dim=1, keepdim=True).expand_as(moved), atol=1e-4, rtol=1e-2)


def test_amg_runs_at_every_term(model: Model) -> None:
    for weights in ({"c1": 4.0, "c2": 0.0, "c3": 0.0}, {"c1": 0.0, "c2": 3.0, "c3": 0.0}):
        guidance = AMG(lambda_min=-1.0, lambda_max=-1.0, **weights)
        assert model.generate("A bell", guidance=guidance)[0].acted == 4
