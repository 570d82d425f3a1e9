"""The weights in a checkpoint of Stability AI's code, by the names that they have in its model.

What is handed round is unwrapped: `model.`, `conditioner.` and `pretransform.` are all there is. A checkpoint
of the training holds the model under `diffusion.`, beside the trainer's state, and where it averaged the
transformer's weights over the steps, that average is what stable-audio-tools exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from unheard.backbones.tensor_files import read_tensors
from unheard.errors import ModelError

PARTS = ("model.model.", "conditioner.conditioners.", "pretransform.model.")
"""What the names of a model's weights begin with."""
WRAPPED, AVERAGED = "diffusion.", "diffusion_ema.ema_model."
"""What they begin with in a training checkpoint: the model, and the average of its `model.`."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights by their names, unwrapped; nothing that a file holds is run.

    Raises:
        ModelError: it cannot be read, needs more than `weights_only` allows, or holds no such weights.
    """
    content, _ = read_tensors(
        path, str(path), "export it as safetensors with unwrap_model.py of stable-audio-tools"
    )
    weights = unwrapped(content)
    if not any(name.startswith(PARTS[0]) for name in weights):
        first = next(iter(content), "nothing")
        raise ModelError(
            f"{path} holds no weights of a stable-audio-tools transformer ({PARTS[0]}*) but {first}: give "
            "the checkpoint that belongs to the configuration"
        )
    return weights


def unwrapped(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The model's own weights of a checkpoint, the averaged ones where there are any."""
    held = {name.removeprefix(WRAPPED): weight for name, weight in content.items()}
    averaged = {
        f"model.{name.removeprefix(AVERAGED)}": weight
        for name, weight in content.items()
        if name.startswith(AVERAGED)
    }
    return {name: weight for name, weight in {**held, **averaged}.items() if name.startswith(PARTS)}
