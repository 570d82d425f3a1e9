"""ComfyUI's conditioning, taken apart into sounds, as `unheard.Conditioning` is.

ComfyUI has one conditioning for a whole batch: a list of parts, a dictionary each, whose `model_conds` are
what the network is given. A tensor of them has a row a sound, or one for all.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.conds
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.errors import InputError

TEXT = "c_crossattn"
"""The states of the text encoder among the `model_conds` of every family here."""


@dataclass(frozen=True, eq=False)
class OfSound:
    """What one sound is denoised under; the same as another only if it is the very same object.

    Attributes:
        part: ComfyUI's dictionary, whose tensors have one row.
    """

    part: dict[str, Any]

    @classmethod
    def taken(cls, part: dict[str, Any], sound: int, sounds: int) -> OfSound:
        """That of one sound, by its number, from a part that holds for a batch of `sounds`."""
        model_conds = {name: _row(cond, sound, sounds) for name, cond in part.get("model_conds", {}).items()}
        return cls({**part, "model_conds": model_conds})

    def blended(self, other: OfSound, weight: float) -> OfSound:
        """`weight` of these text states and the rest of the other's; all else is the other's.

        The shorter text is filled up with zeros. Timing, lyrics and the like are the same in both.
        """
        if weight == 0:
            return other
        model_conds = dict(other.part["model_conds"])
        states, own = model_conds[TEXT].cond, self.part["model_conds"][TEXT].cond
        tokens = max(states.shape[1], own.shape[1])
        blend = torch.lerp(_filled(states, tokens), _filled(own, tokens).to(states), weight)
        model_conds[TEXT] = type(model_conds[TEXT])(blend)
        return OfSound({**other.part, "model_conds": model_conds, "uuid": uuid.uuid4()})


@dataclass(frozen=True, eq=False)
class ComfyConditioning:
    """What each sound of a batch is denoised under, see `unheard.Conditioning`."""

    sounds: tuple[OfSound, ...]

    @classmethod
    def of_batch(cls, parts: Sequence[dict[str, Any]], sounds: int, called: str) -> ComfyConditioning:
        """ComfyUI's conditioning of a batch.

        Raises:
            InputError: it has several parts: which of them is the prompt cannot be told.
        """
        if len(parts) != 1:
            raise InputError(
                f"the {called} conditioning has {len(parts)} parts: the detour reads one prompt, so take "
                "out what combines or schedules several"
            )
        return cls(tuple(OfSound.taken(parts[0], sound, sounds) for sound in range(sounds)))

    def __len__(self) -> int:
        return len(self.sounds)

    @classmethod
    def cat(cls, parts: Sequence[ComfyConditioning]) -> ComfyConditioning:
        """The sounds of all parts, one after another."""
        return cls(tuple(sound for part in parts for sound in part.sounds))

    def select(self, samples: Sequence[int]) -> ComfyConditioning:
        """The sounds with these numbers, in this order."""
        return ComfyConditioning(tuple(self.sounds[sample] for sample in samples))

    def blended(self, other: ComfyConditioning, weight: float) -> ComfyConditioning:
        """Between the two, sound by sound: `weight` of this one and the rest of the other, 0 to 1."""
        both = zip(self.sounds, other.sounds, strict=True)
        return ComfyConditioning(tuple(mine.blended(theirs, weight) for mine, theirs in both))


def texts_in(part: dict[str, Any]) -> int:
    """How many texts a part holds: one for all sounds of a batch, or several by turns."""
    return len(part["model_conds"][TEXT].cond)


def _row(cond: Any, sound: int, sounds: int) -> Any:
    """A sound's own of one of the `model_conds`, which ComfyUI first spreads over the batch."""
    spread = cond.process_cond(batch_size=sounds, area=None)
    if isinstance(spread, comfy.conds.CONDConstant):
        return spread
    return type(spread)(spread.cond[sound : sound + 1])


def _filled(states: Tensor, tokens: int) -> Tensor:
    return F.pad(states, (0, 0, 0, tokens - states.shape[1]))
