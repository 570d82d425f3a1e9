"""Where the numbers of a checkpoint's weight are in diffusers' classes.

Stability AI's code has queries, keys and values in one matrix. diffusers has one for each, or them in another
order; the rows of the one are those of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from unheard.backbones.low_rank import Find


@dataclass(frozen=True)
class Renamed:
    """Where the numbers of one weight are.

    Attributes:
        part: the pipeline's part, such as transformer.
        names: the weights in it, each an equal share of the rows, in this order; none where the numbers
            follow from the configuration.
        shares: where one weight has the rows in another order: which share of its own each share of the
            checkpoint's rows is. Else empty.
    """

    part: str
    names: tuple[str, ...]
    shares: tuple[int, ...] = ()

    def within(self, state: Mapping[str, Tensor]) -> list[Tensor]:
        """The rows of the checkpoint's weight in a part's own weights, one share after another.

        Args:
            state: the part's weights. The shares are views of them.

        Raises:
            KeyError: it has no such weight.
        """
        weights = [state[name] for name in self.names]
        if not self.shares:
            return weights
        own = weights[0].chunk(len(self.shares))
        return [own[share] for share in self.shares]


Rename = Callable[[str], Renamed | None]
"""From a weight's name in an unwrapped checkpoint; None for a name that is none of a model's."""


def replaced(name: str, replacements: tuple[tuple[str, str], ...]) -> str:
    """A name after replacements of patterns, one after another."""
    for pattern, replacement in replacements:
        name = re.sub(pattern, replacement, name)
    return name


def finder(parts: Mapping[str, Any], rename: Rename) -> Find:
    """What finds the weights of a layer that a LoRA names, see `unheard.backbones.low_rank`.

    LoRAs name layers from the transformer's wrapper on (`model.transformer.layers.0.self_attn.to_qkv`), or
    from the conditioners on (`conditioners.seconds_total...`), whatever those themselves are held by.

    Args:
        parts: the modules, by the names of the pipeline's parts.
        rename: of the model's family.
    """

    def find(layer: str) -> list[Tensor] | None:
        _, is_conditioner, own = layer.rpartition("conditioners.")
        within = "conditioner.conditioners." if is_conditioner else "model.model."
        place = rename(f"{within}{re.sub(r'^(model[.])+', '', own)}.weight")
        if place is None or place.part not in parts:
            return None
        try:
            return place.within(dict(parts[place.part].named_parameters()))
        except KeyError:
            return None

    return find
