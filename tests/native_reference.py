"""What stable-audio-tools itself computed, see `tests/fixtures/native_reference.py`, and of which models."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import deterministic_weights
import native_models
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FILE = Path(__file__).parent / "fixtures" / "native_reference.safetensors"
PROMPTS = ("A warm pad with strings", "Drum loop, 110 bpm")
STARTS, TOTALS, TIMES = (0.0, 1.5), (1.0, 9.0), (0.25, 0.9)
NEGATIVE = "low quality noise"
LORAS: dict[str, dict[str, Any]] = {
    "lora": {"adapter_type": "lora", "rank": 4, "alpha": 6.0},
    "dora": {"adapter_type": "dora-rows", "rank": 3, "alpha": 3.0},
    "columns": {"adapter_type": "dora-cols", "rank": 3, "alpha": 3.0},
    "bora": {"adapter_type": "bora", "rank": 2, "alpha": 2.0},
    "small": {"adapter_type": "lora-xs", "rank": 4, "alpha": 4.0},
    "small-dora": {"adapter_type": "dora-rows-xs", "rank": 4, "alpha": 4.0},
}
DECODED = 8
"""Frames of latents."""
STRENGTH = 0.7
STACKED = (("lora", 0.8), ("small-dora", 0.5), ("dora", 1.3))
"""Several at once, each with its strength."""


def inputs(latent_shape: tuple[int, ...], audio_channels: int, hop_length: int) -> tuple[Tensor, Tensor]:
    """Latents in the network's own scale `[2, *latent_shape]`, and a waveform of four frames."""
    z = deterministic_weights.uniform("z", (len(PROMPTS), *latent_shape))
    return z, 0.3 * deterministic_weights.uniform("waveform", (1, audio_channels, 4 * hop_length))


@cache
def expected() -> dict[str, Tensor]:
    """The outputs of each model, by its name and theirs."""
    with safe_open(FILE, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@cache
def shapes() -> dict[str, Any]:
    """The weights of each model by their names, and those of each LoRA."""
    with safe_open(FILE, "pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["shapes"])
    return found


def write_model(folder: Path, model: str) -> Path:
    """A folder as creators publish it, "open" or "small", with the text encoder beside the checkpoint."""
    named = deterministic_weights.weights(shapes()[model])
    native_models.write(folder, native_models.configurations()[model], named)
    native_models.write_text_encoder(folder / "t5-base")
    return folder


def lora_weights(name: str) -> dict[str, Tensor]:
    """What a LoRA's file holds."""
    return {
        key: deterministic_weights.weight(f"{name}.{key}", shape)
        for key, shape in shapes()["loras"][name].items()
    }


def write_lora(path: Path, name: str) -> Path:
    """A LoRA of the model "open"."""
    save_file(lora_weights(name), path, metadata={"lora_config": json.dumps(LORAS[name])})
    return path
