"""What Stable Audio's transformer is told: a sequence to attend to, and global states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class StableAudioConditioning:
    """What the denoiser is told about each sample of a batch, see `unheard.backbones.Conditioning`.

    Attributes:
        cross_attention: the sequence that the denoiser attends to, `[batch, tokens, dimension]`.
        global_states: what it is told as a whole, `[batch, 1, dimension]`.
    """

    cross_attention: Tensor
    global_states: Tensor

    def __len__(self) -> int:
        return self.cross_attention.shape[0]

    @classmethod
    def cat(cls, parts: Sequence[StableAudioConditioning]) -> StableAudioConditioning:
        """The samples of all parts, one after another."""
        return cls(
            torch.cat([part.cross_attention for part in parts]),
            torch.cat([part.global_states for part in parts]),
        )

    def select(self, samples: Tensor | Sequence[int]) -> StableAudioConditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.cross_attention.device)
        return StableAudioConditioning(self.cross_attention[chosen], self.global_states[chosen])

    def blended(self, other: StableAudioConditioning, weight: float) -> StableAudioConditioning:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1."""
        return StableAudioConditioning(
            torch.lerp(other.cross_attention, self.cross_attention, weight),
            torch.lerp(other.global_states, self.global_states, weight),
        )

    @property
    def text_states(self) -> Tensor:
        """The sequence that the denoiser attends to."""
        return self.cross_attention

    def with_text_states(self, states: Tensor) -> StableAudioConditioning:
        """The same with another sequence `[batch, tokens, dimension]`."""
        return replace(self, cross_attention=states)
