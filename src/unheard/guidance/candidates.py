"""What a detour compares a sound with, and where it may lead: found in the index, once for each sound."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

from torch import Tensor

from unheard.guidance.trajectory import Trajectory


class Candidates:
    """The training items around each prompt of a trajectory.

    Args:
        trajectory: the sounds on their way.
        count: recordings that each sound is compared with.
    """

    def __init__(self, trajectory: Trajectory, count: int) -> None:
        self._trajectory, self._count = trajectory, count

    def find(self, denoised: Tensor) -> list[tuple[list[int], list[Tensor]]]:
        """Of first predictions [batch, channels, frames] each one's items, by position, and their latents.

        All items of the very caption; then by turns those that sound like the prediction and those that fit
        the prompt; then any. Only items whose recordings are at hand, and each recording once.
        """
        index, recordings = self._trajectory.index, self._trajectory.request.recordings
        heard = self._trajectory.embed(self._trajectory.decode(denoised))
        _, alike = index.search(heard, k=self._count)
        found = []
        for row, sounding in enumerate(alike.tolist()):
            same = self._of_same_caption(row)
            by_turns = (
                position for pair in zip(sounding, self._near[row], strict=False) for position in pair
            )
            once: dict[str, int] = {}
            for position in chain(same, by_turns, range(len(index))):
                if len(once) >= max(self._count, len(same)):
                    break
                if (name := index.ids[position]) in recordings:
                    once.setdefault(name, position)
            latents = [self._trajectory.latents_of(recordings[name]) for name in once]
            found.append((list(once.values()), latents))
        return found

    def ways(self, sample: int) -> list[int]:
        """Positions of the items whose captions a sample may go on under, the nearest first.

        Of the items that sound like the prompt, by how their captions read; only captions that the index has
        once, and that are not the prompt.
        """
        index, embedder = self._trajectory.index, self._trajectory.embedder
        own = self._of_same_caption(sample)
        near = [
            position
            for position in self._near[sample]
            if index.wordings.alone(index.prompts[position]) and position not in own
        ]
        if not near:
            return []
        reads = embedder.embed_text([index.prompts[position] for position in near])
        likeness = reads.to(self._said) @ self._said[sample]
        return [near[place] for place in likeness.argsort(descending=True).tolist()]

    @cached_property
    def _said(self) -> Tensor:
        """The prompts as the guide's embedder reads them [batch, dimension]."""
        return self._trajectory.embedder.embed_text(list(self._trajectory.batch.prompts)).to(
            self._trajectory.backbone.device
        )

    @cached_property
    def _near(self) -> list[list[int]]:
        """For each prompt the positions of the items that sound like it."""
        return self._trajectory.index.search(self._said, k=4 * self._count)[1].tolist()

    def _of_same_caption(self, sample: int) -> list[int]:
        return self._trajectory.index.wordings.positions(self._trajectory.batch.prompts[sample])
