"""What AudioLDM 2's UNet is told: states that a language model made of a prompt, and those of its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

MASKED = 10_000.0
"""What the UNet takes off an attention score for each unit that a token's mask lacks of 1."""


@dataclass(frozen=True, eq=False)
class AudioLDM2Conditioning:
    """What the denoiser is told about each sample of a batch, see `unheard.backbones.Conditioning`.

    Texts have different lengths. Beyond a text's end its states count for nothing, whatever they are.

    Attributes:
        generated: what GPT-2 goes on with after the prompt, `[batch, 8, dimension]`.
        text: the states of T5, `[batch, tokens, dimension]`.
        presence: how much each of them counts, `[batch, tokens]`: 1 in a text, 0 beyond its end, and between
            the two where texts of different lengths were blended.
    """

    generated: Tensor
    text: Tensor
    presence: Tensor

    def __len__(self) -> int:
        return self.generated.shape[0]

    @classmethod
    def cat(cls, parts: Sequence[AudioLDM2Conditioning]) -> AudioLDM2Conditioning:
        """The samples of all parts, one after another, as long as the longest text."""
        tokens = max(part.text.shape[1] for part in parts)
        padded = [part._padded(tokens) for part in parts]
        return cls(
            torch.cat([part.generated for part in padded]),
            torch.cat([part.text for part in padded]),
            torch.cat([part.presence for part in padded]),
        )

    def select(self, samples: Tensor | Sequence[int]) -> AudioLDM2Conditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.generated.device)
        return AudioLDM2Conditioning(self.generated[chosen], self.text[chosen], self.presence[chosen])

    def blended(self, other: AudioLDM2Conditioning, weight: float) -> AudioLDM2Conditioning:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1.

        A token that only one of them has keeps its state, and counts as much as that one's part.
        """
        tokens = max(self.text.shape[1], other.text.shape[1])
        ours, theirs = self._padded(tokens), other._padded(tokens)
        our_part, their_part = weight * ours.presence, (1 - weight) * theirs.presence
        presence = our_part + their_part
        share = our_part / presence.where(presence > 0, 1)
        return AudioLDM2Conditioning(
            torch.lerp(theirs.generated, ours.generated, weight),
            torch.lerp(theirs.text, ours.text, share[..., None].to(ours.text)),
            presence,
        )

    @property
    def text_states(self) -> Tensor:
        """The states of both texts, one after another, `[batch, numbers]`."""
        return torch.cat([self.generated.flatten(1), self.text.flatten(1)], dim=1)

    def with_text_states(self, states: Tensor) -> AudioLDM2Conditioning:
        """The same with other states `[batch, numbers]`."""
        first = self.generated[0].numel()
        return replace(
            self,
            generated=states[:, :first].view_as(self.generated),
            text=states[:, first:].view_as(self.text),
        )

    @property
    def attention_mask(self) -> Tensor:
        """The mask of T5's states as the UNet takes it, `[batch, tokens]` in float32.

        A token with presence p gets `log p` added to its attention scores, which multiplies what it weighs in
        the softmax by p. The UNet rounds the mask to its own format. In half precision it becomes 1 for
        every presence of a tenth and more, so a token counts wholly or not at all.
        """
        return (1 + self.presence.float().log() / MASKED).clamp(min=0)

    def _padded(self, tokens: int) -> AudioLDM2Conditioning:
        lacking = tokens - self.text.shape[1]
        if not lacking:
            return self
        return replace(
            self, text=F.pad(self.text, (0, 0, 0, lacking)), presence=F.pad(self.presence, (0, lacking))
        )
