"""What LongCat-AudioDiT's transformer is told: the states of a text, and how much of them it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class LongCatConditioning:
    """What the denoiser is told about each sample of a batch, see `unheard.backbones.Conditioning`.

    The transformer convolves over the text and takes norms along it, so that padding changes what it
    predicts, though it is masked. A sample therefore has a length of its own, and is the same in any batch.

    Attributes:
        states: the text's, `[batch, tokens, dimension]`, zero where there is none.
        mask: which of them are text, `[batch, tokens]`.
        lengths: how many tokens the transformer is shown of each sample, the masked ones among them included.
    """

    states: Tensor
    mask: Tensor
    lengths: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def cat(cls, parts: Sequence[LongCatConditioning]) -> LongCatConditioning:
        """The samples of all parts, one after another, each as long as it was."""
        tokens = max(part.mask.shape[1] for part in parts)
        padded = [part._padded(tokens) for part in parts]
        return cls(
            torch.cat([part.states for part in padded]),
            torch.cat([part.mask for part in padded]),
            tuple(length for part in parts for length in part.lengths),
        )

    def select(self, samples: Sequence[int]) -> LongCatConditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.states.device)
        lengths = tuple(self.lengths[int(sample)] for sample in samples)
        return LongCatConditioning(self.states[chosen], self.mask[chosen], lengths)

    def blended(self, other: LongCatConditioning, weight: float) -> LongCatConditioning:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1.

        As long as the longer text. Beyond the end of the shorter one, that counts as zeros: what the model
        was trained to take for no text.
        """
        tokens = max(self.mask.shape[1], other.mask.shape[1])
        ours, theirs = self._padded(tokens), other._padded(tokens)
        return LongCatConditioning(
            torch.lerp(theirs.states, ours.states, weight),
            (ours.mask & (weight > 0)) | (theirs.mask & (weight < 1)),
            tuple(
                max(mine if weight > 0 else 0, its if weight < 1 else 0)
                for mine, its in zip(self.lengths, other.lengths, strict=True)
            ),
        )

    def without_text(self) -> LongCatConditioning:
        """What stands for no prompt beside this one: zeros in the place of its states."""
        return replace(self, states=torch.zeros_like(self.states))

    def by_length(self) -> dict[int, list[int]]:
        """The samples that the transformer can be shown together, by their length."""
        samples: dict[int, list[int]] = {}
        for sample, length in enumerate(self.lengths):
            samples.setdefault(length, []).append(sample)
        return samples

    @property
    def text_states(self) -> Tensor:
        """The text's states."""
        return self.states

    def with_text_states(self, states: Tensor) -> LongCatConditioning:
        """The same with other states `[batch, tokens, dimension]`."""
        return replace(self, states=states)

    def _padded(self, tokens: int) -> LongCatConditioning:
        more = tokens - self.mask.shape[1]
        return replace(self, states=F.pad(self.states, (0, 0, 0, more)), mask=F.pad(self.mask, (0, more)))
