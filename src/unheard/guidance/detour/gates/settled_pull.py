"""The pull of a prompt, as far as it settles the sound."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from torch import Tensor

from unheard.guidance.detour.correlation import Recordings
from unheard.guidance.detour.gates.base import Answer, Question
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.settings import SETTLED_PULL


class SettledPullGate:
    """The prompt's pull in full noise, as far as it settles the sound, whatever the noise; asked once.

    In full noise a prediction is the mean of what the prompt may sound like. A memorised prompt sounds like
    one recording, so that its mean is that recording, and the finished sound is that mean. The pull is
    multiplied by the correlation of both, at the best time shift. Images that are alike under any noise were
    what Carlini et al. (USENIX Security 2023, arXiv 2301.13188) told memorised ones by. It needs no training
    set, and cannot name a copy.

    The finished sound is foreseen, under the prompt alone, which is dear. A correlation is 1 at most, so it
    is not asked of prompts that pull no more than the threshold. Of a caption that is tried in the place of a
    prompt it is asked with the first blend, and the answer stands for its others. Since nothing else tells of
    a recording that such a caption leads to, it has to stay below a share of the threshold, and none may be
    tried where that cannot be told: below the noise level down to which the pull is asked. One that pulls
    harder than most is passed over as well, and not foreseen.

    Args:
        pull: whose threshold it has.
        frames, by_frame: see `LatentGate`.
        tried: share of the threshold for captions that are tried.
        hard: pull above which such a caption is not foreseen, in units of the latents.
    """

    def __init__(
        self,
        pull: PullGate,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        tried: float = 1.0,
        hard: float = inf,
    ) -> None:
        self._pull, self._frames, self._by_frame = pull, frames, by_frame
        self._share, self._hard = tried, hard
        self._told: dict[int, Answer] = {}
        self._tried: dict[int, int | None] = {}

    def begin(self, conditional: Tensor) -> None:
        pass

    def watch(self, sample: int, position: int | None) -> None:
        if sample not in self._tried or self._tried[sample] != position:
            self._tried[sample] = position
            self._told.pop(sample, None)

    def ask(self, question: Question) -> Answer:
        sample, tried = question.sample, question.sample in self._tried
        threshold = self._pull.threshold * (self._share if tried else 1.0)
        nothing = Answer(0.0, SETTLED_PULL, threshold)
        if question.finish is None or (sample in self._told and not tried):
            return nothing
        if sample in self._told:
            return self._told[sample]
        value = self._asked(question, threshold, tried)
        if value > 0 or not tried:
            self._told[sample] = nothing._replace(value=value)
        return nothing._replace(value=value)

    def _asked(self, question: Question, threshold: float, tried: bool) -> float:
        """How far a sample's caption settles its sound; 0 where it pulls no more than the threshold."""
        assert question.finish is not None
        pull = self._pull.ask(question).value
        if pull <= threshold:
            return 0.0
        if tried and pull > self._hard:
            return pull
        both = question.conditional, question.finish()
        mean, finished = (self._by_frame(each)[:, : self._frames] for each in both)
        return pull * settled(mean, finished)

    def may_try(self, question: Question) -> bool:
        return self._pull.tells(question)

    def sees_blends(self, sample: int) -> bool:
        return False


def settled(mean: Tensor, finished: Tensor) -> float:
    """How far a sound is settled in full noise: the correlation of its prediction with what comes of it.

    It is taken at the best time shift; its square is the share of the variance that the prompt accounts for.

    Args:
        mean, finished: [features, frames].
    """
    return float(Recordings([finished.float()], finished.shape[-1]).correlations(mean.float()))
