"""Words of the prompt that are rare in the captions of the training set are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.rare_words.settings import RareWords
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: RareWords, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.rare_words.denoiser import RareWordsDenoiser

    return RareWordsDenoiser(trajectory, settings)
