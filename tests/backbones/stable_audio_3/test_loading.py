"""Loading a Stable Audio 3 from a folder: what comes of it, and what is said of one that is not whole."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderSAME,
    StableAudio3AudioToAudioPipeline,
    StableAudio3InpaintPipeline,
    StableAudio3Pipeline,
)
from stable_audio_3_pipeline import stable_audio_3_backbone, stable_audio_3_pipeline
from torch import Tensor

import unheard
from unheard.backbones import load_backbone, resolve_dtype
from unheard.backbones.stable_audio_3.backbone import COMPONENTS, StableAudio3Backbone
from unheard.errors import InputError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not write to it."""
    folder = tmp_path_factory.mktemp("stable-audio-3") / "model"
    stable_audio_3_pipeline(0).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def estimate(backbone: StableAudio3Backbone) -> tuple[Tensor, Tensor]:
    shape = (1, *backbone.noise_shape(0.3))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    denoised = backbone.denoise(x, torch.ones(1), backbone.encode(["A bell"], [0.0], [1.0]))
    return denoised, backbone.decode(denoised)


def loaded(folder: Path, **options: Any) -> StableAudio3Backbone:
    backbone = load_backbone(folder, device="cpu", **options)
    assert isinstance(backbone, StableAudio3Backbone)
    return backbone


def test_loading_a_folder_gives_the_model_that_was_saved(
    saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone = loaded(saved)
    assert capfd.readouterr() == ("", "")
    assert (backbone.device.type, backbone.dtype) == ("cpu", torch.float32)
    assert (backbone.sample_rate, backbone.audio_channels, backbone.hop_length) == (16_000, 2, 256)
    assert (backbone.latent_shape, backbone.max_duration) == ((8, 125), 2.0)
    of_memory = stable_audio_3_backbone(stable_audio_3_pipeline(0))
    for ours, in_memory in zip(estimate(backbone), estimate(of_memory), strict=True):
        torch.testing.assert_close(ours, in_memory, rtol=1e-5, atol=1e-6)
    assert of_memory.fingerprint is None
    assert loaded(saved).fingerprint == backbone.fingerprint
    assert str(backbone.fingerprint).startswith("sha256:")


@pytest.mark.parametrize(
    "kind", [StableAudio3Pipeline, StableAudio3AudioToAudioPipeline, StableAudio3InpaintPipeline]
)
def test_the_three_pipelines_save_the_same_model(kind: type[Any], saved: Path, tmp_path: Path) -> None:
    """Inpainting is one more input of the same network, which is left out here as by the others."""
    stable_audio_3_pipeline(0, distilled=True, kind=kind).save_pretrained(tmp_path)
    other = loaded(tmp_path)
    assert other.distilled
    assert other.default_sampling.sampler == "pingpong"
    for one, another in zip(estimate(loaded(saved)), estimate(other), strict=True):
        assert torch.equal(one, another)


def test_distilled_weights_go_from_a_folder_to_a_sound_in_eight_single_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ping-pong at scale 1, so that nothing is asked without the prompt."""
    stable_audio_3_pipeline(0, distilled=True).save_pretrained(tmp_path)
    model = unheard.load(tmp_path, device="cpu")
    denoise, asked = model.backbone.denoise, []

    def noting(x: Tensor, sigma: Tensor, conditioning: Any) -> Tensor:
        asked.append(len(x))
        return denoise(x, sigma, conditioning)

    monkeypatch.setattr(model.backbone, "denoise", noting)
    options = {"duration": 0.3, "seed": 1, "guidance": None}
    (sound,) = model.generate("A bell", **options)
    assert asked == [1] * 8
    assert sound.waveform.shape == (2, 4_800)
    settings = sound.provenance["sampling"]
    assert (settings["sampler"], settings["schedule"], settings["guidance_scale"]) == (
        "pingpong",
        "model",
        1.0,
    )
    (again,) = model.generate("A bell", **options)
    assert torch.equal(again.waveform, sound.waveform)
    take = (sound.waveform, sound.sample_rate)
    (near,) = model.generate("A bell", init_audio=take, init_noise_level=0.3, **options)
    assert not torch.equal(near.waveform, sound.waveform)
    with pytest.raises(InputError, match=r"takes no start: leave 0\.1 out"):
        model.generate("A bell", start=0.1, **options)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-2), ("bfloat16", 1e-1)])
def test_half_precision_is_close_and_comes_back_as_float32(saved: Path, dtype: str, tolerance: float) -> None:
    half, full = loaded(saved, dtype=dtype), loaded(saved)
    assert half.dtype == resolve_dtype(dtype)
    for rough, exact in zip(estimate(half), estimate(full), strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < tolerance * exact.norm()


@pytest.mark.parametrize("part", COMPONENTS)
def test_a_missing_part_is_named_in_one_line(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["vae", "text_encoder", "duration_embedder", "transformer"])
def test_damaged_weights_are_named_in_one_line(folder: Path, part: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    AutoencoderSAME(2, 64, 8, (3,), (4,), (2,), 8, dim_heads=8).save_pretrained(folder / "vae")
    config = json.loads((folder / "vae" / "config.json").read_text())
    config["encoder_c_mults"] = [2]
    (folder / "vae" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot load vae of the model"):
        loaded(folder)


def test_a_scheduler_of_a_thousand_times_is_refused_before_the_networks_are_of_use(folder: Path) -> None:
    """What diffusers' scheduler is by default, and what no converted checkpoint has."""
    path = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    del config["num_train_timesteps"]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="has num_train_timesteps 1000: unheard runs"):
        loaded(folder)
