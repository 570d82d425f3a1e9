"""Loading a Stable Audio model from a folder: what comes of it, and what is said of one that is not whole."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import tiny_world
import torch
from diffusers import AutoencoderOobleck
from random_backbone import backbone_of
from torch import Tensor

from unheard.backbones import load_backbone, resolve_dtype
from unheard.backbones.stable_audio.backbone import COMPONENTS, StableAudioBackbone
from unheard.errors import ModelError

CPU = torch.device("cpu")

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture
def folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(tiny_model_folder, tmp_path / "model")
    return tmp_path / "model"


def estimate(backbone: StableAudioBackbone) -> tuple[Tensor, Tensor]:
    x = torch.randn(1, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    denoised = backbone.denoise(x, torch.ones(1), backbone.encode(["A bell"], [0.0], [1.0]))
    return denoised, backbone.decode(denoised)


def test_loading_a_folder_gives_the_model_that_was_saved(
    tiny_model_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_backbone(tiny_model_folder, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert isinstance(loaded, StableAudioBackbone)
    assert (loaded.device, loaded.dtype) == (CPU, torch.float32)
    assert (loaded.sample_rate, loaded.audio_channels, loaded.hop_length) == (16_000, 1, 512)
    assert (loaded.latent_shape, loaded.max_duration) == ((8, 32), 1.024)
    for ours, saved in zip(estimate(loaded), estimate(backbone_of(tiny_world.tiny_pipeline(0))), strict=True):
        torch.testing.assert_close(ours, saved, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-3), ("bfloat16", 5e-2)])
def test_half_precision_is_close_and_comes_back_as_float32(
    tiny_model_folder: Path, dtype: str, tolerance: float
) -> None:
    half = load_backbone(str(tiny_model_folder), device="cpu", dtype=dtype)
    full = load_backbone(str(tiny_model_folder), device="cpu")
    assert half.dtype == resolve_dtype(dtype)
    for rough, exact in zip(estimate(half), estimate(full), strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < tolerance * exact.norm()


def test_weights_saved_in_float16_run_in_float32(tmp_path: Path) -> None:
    tiny_world.tiny_pipeline(0).to(torch.float16).save_pretrained(tmp_path)
    loaded = load_backbone(tmp_path, device="cpu")
    assert loaded.dtype == torch.float32
    for rough, exact in zip(
        estimate(loaded), estimate(backbone_of(tiny_world.tiny_pipeline(0))), strict=True
    ):
        assert (rough - exact).norm() < 5e-3 * exact.norm()


def test_fingerprint_follows_the_weights(folder: Path, tiny_model_folder: Path) -> None:
    first = load_backbone(tiny_model_folder, device="cpu").fingerprint
    assert first is not None
    assert first.startswith("sha256:")
    assert load_backbone(folder, device="cpu").fingerprint == first
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert load_backbone(folder, device="cpu").fingerprint != first
    assert backbone_of(tiny_world.tiny_pipeline(0)).fingerprint is None


@pytest.mark.parametrize("part", COMPONENTS)
def test_a_missing_part_is_named_in_one_line(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(folder, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["vae", "text_encoder", "projection_model", "transformer"])
def test_damaged_weights_are_named_in_one_line(folder: Path, part: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    AutoencoderOobleck(4, [8, 8, 8], [1, 2, 2], 8, 8, 1, 16_000).save_pretrained(folder / "vae")
    config = json.loads((folder / "vae" / "config.json").read_text())
    config["encoder_hidden_size"] = 16
    (folder / "vae" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot load vae of the model"):
        load_backbone(folder, device="cpu")


@pytest.mark.parametrize(("setting", "value"), [("sigma_data", 0.5), ("prediction_type", "epsilon")])
def test_another_parameterisation_is_refused(setting: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"the scheduler of random has {setting} {value!r}"):
        backbone_of(tiny_world.tiny_pipeline(0), **{setting: value})
