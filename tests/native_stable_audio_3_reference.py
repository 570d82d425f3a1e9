"""What Stability AI's code computed of small Stable Audio 3 models, see `tests/fixtures`, and of which."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import deterministic_weights
import native_stable_audio_3 as models
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FILE = Path(__file__).parent / "fixtures" / "native_stable_audio_3.safetensors"
PROMPTS = ("A warm pad with strings", "Drum loop, 110 bpm")
NEGATIVE = "low quality noise"
SECONDS, TIMES = (1.0, 3.5), (0.25, 0.9)
FRAMES = 21
"""Of the latents that are predicted from, and decoded; no whole number of chunks."""
SCALE = 3.0
LORAS: dict[str, dict[str, Any]] = {
    "lora": {"adapter_type": "lora", "rank": 4, "alpha": 6.0},
    "dora": {"adapter_type": "dora-rows", "rank": 3, "alpha": 3.0},
    "small-dora": {"adapter_type": "dora-cols-xs", "rank": 4, "alpha": 4.0},
}
STRENGTH = 0.7


def latents() -> Tensor:
    """Latents in the network's own scale, `[2, channels, frames]`."""
    return deterministic_weights.uniform("z", (len(PROMPTS), models.CHANNELS, FRAMES))


def waveform() -> Tensor:
    """`[1, 2, time]`, of as many frames."""
    return 0.3 * deterministic_weights.uniform("waveform", (1, 2, FRAMES * models.PATCH * models.STRIDE))


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


def weights(model: str) -> dict[str, Tensor]:
    """Those of a model in Stability AI's layout."""
    return {name: deterministic_weights.weight(name, shape) for name, shape in shapes()[model].items()}


def write_model(folder: Path, model: str) -> Path:
    """A folder as Stability AI publishes it, "small" or "medium"."""
    return models.write(folder, models.configurations()[model], weights(model))


def write_lora(path: Path, name: str) -> Path:
    """A LoRA of the model "medium"."""
    tensors = {
        key: deterministic_weights.weight(f"{name}.{key}", shape)
        for key, shape in shapes()["loras"][name].items()
    }
    save_file(tensors, path, metadata={"lora_config": json.dumps(LORAS[name])})
    return path
