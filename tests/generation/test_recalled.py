"""A prompt that leads to the recording of a caption like it, later than in full noise, without recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from memorising_toy import MEMORISED, ORDINARY, memorising_toy, write_recordings
from toy_backbone import ToyBackbone, ToyConditioning

import unheard
from unheard import Detour, Model
from unheard.generation import provenance
from unheard.guidance import read_guidance

LATE = "slow bell c number 5"
GUIDANCE = Detour(settled_pull=1.2, pull=1.3)


class LateBackbone(ToyBackbone):
    """Of one prompt it says what it says of any, and in little noise a recording."""

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor, conditioning: ToyConditioning) -> torch.Tensor:
        told = super().denoise(x, sigma, conditioning)
        own = (conditioning.text == self._states(LATE)).all(dim=(1, 2)) & (sigma < 8)
        share = (1 / (1 + sigma**2))[:, None, None, None]
        return torch.where(own[:, None, None, None], share * x + (1 - share) * self._memory[-1], told)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("late")
    toy = memorising_toy(folder, write_recordings(folder))
    assert isinstance(toy.backbone, ToyBackbone)
    return Model(LateBackbone(toy.backbone.memorised), toy.defaults)


def like_the_recording(sound: unheard.Sound, model: Model) -> float:
    assert isinstance(model.backbone, ToyBackbone)
    recording = model.backbone.decode(model.backbone._memory[-1][None])[0, :, : sound.waveform.shape[1]]
    return float(torch.cosine_similarity(sound.waveform, recording, dim=1))


@pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
def test_the_sound_is_made_again_under_another_caption(model: Model, tmp_path: Path) -> None:
    prompts = [LATE, ORDINARY[5], MEMORISED[-1]]
    (copied,) = model.generate(LATE, seed=1, guidance=replace(GUIDANCE, settled_pull=0.0))
    assert copied.outcome == "kept the prompt"
    assert like_the_recording(copied, model) > 0.9
    sounds = model.generate(prompts, seed=1, guidance=GUIDANCE)
    late, ordinary, memorised = sounds
    assert like_the_recording(late, model) < 0.5
    assert late.fallback is not None
    assert (late.fallback.step, late.fallback.prompt_weight) == (1, 0.0)
    assert late.outcome.endswith("; under the prompt it was like what the model recalls of another caption")
    (former,) = late.provenance["instead_of"]
    assert former["caption"] is None
    assert former["recalled"]["value"] > former["recalled"]["threshold"] == GUIDANCE.settled_pull
    assert ordinary.outcome == "kept the prompt"
    assert "instead_of" not in ordinary.provenance
    assert memorised.acted
    assert "instead_of" not in memorised.provenance
    for number, sound in enumerate(sounds):
        (alone,) = model.generate(prompts[number], seed=1, guidance=GUIDANCE)
        torch.testing.assert_close(alone.waveform, sound.waveform, atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
def test_its_record_makes_that_very_sound_again(model: Model, tmp_path: Path) -> None:
    (sound,) = model.generate(LATE, seed=1, guidance=GUIDANCE)
    sound.save(tmp_path / "sound.wav")
    guidance = read_guidance(provenance.read(tmp_path / "sound.json")["guidance"])
    assert guidance == replace(GUIDANCE, way=1)
    (again,) = model.generate(LATE, seed=1, guidance=guidance)
    assert torch.equal(again.waveform, sound.waveform)
    assert again.outcome.startswith("way 1 was asked for")


@pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
def test_an_uncalibrated_guidance_asks_for_nothing_of_it(model: Model) -> None:
    (sound,) = model.generate(LATE, seed=1, guidance=Detour(pull=1.0))
    assert sound.outcome == "kept the prompt"
