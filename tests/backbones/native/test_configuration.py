"""What of a `model_config.json` is understood, and the name of the key where something is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import native_models
import pytest
import torch

from unheard.backbones.stable_audio.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio.native.modules import build_modules
from unheard.errors import LONGEST, ModelError

PUBLISHED_SIZES = {
    "open": {"vae": 156.1, "projection_model": 0.4, "transformer": 1056.9},
    "small": {"vae": 156.1, "projection_model": 0.2, "transformer": 340.9},
}
"""Millions of parameters, as the documentation has them."""
TRANSFORMER = "model.diffusion.config"
DECODER = "model.pretransform.config.decoder.config"
PROMPT = "model.conditioning.configs.0.config"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return native_models.configurations()["open"]


def changed(settings: dict[str, Any], keys: str, value: object) -> dict[str, Any]:
    """A copy with another value under keys joined by dots."""
    copied = copy.deepcopy(settings)
    *path, last = keys.split(".")
    inner: Any = copied
    for key in path:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[last] = value
    return copied


def read(settings: object, folder: Path) -> Configuration:
    (folder / "model_config.json").write_text(json.dumps(settings))
    return read_configuration(folder / "model_config.json")


def published(model: str) -> dict[str, Any]:
    """The configuration of Stable Audio Open 1.0, "open", or of Small."""
    settings = native_models.configurations()[model]
    inner = settings["model"]
    for half, latent in (("encoder", 128), ("decoder", 64)):
        own = inner["pretransform"]["config"][half]["config"]
        own |= {"channels": 128, "latent_dim": latent}
        own |= {"c_mults": [1, 2, 4, 8, 16], "strides": [2, 4, 4, 8, 8]}
    inner["pretransform"]["config"] |= {"latent_dim": 64, "downsampling_ratio": 2048}
    inner["conditioning"]["cond_dim"] = 768
    inner["io_channels"] = 64
    inner["diffusion"]["config"] |= {"io_channels": 64, "cond_token_dim": 768} | (
        {"embed_dim": 1536, "depth": 24, "num_heads": 24, "global_cond_dim": 1536}
        if model == "open"
        else {"embed_dim": 1024, "depth": 16, "num_heads": 8, "global_cond_dim": 768}
    )
    return settings | {"sample_size": 2097152 if model == "open" else 524288, "sample_rate": 44100}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("model", ["open", "small"])
def test_the_published_sizes(model: str, tmp_path: Path) -> None:
    read_as = read(published(model), tmp_path)
    modules = build_modules(read_as, text_dimension=768)
    counted = {
        name: sum(parameter.numel() for parameter in module.parameters()) / 1e6
        for name, module in modules.items()
    }
    assert counted == pytest.approx(PUBLISHED_SIZES[model], abs=0.05)
    frames, heads, times = (1024, (24, 12), 2) if model == "open" else (256, (8, 8), 1)
    transformer = read_as.transformer
    assert transformer["sample_size"] == frames
    assert (transformer["num_attention_heads"], transformer["num_key_value_attention_heads"]) == heads
    assert len(read_as.times) == times
    with torch.device("meta"):
        estimate = modules["transformer"](
            torch.empty(2, 64, frames),
            torch.empty(2),
            encoder_hidden_states=torch.empty(2, 128 + times, 768),
            global_hidden_states=torch.empty(2, 1, 768 * times),
            return_dict=False,
        )[0]
    assert estimate.shape == (2, 64, frames)


def test_ranges_of_time_are_those_of_each(settings: dict[str, Any], tmp_path: Path) -> None:
    other = changed(settings, "model.conditioning.configs.1.config", {"min_val": 1, "max_val": 30})
    assert read(other, tmp_path).times == {"seconds_start": (1.0, 30.0), "seconds_total": (0.0, 8.0)}


def test_what_says_nothing_of_the_model_may_be_anything(settings: dict[str, Any], tmp_path: Path) -> None:
    plain = read(settings, tmp_path)
    for keys, value in (
        ("training.demo.demo_every", "often"),
        ("name", "Warm pads"),
        ("model.pretransform.model_half", True),
        ("model.pretransform.config.encoder.requires_grad", False),
        (f"{TRANSFORMER}.num_memory_tokens", 0),
        (f"{TRANSFORMER}.attn_kwargs", {"qk_norm": "none"}),
        ("model.diffusion.input_concat_ids", []),
        ("model.diffusion.diffusion_objective", "v"),
    ):
        assert read(changed(settings, keys, value), tmp_path) == plain


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        ("model_type", "autoencoder", "unheard runs 'diffusion_cond' there"),
        ("sample_rate", "44.1k", "unheard runs a whole number above 0 there"),
        ("sample_size", 100, "unheard runs at least 512 samples"),
        ("model.pretransform.type", "patched", "unheard runs 'autoencoder' there"),
        ("model.pretransform.scale", 0.5, "unheard runs 1.0 there"),
        ("model.pretransform.config.bottleneck.type", "fsq", "unheard runs 'vae' there"),
        ("model.pretransform.config.encoder.type", "dac", "unheard runs 'oobleck' there"),
        ("model.pretransform.config.encoder.config.latent_dim", 32, "unheard runs 16 there"),
        (f"{DECODER}.final_tanh", True, "unheard runs False there"),
        (f"{DECODER}.use_snake", False, "unheard runs True there"),
        (f"{DECODER}.antialias_activation", True, "unheard runs False there"),
        ("model.conditioning.configs.0.type", "clap_text", "unheard runs 't5' there"),
        ("model.conditioning.configs.1.type", "int", "unheard runs 'number' there"),
        (
            "model.conditioning.configs.1.id",
            "bpm",
            "unheard runs 'prompt' or 'seconds_start' or 'seconds_total'",
        ),
        (f"{PROMPT}.t5_model_name", "../../somewhere", "unheard runs 't5-small'"),
        (f"{PROMPT}.enable_grad", True, "unheard runs False there"),
        ("model.diffusion.type", "adp_cfg_1d", "unheard runs 'dit' there"),
        (
            "model.diffusion.diffusion_objective",
            "x0",
            "unheard runs 'v' or 'rectified_flow' or 'rf_denoiser'",
        ),
        ("model.diffusion.prepend_cond_ids", ["prompt"], r"unheard runs \[\] there"),
        ("model.diffusion.global_cond_ids", [], r"unheard runs \['seconds_start', 'seconds_total'\] there"),
        (f"{TRANSFORMER}.global_cond_type", "adaLN", "unheard runs 'prepend' there"),
        (f"{TRANSFORMER}.num_memory_tokens", 64, "unheard runs 0 there"),
        (f"{TRANSFORMER}.num_heads", 4, "unheard runs whole heads of 64 numbers and more there"),
        (f"{TRANSFORMER}.num_heads", 1, "unheard runs heads that divide cond_token_dim, 64, evenly there"),
        (f"{TRANSFORMER}.attn_kwargs.qk_norm", "l2", "unheard runs 'none' or 'ln' there"),
        (f"{TRANSFORMER}.attn_kwargs.differential", True, "unheard runs False there"),
        (f"{TRANSFORMER}.norm_kwargs.eps", 1e-6, "unheard runs 1e-05 there"),
        (f"{TRANSFORMER}.use_flying_tokens", 3, "unheard does not know this part of stable-audio-tools"),
        (f"{TRANSFORMER}.ff_kwargs.mult", 2, "unheard runs 4 there"),
        ("model.lora", {}, "unheard does not know this part of stable-audio-tools"),
    ],
)
def test_what_is_not_supported_is_refused_by_key_and_value(
    settings: dict[str, Any], tmp_path: Path, keys: str, value: object, said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        read(changed(settings, keys, value), tmp_path)
    assert f"{keys} is {value!r}: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["x" * 100_000, [10**4000] * 2])
def test_a_message_is_one_line_whatever_a_file_holds(
    settings: dict[str, Any], tmp_path: Path, value: object
) -> None:
    strides = "model.pretransform.config.{}.config.strides"
    keys = [strides.format("encoder"), strides.format("decoder")]
    found = changed(changed(settings, keys[0], value), keys[1], value)
    with pytest.raises(ModelError) as caught:
        read(found, tmp_path)
    assert len(str(caught.value)) <= LONGEST
    assert "unheard runs" in str(caught.value)


def test_what_is_missing_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    without = copy.deepcopy(settings)
    del without["model"]["diffusion"]["config"]["depth"]
    with pytest.raises(ModelError, match=r"lacks model\.diffusion\.config\.depth"):
        read(without, tmp_path)
    del without["model"]["conditioning"]["configs"][0]
    with pytest.raises(ModelError, match=r"configs is \['seconds_start', 'seconds_total'\]: .*'prompt' and"):
        read(without, tmp_path)
    for content in ({"model_type": "diffusion_cond", "model": []}, [], {}):
        with pytest.raises(ModelError):
            read(content, tmp_path)
