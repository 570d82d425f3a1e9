"""LoRA and its kin, as stable-audio-tools trains them: changes of some layers, merged into weights in memory.

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

with `-xs` behind the last three as well; s is how strongly it is merged. At 0 nothing is changed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.lora import LoRA
from unheard.backbones.tensor_files import read_tensors
from unheard.common.texts import plural
from unheard.errors import ModelError

Find = Callable[[str], Sequence[Tensor] | None]
"""From the name of a layer to the weights that its rows are in, one after another; None for no layer."""

KEYS = ".parametrizations.weight.0."
"""Between the name of a layer and that of what its change is made of."""
ROWS, COLUMNS = 1, 0
"""The axis that a norm runs along: of each row, of each column."""
_LOW_RANK, _EXTRA_SMALL = ("lora_A", "lora_B"), ("M_xs",)
_SCALED: dict[str, dict[str, int]] = {
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
class Change:
    """What is changed of one layer.

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
            weight: as other changes have left it, `[outputs, inputs]`.
            original: as it was before any of them.
            strength: of the change.
        """
        if strength == 0:
            return weight
        changed = weight + strength * self.scale * self._low_rank(original)
        for name, axis in _SCALED[self.kind.removesuffix("-xs")].items():
            length = changed.norm(dim=axis, keepdim=True) + 1e-12
            changed = changed / length * self.tensors[name].flatten().unsqueeze(axis)
        return changed

    def to(self, device: torch.device) -> Change:
        """The same on a device."""
        return replace(self, tensors={name: tensor.to(device) for name, tensor in self.tensors.items()})

    def fits(self, outputs: int, inputs: int) -> bool:
        """Whether it changes a weight of this shape."""
        low_rank = [
            tuple(self.tensors[name].shape) for name in self.tensors if not name.startswith("magnitude")
        ]
        rank = low_rank[0][0]
        expected = [(rank, rank)] if self.kind.endswith("-xs") else [(rank, inputs), (outputs, rank)]
        lengths = {ROWS: outputs, COLUMNS: inputs}
        scaled = _SCALED[self.kind.removesuffix("-xs")].items()
        return (
            low_rank == expected
            and rank <= min(outputs, inputs)
            and all(self.tensors[name].numel() == lengths[axis] for name, axis in scaled)
        )

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


def read_changes(path: Path) -> dict[str, Change]:
    """The changes in a file, by the names of the layers.

    Raises:
        ModelError: it cannot be read, or holds something else, or a kind that is not known.
    """
    tensors, configuration = _read(path)
    layers: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in sorted(tensors.items()):
        layer, found, name = key.rpartition(KEYS)
        if not found:
            raise ModelError(
                f"{path} holds {key}, which is no part of a LoRA of stable-audio-tools (LAYER{KEYS}lora_A): "
                "give one that was trained with stable-audio-tools"
            )
        if name not in _NOT_NEEDED:
            layers[layer][name] = tensor.float()
    if not layers:
        raise ModelError(f"{path} holds no LoRA: give one that was trained with stable-audio-tools")
    kind = _kind(configuration, layers, path)
    first, *_ = needed = [
        *(_EXTRA_SMALL if kind.endswith("-xs") else _LOW_RANK),
        *_SCALED[kind.removesuffix("-xs")],
    ]
    for layer, parts in layers.items():
        if sorted(parts) != sorted(needed):
            raise ModelError(
                f"{path}: the {kind} of {layer} has {', '.join(parts)} and needs {', '.join(needed)}: give "
                "the file as it was trained"
            )
    rank = configuration.get("rank", len(next(iter(layers.values()))[first]))
    alpha = configuration.get("alpha", rank)
    if not all(isinstance(each, int | float) and each > 0 for each in (rank, alpha)):
        raise ModelError(f"{path}: its rank is {rank!r} and its alpha {alpha!r}: give numbers above 0")
    return {layer: Change(kind, alpha / rank, parts) for layer, parts in layers.items()}


@torch.no_grad()
def merge(loras: Sequence[LoRA], find: Find, model: str) -> None:
    """Merge LoRAs into the weights of a model, one after another in the order given.

    What does not fit is found out before any weight is changed. The arithmetic is float32, whatever the
    weights are.

    Args:
        loras: which, and how strongly.
        find: the weights of a layer.
        model: what it is called, for messages.

    Raises:
        ModelError: a file cannot be read, or changes a layer that the model has not.
    """
    changes: dict[str, list[tuple[Change, float]]] = defaultdict(list)
    for lora in loras:
        found = read_changes(lora.path)
        strange = [layer for layer, change in found.items() if not _fits(change, find(layer))]
        if strange:
            raise ModelError(
                f"{lora.path} does not fit {model}: missing there, or of another size, {len(strange)} of the "
                f"{plural(len(found), 'layer')} that it changes, {strange[0]} to begin with: give one that "
                "was trained on this model"
            )
        for layer, change in found.items():
            changes[layer].append((change, lora.weight))
    for layer, steps in changes.items():
        weights = find(layer) or ()
        original = changed = torch.cat([weight.flatten(1).float() for weight in weights])
        for change, strength in steps:
            changed = change.to(changed.device)(changed, original, strength)
        rows_of_each = torch.split(changed, [len(weight) for weight in weights])
        for weight, rows in zip(weights, rows_of_each, strict=True):
            weight.copy_(rows.view_as(weight))


def _fits(change: Change, weights: Sequence[Tensor] | None) -> bool:
    if weights is None:
        return False
    return change.fits(sum(map(len, weights)), weights[0][0].numel())


def _kind(configuration: Mapping[str, Any], layers: Mapping[str, Mapping[str, Tensor]], path: Path) -> str:
    """The kind that a file names; "dora" is from before there were two, and one row says it is of columns."""
    kind = configuration.get("adapter_type", "lora")
    if kind == "dora":
        magnitude = next((parts["magnitude"] for parts in layers.values() if "magnitude" in parts), None)
        of_columns = magnitude is not None and magnitude.dim() == 2 and len(magnitude) == 1
        kind = "dora-cols" if of_columns else "dora-rows"
    if kind not in KINDS:
        raise ModelError(f"{path} is of the kind {kind!r}: unheard merges {', '.join(KINDS)}")
    return str(kind)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file, and its `lora_config`."""
    tensors, besides = read_tensors(path, f"the LoRA {path}", "give it as safetensors")
    configuration = besides.get("lora_config", {})
    try:
        configuration = json.loads(configuration) if isinstance(configuration, str) else configuration
        return tensors, dict(configuration)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: its lora_config is {configuration!r}: give the file as it was trained"
        ) from error
