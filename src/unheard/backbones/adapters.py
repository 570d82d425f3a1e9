"""Adapters of stable-audio-tools: small files that change the weights of some layers, merged in memory.

A layer's weight is a matrix `[outputs, inputs]`, that of a convolution too: its last axes are one. Files hold
the change of each layer under `LAYER.parametrizations.weight.0.`, and their kind under `lora_config` in the
metadata:

    lora        W + s alpha/rank B A              Hu et al. 2021, arXiv 2106.09685
    lora-xs     W + s alpha/rank U M V^T          Balazy et al. 2024, arXiv 2405.17604; U and V are those of
                                                  the weight's own singular value decomposition
    dora-rows   the same, each row scaled to a    Liu et al. 2024, arXiv 2402.09353
                length of its own
    dora-cols   ... each column
    bora        ... each row, then each column

with `-xs` behind the last three as well; s is how strongly the adapter is merged. At 0 nothing is changed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from unheard.backbones.contained import reason
from unheard.backbones.lora import LoRA
from unheard.errors import ModelError

Find = Callable[[str], Sequence[nn.Parameter] | None]
"""The weights that the rows of a layer's are in, one after another, by the layer's name; None for no layer."""

KEYS = ".parametrizations.weight.0."
"""Between the name of a layer and that of what its change is made of."""
ROWS, COLUMNS = 1, 0
"""The axis that a norm runs along: of each row, of each column."""
_LOW_RANK, _EXTRA_SMALL = ("lora_A", "lora_B"), ("M_xs",)
_SCALED = {
    "lora": {},
    "dora-rows": {"magnitude": ROWS},
    "dora-cols": {"magnitude": COLUMNS},
    "bora": {"magnitude_r": ROWS, "magnitude_c": COLUMNS},
}
"""By kind: what scales the changed weight, in which order, and along which axis."""
KINDS = tuple(kind + small for small in ("", "-xs") for kind in _SCALED)
_NOT_NEEDED = ("lora_dropout_mask", "U", "V")
"""What a file may hold of a layer besides: of the training, and what follows from the weight."""


@dataclass(frozen=True)
class Adapter:
    """The change of one layer.

    Attributes:
        kind: one of `KINDS`.
        scale: alpha / rank.
        tensors: what it is made of, by the names in the file.
    """

    kind: str
    scale: float
    tensors: Mapping[str, Tensor]

    def __call__(self, weight: Tensor, original: Tensor, strength: float) -> Tensor:
        """The changed weight, `[outputs, inputs]`.

        Args:
            weight: as other adapters have left it, `[outputs, inputs]`.
            original: as it was before any of them.
            strength: of the change.

        Raises:
            ValueError: it does not fit a weight of this shape.
        """
        if strength == 0:
            return weight
        changed = weight + strength * self.scale * self._low_rank(original)
        for name, axis in _SCALED[self.kind.removesuffix("-xs")].items():
            length = changed.norm(dim=axis, keepdim=True) + 1e-12
            changed = changed / length * self.tensors[name].flatten().unsqueeze(axis)
        if changed.shape != weight.shape:
            raise ValueError(f"a weight of {list(weight.shape)} would become one of {list(changed.shape)}")
        return changed

    def _low_rank(self, original: Tensor) -> Tensor:
        if self.kind.endswith("-xs"):
            core = self.tensors["M_xs"]
            left, right = singular_vectors(original, len(core))
            return left @ core @ right.T
        return self.tensors["lora_B"] @ self.tensors["lora_A"]


def singular_vectors(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The first left and right singular vectors of a matrix, `[outputs, rank]` and `[inputs, rank]`.

    A pair may be turned around; here the largest number of each left one is positive, as in the training.
    """
    left, _, right = torch.linalg.svd(weight, full_matrices=False)
    left, right = left[:, :rank], right[:rank].T
    signs = left.gather(0, left.abs().argmax(0, keepdim=True)).sign()
    return left * signs, right * signs


def read_adapters(path: Path) -> dict[str, Adapter]:
    """The changes in a file, by the names of the layers.

    Raises:
        ModelError: it cannot be read, or holds something else, or a kind that is not known.
    """
    tensors, configuration = _read(path)
    layers: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in tensors.items():
        layer, found, name = key.rpartition(KEYS)
        if not found:
            raise ModelError(
                f"{path} holds {key}, which is no part of a stable-audio-tools adapter (LAYER{KEYS}lora_A): give "
                "a LoRA that was trained with stable-audio-tools"
            )
        if name not in _NOT_NEEDED:
            layers[layer][name] = tensor.float()
    if not layers:
        raise ModelError(f"{path} holds no adapter: give a LoRA that was trained with stable-audio-tools")
    kind = _kind(configuration, tensors, path)
    rank = configuration.get("rank", _rank(tensors))
    alpha = configuration.get("alpha", rank)
    if not all(isinstance(each, int | float) and each > 0 for each in (rank, alpha)):
        raise ModelError(f"{path}: rank is {rank!r} and alpha {alpha!r}: both must be numbers above 0")
    needed = {*(_EXTRA_SMALL if kind.endswith("-xs") else _LOW_RANK), *_SCALED[kind.removesuffix("-xs")]}
    for layer, parts in layers.items():
        if parts.keys() != needed:
            raise ModelError(
                f"{path}: the {kind} of {layer} has {', '.join(sorted(parts))} and needs "
                f"{', '.join(sorted(needed))}: the file is not whole"
            )
    return {layer: Adapter(kind, alpha / rank, parts) for layer, parts in layers.items()}


@torch.no_grad()
def merge(loras: Sequence[LoRA], find: Find, model: str) -> None:
    """Change the weights of a model by adapters, one after another in the order given.

    All that does not fit is found out before any weight is changed. The arithmetic is float32, whatever the
    weights are.

    Args:
        loras: which, and how strongly.
        find: the weights of a layer.
        model: what it is called, for messages.

    Raises:
        ModelError: a file cannot be read, or changes a layer that the model has not.
    """
    changes: dict[str, list[tuple[LoRA, Adapter]]] = defaultdict(list)
    for lora in loras:
        adapters = read_adapters(lora.path)
        unknown = [layer for layer in adapters if find(layer) is None]
        if unknown:
            raise ModelError(
                f"{lora.path} does not fit {model}: it changes {unknown[0]}, and {model} lacks {len(unknown)} of the "
                f"{len(adapters)} layers that it changes; give a LoRA that was trained on this model"
            )
        for layer, adapter in adapters.items():
            changes[layer].append((lora, adapter))
    merged = {layer: _merged(find(layer) or (), steps, layer, model) for layer, steps in changes.items()}
    for layer, weight in merged.items():
        weights = find(layer) or ()
        for part, rows in zip(weights, weight.split([len(part) for part in weights]), strict=True):
            part.copy_(rows.view_as(part))
