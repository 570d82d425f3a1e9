"""What a model itself recalls of training items: its predictions under their captions, in full noise.

A caption that was learned by heart has one sound, so that in full noise its prediction is that recording. So
the model shows recordings that are not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unheard.diffusion.noise import initial_noise
from unheard.diffusion.prediction import pull
from unheard.guidance.trajectory import Trajectory


class Recalled(NamedTuple):
    """What a model recalls of an item.

    Attributes:
        prediction: the one under its caption, [features, frames] of the requested duration.
        without: that without a prompt.
        pull: how far the caption pulls it, see `unheard.diffusion.prediction.pull`.
    """

    prediction: Tensor
    without: Tensor
    pull: float


class Recall:
    """Predictions in full noise, each caption's made once.

    Args:
        trajectory: the sounds on their way; all are compared with the same predictions.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._known: dict[int, Recalled] = {}

    @torch.no_grad()
    def of(self, positions: Sequence[int], sigma: float) -> list[Recalled]:
        """What is recalled of items of the index.

        Args:
            positions: of the items.
            sigma: a noise level at which little but noise is in a sound, for those that are new.
        """
        new = [position for position in dict.fromkeys(positions) if position not in self._known]
        if new:
            self._known.update(zip(new, self._predicted(new, sigma), strict=True))
        return [self._known[position] for position in positions]

    def _predicted(self, positions: list[int], sigma: float) -> list[Recalled]:
        trajectory, backbone = self._trajectory, self._trajectory.backbone
        captions = trajectory.encode_captions(positions)
        both = type(captions).cat([trajectory.unconditional.select([0]), captions])
        noise = initial_noise(backbone.noise_shape(trajectory.duration), [0], backbone.device)
        x = sigma * noise.expand(len(both), *noise.shape[1:])
        without, *predictions = backbone.denoise(x, x.new_full((len(both),), sigma), both)
        return [self._recalled(prediction, without) for prediction in predictions]

    def _recalled(self, prediction: Tensor, without: Tensor) -> Recalled:
        trim, frames = self._trajectory.trim, self._trajectory.frames
        pulls = pull(*(trim(each[None]).float() for each in (prediction, without)))
        shown, usual = (self._trajectory.by_frame(each)[:, :frames] for each in (prediction, without))
        return Recalled(shown, usual, float(pulls))
