"""What a detour compares a sound with, and where it may lead: found once for each sound, in the index."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from unheard.guidance.trajectory import Trajectory
from unheard.index.near_captions import normalised


class Candidates:
    """The training items around each prompt of a trajectory.

    Args:
        trajectory: the sounds on their way.
        count: items that each sound is compared with.

    Attributes:
        ways: for each prompt, positions of the items whose captions may be tried, the nearest first: those
            of captions that the index has once, and that are not the prompt.
    """

    def __init__(self, trajectory: Trajectory, count: int) -> None:
        index, batch = trajectory.index, trajectory.batch
        self._trajectory, self._count = trajectory, count
        wording = [normalised(caption) for caption in index.prompts]
        often = Counter(wording)
        said = trajectory.embedder.embed_text(list(batch.prompts)).to(trajectory.backbone.device)
        _, near = index.search(said, k=4 * count)
        # Of the items that sound like the prompt, first those whose captions read like it.
        read: dict[int, Tensor] = {}
        for some in near.tolist():
            if new := [p for p in some if p not in read]:
                captions = trajectory.embedder.embed_text([index.prompts[p] or " " for p in new]).to(said)
                read |= dict(zip(new, captions, strict=True))
        reads = torch.stack(
            [
                torch.stack([read[p] for p in some]) @ prompt
                for some, prompt in zip(near.tolist(), said, strict=True)
            ]
        )
        self._near = near.gather(1, reads.argsort(dim=1, descending=True))
        self.ways = [
            [p for p in some if wording[p] and often[wording[p]] == 1 and wording[p] != normalised(prompt)]
            for prompt, some in zip(batch.prompts, self._near.tolist(), strict=True)
        ]
        self._same = [
            [p for p, text in enumerate(wording) if text == normalised(prompt)] for prompt in batch.prompts
        ]

    def find(self, denoised: Tensor) -> list[tuple[list[int], list[Tensor]]]:
        """Of first predictions [batch, channels, frames] each one's items, by position, and their latents.

        First come the items of the very caption, then those that sound like the prediction, then those that
        fit the prompt; only items whose recordings are at hand.
        """
        index, recordings = self._trajectory.index, self._trajectory.request.recordings
        heard = self._trajectory.embed(self._trajectory.decode(denoised))
        _, alike = index.search(heard, k=self._count)
        found = []
        for row in range(len(denoised)):
            ranked = self._same[row] + alike[row].tolist() + self._near[row].tolist()
            own = [p for p in dict.fromkeys(ranked) if index.ids[p] in recordings]
            own = own[: max(self._count, len(self._same[row]))]
            found.append((own, [self._trajectory.latents_of(recordings[index.ids[p]]) for p in own]))
        return found
