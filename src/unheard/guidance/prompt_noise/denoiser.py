"""Words drawn at random are put into the prompt, or Gaussian noise onto its embedding.

Somepalli et al., NeurIPS 2023 (arXiv 2305.20086): a caption that is a key to one image stops being one when
it is changed by chance. Their words are tokens of the text encoder's vocabulary. Ours come from captions of
the training set, since no family of models shares its tokens with another; frequent words come more often.
"""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch
from torch import Tensor

from unheard.guidance.prompt_noise.settings import PromptNoise
from unheard.guidance.rewritten_prompt import Rewrite, RewrittenPromptDenoiser
from unheard.guidance.trajectory import Trajectory


class PromptNoiseDenoiser(RewrittenPromptDenoiser):
    """Plain guidance under a prompt that chance has changed, once a sound.

    What is drawn depends on the prompt and on the noise that the sound begins in, so on its seed.

    Args:
        trajectory: the sounds on their way.
        settings: how many words, and how much noise.
    """

    def __init__(self, trajectory: Trajectory, settings: PromptNoise) -> None:
        super().__init__(trajectory)
        self._settings = settings

    def rewrites(self, x: Tensor, sigma: Tensor) -> list[Rewrite | None]:
        return [
            self._rewrite(prompt, _seed(prompt, noise))
            for prompt, noise in zip(self.trajectory.prompts, x, strict=True)
        ]

    def _rewrite(self, prompt: str, seed: int) -> Rewrite:
        settings, text = self._settings, prompt
        if settings.random_words:
            text = with_random_words(prompt, self._drawn_words(seed), seed, replace=settings.replace_words)
        told = self.trajectory.encode_texts([text])
        if settings.embedding_noise > 0:
            drawn = np.random.default_rng(seed).standard_normal(told.text_states.shape)
            noise = torch.from_numpy(drawn).to(told.text_states)
            told = told.with_text_states(told.text_states + settings.embedding_noise * noise)
        if text == prompt:
            return Rewrite(told, prompt_weight=None)
        kept = len(prompt.split()) - (settings.random_words if settings.replace_words else 0)
        return Rewrite(told, caption=text, prompt_weight=max(kept, 0) / len(text.split()))

    def _drawn_words(self, seed: int) -> list[str]:
        """Each from a caption drawn by itself; fewer only where no caption says anything."""
        texts = [text for text in self.trajectory.index.captions.texts if text]
        chance = random.Random(seed)
        return [
            chance.choice(chance.choice(texts).split())
            for _ in range(self._settings.random_words if texts else 0)
        ]


def with_random_words(prompt: str, words: list[str], seed: int, *, replace: bool) -> str:
    """A prompt with words at places drawn by `seed`, between its own or, with `replace`, instead of them."""
    chance, told = random.Random(seed), prompt.split()
    if replace:
        for place, word in zip(
            chance.sample(range(len(told)), min(len(words), len(told))), words, strict=False
        ):
            told[place] = word
        return " ".join(told)
    for word in words:
        told.insert(chance.randint(0, len(told)), word)
    return " ".join(told)


def _seed(prompt: str, noise: Tensor) -> int:
    content = prompt.encode() + noise.detach().cpu().float().numpy().tobytes()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
