"""The noise level of a batch, on the device and as a number, without waiting for the device to tell it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import cast

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_known = cast(MutableMapping[Tensor, float], WeakTensorKeyDictionary())


def same_level(sigma: float, x: Tensor) -> Tensor:
    """A noise level for each sample of `x` [batch, ...]: [batch], of its type and on its device."""
    levels = x.new_full((len(x),), sigma)
    # As the tensor's own type holds it: so both say the same.
    _known[levels] = float(x.new_tensor(sigma, device="cpu"))
    return levels


def level_of(sigma: Tensor) -> float:
    """The noise level of the first sample; where `same_level` made the tensor, no device is asked."""
    level = _known.get(sigma)
    return float(sigma[0]) if level is None else level


def levels_of(sigma: Tensor) -> list[float]:
    """The noise level of each sample, as `level_of`."""
    level = _known.get(sigma)
    return cast(list[float], sigma.tolist()) if level is None else [level] * len(sigma)
