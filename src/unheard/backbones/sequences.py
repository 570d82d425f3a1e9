"""Conditioning by one sequence a sample, of which the network sees the length.

A transformer that looks beyond its mask, or has none, says other things of a text beside a longer one, since
that pads it. So here each sample keeps a length of its own, and is the same in any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class SequenceConditioning:
    """What a denoiser is told about each sample of a batch, see `unheard.backbones.Conditioning`.

    Attributes:
        states: of the sequences, `[batch, tokens, dimension]`; `nothing` beyond their ends.
        mask: which tokens are part of them, `[batch, tokens]`, for networks that ask.
        lengths: how many tokens the network is shown of each sample; some of them may be masked.
        nothing: the state that stands for no prompt, `[dimension]`.
    """

    states: Tensor
    mask: Tensor
    lengths: tuple[int, ...]
    nothing: Tensor

    @classmethod
    def of(
        cls, states: Tensor, mask: Tensor, nothing: Tensor, lengths: Sequence[int] | None = None
    ) -> SequenceConditioning:
        """`states` and `mask` as above, whatever is in the place of no token; all as long unless told."""
        tokens = mask.bool()
        return cls(
            torch.where(tokens[..., None], states, nothing),
            tokens,
            (mask.shape[1],) * len(mask) if lengths is None else tuple(lengths),
            nothing,
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def cat(cls, parts: Sequence[SequenceConditioning]) -> SequenceConditioning:
        """The samples of all parts, one after another, each as long as it was."""
        tokens = max(part.mask.shape[1] for part in parts)
        padded = [part._padded(tokens) for part in parts]
        return cls(
            torch.cat([part.states for part in padded]),
            torch.cat([part.mask for part in padded]),
            tuple(length for part in parts for length in part.lengths),
            parts[0].nothing,
        )

    def select(self, samples: Sequence[int]) -> SequenceConditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.states.device)
        lengths = tuple(self.lengths[int(sample)] for sample in samples)
        return replace(self, states=self.states[chosen], mask=self.mask[chosen], lengths=lengths)

    def blended(self, other: SequenceConditioning, weight: float) -> SequenceConditioning:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1.

        As long as the longer sequence. Beyond the end of the shorter one, that counts as `nothing`.
        """
        tokens = max(self.mask.shape[1], other.mask.shape[1])
        ours, theirs = self._padded(tokens), other._padded(tokens)
        return replace(
            self,
            states=torch.lerp(theirs.states, ours.states, weight),
            mask=(ours.mask & (weight > 0)) | (theirs.mask & (weight < 1)),
            lengths=tuple(
                max(mine if weight > 0 else 0, its if weight < 1 else 0)
                for mine, its in zip(self.lengths, other.lengths, strict=True)
            ),
        )

    def without_text(self) -> SequenceConditioning:
        """What stands for no prompt beside this one: as long, and `nothing` in the place of its states."""
        return replace(self, states=self.nothing.expand_as(self.states))

    def predict(self, network: Callable[[list[int], Tensor, Tensor], Tensor]) -> Tensor:
        """What a network says of all samples, in their order; it is asked once for each length.

        Args:
            network: numbers of samples, their states `[samples, length, dimension]` and their masks
                `[samples, length]` to predictions `[samples, ...]`.
        """
        groups: dict[int, list[int]] = {}
        for sample, length in enumerate(self.lengths):
            groups.setdefault(length, []).append(sample)
        predictions = [
            network(samples, self.states[samples, :length], self.mask[samples, :length])
            for length, samples in groups.items()
        ]
        order = torch.tensor([sample for samples in groups.values() for sample in samples])
        return torch.cat(predictions)[order.argsort().to(predictions[0].device)]

    @property
    def text_states(self) -> Tensor:
        """The states of the sequences."""
        return self.states

    def with_text_states(self, states: Tensor) -> SequenceConditioning:
        """The same with other states `[batch, tokens, dimension]`."""
        return replace(self, states=states)

    def _padded(self, tokens: int) -> SequenceConditioning:
        more = tokens - self.mask.shape[1]
        padding = self.nothing.expand(len(self), more, -1)
        return replace(
            self, states=torch.cat([self.states, padding], dim=1), mask=F.pad(self.mask, (0, more))
        )
