"""What a detour compares a sound with, and where it may lead: found in the index, once for each sound."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

from torch import Tensor

from unheard.guidance.trajectory import Trajectory
from unheard.index.near_captions import likeness
from unheard.index.wordings import normalised

AROUND = 16
"""How many times the items that a sound is compared with are looked up around it, to choose from."""
WAYS = 4
"""How many times as many items that sound like a prompt have their captions read for a way to go on."""


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

        All items of the very caption; then by turns those that sound like the prediction, of all around those
        whose captions are written like the prompt, and those that sound like the prompt; then any. Only items
        whose recordings are at hand, and each recording once.
        """
        index, recordings = self._trajectory.index, self._trajectory.request.recordings
        heard = self._trajectory.embed(self._trajectory.decode(denoised))
        _, alike = index.search(heard, k=AROUND * self._count)
        found = []
        for row, sounding in enumerate(alike.tolist()):
            same, near = self._of_same_caption(row), self._near[row]
            written = self._as_written(row, {*sounding, *near})
            by_turns = chain.from_iterable(zip(sounding, written, near, strict=False))
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
            for position in self._near[sample][: WAYS * self._count]
            if index.wordings.alone(position) and position not in own
        ]
        if not near:
            return []
        reads = embedder.embed_text([index.prompts[position] for position in near])
        cosines = reads.to(self._said) @ self._said[sample]
        return [near[place] for place in cosines.argsort(descending=True).tolist()]

    @cached_property
    def _said(self) -> Tensor:
        """The prompts as the guide's embedder reads them [batch, dimension]."""
        return self._trajectory.embedder.embed_text(list(self._trajectory.batch.prompts)).to(
            self._trajectory.backbone.device
        )

    @cached_property
    def _near(self) -> list[list[int]]:
        """For each prompt the positions of the items that sound like it."""
        return self._trajectory.index.search(self._said, k=AROUND * self._count)[1].tolist()

    def _as_written(self, sample: int, positions: set[int]) -> list[int]:
        """Positions by how much their captions are written like the prompt, the most alike first."""
        prompt = normalised(self._trajectory.batch.prompts[sample])
        texts = self._trajectory.index.wordings.texts
        alike = {place: likeness(prompt, texts[place]) for place in sorted(positions)}
        return sorted(alike, key=alike.__getitem__, reverse=True)

    def _of_same_caption(self, sample: int) -> list[int]:
        return self._trajectory.index.wordings.positions(self._trajectory.batch.prompts[sample])
