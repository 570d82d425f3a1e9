"""What Stable Audio 3's transformer is told: a text to attend to, and a duration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class StableAudio3Conditioning:
    """What the denoiser is told about each sample of a batch, see `unheard.backbones.Conditioning`.

    There is no mask: the transformer attends to every token, and all texts have as many. Where a text has
    none, a learned vector already stands in its place, so that two texts of different lengths can be blended.

    Attributes:
        text: the states of the text's tokens, `[batch, tokens, dimension]`.
        duration: the embedding of the duration, `[batch, dimension]`: the global state.
        duration_token: the same as one more token to attend to; zero where nothing is to be attended to.
    """

    text: Tensor
    duration: Tensor
    duration_token: Tensor

    def __len__(self) -> int:
        return len(self.text)

    @classmethod
    def padded(
        cls, states: Tensor, mask: Tensor, padding: Tensor, duration: Tensor
    ) -> StableAudio3Conditioning:
        """Of a text encoder's states `[batch, tokens, dimension]`, with `padding` where the mask is 0.

        Args:
            states: of the text encoder.
            mask: 1 where there is a token, `[batch, tokens]`.
            padding: the transformer's learned vector, `[dimension]`.
            duration: the embedding of the duration, `[batch, dimension]`.
        """
        text = torch.where(mask.bool()[..., None], states, padding.to(states.dtype))
        return cls(text, duration, duration)

    @classmethod
    def cat(cls, parts: Sequence[StableAudio3Conditioning]) -> StableAudio3Conditioning:
        """The samples of all parts, one after another."""
        return cls(
            torch.cat([part.text for part in parts]),
            torch.cat([part.duration for part in parts]),
            torch.cat([part.duration_token for part in parts]),
        )

    def select(self, samples: Tensor | Sequence[int]) -> StableAudio3Conditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.text.device)
        return StableAudio3Conditioning(self.text[chosen], self.duration[chosen], self.duration_token[chosen])

    def blended(self, other: StableAudio3Conditioning, weight: float) -> StableAudio3Conditioning:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1."""
        return StableAudio3Conditioning(
            torch.lerp(other.text, self.text, weight),
            torch.lerp(other.duration, self.duration, weight),
            torch.lerp(other.duration_token, self.duration_token, weight),
        )

    @property
    def text_states(self) -> Tensor:
        """The states of the text's tokens."""
        return self.text

    def with_text_states(self, states: Tensor) -> StableAudio3Conditioning:
        """The same with other states `[batch, tokens, dimension]`."""
        return replace(self, text=states)

    @property
    def cross_attention(self) -> Tensor:
        """The sequence that the transformer attends to, `[batch, tokens + 1, dimension]`."""
        return torch.cat([self.text, self.duration_token[:, None].to(self.text.dtype)], dim=1)
