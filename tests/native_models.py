"""Small random models in the layout of stable-audio-tools, and the same in diffusers' layout.

No parameter is zero: a layer that begins at zero would hide whatever it is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deterministic_weights
import tiny_world
from diffusers import AutoencoderOobleck, StableAudioDiTModel, StableAudioPipeline
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from lab.native_layout import configuration
from unheard.backbones.lora import LoRA
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.layers import merge_loras

HEAD, LAYERS = 64, 2
MIN_SECONDS, MAX_SECONDS = 0, 8
TEXT_DIMENSION = 24


def tokenizer() -> T5Tokenizer:
    """The words of `tiny_world`."""
    return tiny_world.t5_tokenizer()


def text_encoder() -> T5EncoderModel:
    """A small T5 with deterministic weights."""
    config = T5Config(
        vocab_size=len(tokenizer()), d_model=TEXT_DIMENSION, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    return deterministic_weights.fill(T5EncoderModel(config), "t5.").eval().requires_grad_(False)


def pipeline() -> StableAudioPipeline:
    """A small pipeline whose heads the native configuration can say: one of keys for two of queries."""
    made = tiny_world.tiny_pipeline(audio_channels=2, text_dimension=TEXT_DIMENSION)
    made.text_encoder = text_encoder()
    made.projection_model = StableAudioProjectionModel(TEXT_DIMENSION, HEAD, MIN_SECONDS, MAX_SECONDS)
    made.transformer = transformer_for(made.vae, HEAD)
    for part in (made.vae, made.projection_model, made.transformer):
        deterministic_weights.fill(part).eval().requires_grad_(False)
    return made


def transformer_for(vae: AutoencoderOobleck, dimension: int, frames: int = tiny_world.LATENT_FRAMES) -> Any:
    """A transformer over an autoencoder's latents, told of prompts and times in so many numbers."""
    channels = vae.config.decoder_input_channels
    return StableAudioDiTModel(
        sample_size=frames,
        in_channels=channels,
        out_channels=channels,
        num_layers=LAYERS,
        attention_head_dim=HEAD,
        num_attention_heads=2 * dimension // HEAD,
        num_key_value_attention_heads=dimension // HEAD,
        cross_attention_dim=dimension,
        time_proj_dim=256,
        global_states_input_dim=2 * dimension,
        cross_attention_input_dim=dimension,
    )


def configurations() -> dict[str, dict[str, Any]]:
    """Those that stable-audio-tools itself was asked for: as Stable Audio Open 1.0 is, and as Small is."""
    found = {"open": configuration(pipeline()), "small": configuration(pipeline())}
    model = found["small"]["model"]
    del model["conditioning"]["configs"][1]
    model["diffusion"] |= {
        "cross_attention_cond_ids": ["prompt", "seconds_total"],
        "global_cond_ids": ["seconds_total"],
        "diffusion_objective": "rf_denoiser",
        "distribution_shift_options": {"min_length": 256, "max_length": 4096},
    }
    model["diffusion"]["config"] |= {
        "global_cond_dim": HEAD,
        "project_cond_tokens": True,
        "attn_kwargs": {"qk_norm": "ln"},
    }
    return found


def write(
    folder: Path, settings: dict[str, Any], named: Mapping[str, Tensor], checkpoint: str = "model.safetensors"
) -> Path:
    """A folder in the native layout."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    save_file(dict(named), folder / checkpoint)
    return folder


def write_text_encoder(folder: Path) -> None:
    """As transformers writes one with its tokenizer."""
    text_encoder().save_pretrained(folder)
    tokenizer().save_pretrained(folder)


@contextmanager
def merged(backbone: StableAudioBackbone, loras: Sequence[LoRA]) -> Iterator[StableAudioBackbone]:
    """A model under LoRAs, and afterwards without."""
    parts = backbone.transformer, backbone.projection_model
    before = [{name: weight.clone() for name, weight in part.state_dict().items()} for part in parts]
    merge_loras(backbone, loras)
    try:
        yield backbone
    finally:
        for part, weights_before in zip(parts, before, strict=True):
            part.load_state_dict(weights_before)
