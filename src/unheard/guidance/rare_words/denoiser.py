"""Words of the prompt that few captions of the training set have are left out before it is encoded."""

from __future__ import annotations

from torch import Tensor

from unheard.guidance.rare_words.settings import RareWords
from unheard.guidance.rewritten_prompt import Rewrite, RewrittenPromptDenoiser
from unheard.guidance.trajectory import Trajectory
from unheard.index.searching.captions import Captions, normalised


class RareWordsDenoiser(RewrittenPromptDenoiser):
    """Plain guidance under the prompt's common words; without any caption where it has none.

    Args:
        trajectory: the sounds on their way.
        settings: which words are rare.
    """

    def __init__(self, trajectory: Trajectory, settings: RareWords) -> None:
        super().__init__(trajectory)
        self._settings = settings

    def rewrites(self, x: Tensor, sigma: Tensor) -> list[Rewrite | None]:
        return [self._rewrite(sample, prompt) for sample, prompt in enumerate(self.trajectory.prompts)]

    def _rewrite(self, sample: int, prompt: str) -> Rewrite | None:
        left = without_rare_words(prompt, self.trajectory.index.captions, self._settings.fewest_captions)
        if left == prompt:
            return None
        if not normalised(left):
            return self.unprompted(sample)
        share = len(normalised(left).split()) / len(normalised(prompt).split())
        return Rewrite(self.trajectory.encode_texts([left]), caption=left, prompt_weight=share)


def without_rare_words(prompt: str, captions: Captions, fewest: int) -> str:
    """A prompt without the words that fewer captions have than `fewest`; as it is where there are none."""
    words = prompt.split()
    common = [word for word in words if all(captions.having(part) >= fewest for part in _parts(word))]
    return prompt if len(common) == len(words) else " ".join(common)


def _parts(word: str) -> list[str]:
    """The words in what stands between two spaces: none in punctuation, two in "lo-fi"."""
    return normalised(word).split()
