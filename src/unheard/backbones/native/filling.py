"""Diffusers' classes, filled with the weights of a checkpoint.

They are built without memory of their own, and take over each weight as it is read. Numbers that follow from
a configuration, such as frequencies, they have from the beginning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.contained import reason
from unheard.backbones.native.renaming import Rename
from unheard.backbones.parts import quiet_loading
from unheard.errors import ModelError


@contextmanager
def building(configuration: Path) -> Iterator[None]:
    """While modules are built as a file has them: quietly, and with a ModelError for sizes that cannot be."""
    try:
        with quiet_loading():
            yield
    except ModelError:
        raise
    except Exception as error:  # whatever a network of such sizes fails with
        raise ModelError(f"cannot build the model of {configuration}: {reason(error)}") from error


def fill(
    modules: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    rename: Rename,
    file: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Give modules the weights of a checkpoint, and bring them to a device.

    Args:
        modules: by the names of the pipeline's parts.
        weights: by their names in the checkpoint.
        rename: those names to ours.
        file: the checkpoint, for messages.

    Raises:
        ModelError: a weight is missing, or is one too many, or has another shape.
    """
    wanted = {part: module.state_dict() for part, module in modules.items()}
    states: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, weight in weights.items():
        place = rename(name)
        if place is None or any(own not in wanted[place.part] for own in place.names):
            raise ModelError(
                f"{file} holds {name}, which the configuration beside it has not: take the right one"
            )
        if not place.names:
            continue
        found = place.within(wanted[place.part])
        shapes = [share.shape for share in found]
        shares = weight.chunk(len(shapes))
        if [_lengths(share.shape) for share in shares] != [_lengths(shape) for shape in shapes]:
            raise ModelError(
                f"{file} holds {name} of shape {list(weight.shape)}, where the configuration beside it has "
                f"{len(shapes)} x {list(shapes[0])}: take the right one"
            )
        # Copies: what was read may be a view of the file itself, which can change.
        rows = [
            share.reshape(shape).to(device, dtype, copy=True)
            for share, shape in zip(shares, shapes, strict=True)
        ]
        if place.shares:
            in_order = [rows[place.shares.index(own)] for own in range(len(rows))]
            states[place.part][place.names[0]] = torch.cat(in_order)
        else:
            states[place.part].update(zip(place.names, rows, strict=True))
    for part, module in modules.items():
        lacking = [name for name in wanted[part].keys() - states[part].keys() if wanted[part][name].is_meta]
        if lacking:
            raise ModelError(f"{file} lacks the weights of {part}.{min(lacking)}: take a whole checkpoint")
        module.load_state_dict(states[part], strict=False, assign=True)
        module.to(device)


def _lengths(shape: torch.Size) -> list[int]:
    """Those of a shape that say something: the two libraries differ in axes of length 1."""
    return [length for length in shape if length != 1]
