"""Thresholds of the detour, and how much of the prompt it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from unheard.common.checks import (
    require_at_least_zero,
    require_between,
    require_one_of,
    require_text,
    require_whole,
)
from unheard.guidance.base import THRESHOLD_STEP

EXCESS = "excess correlation with one recording"
PULL = "the prompt's pull, in high noise"
SETTLED_PULL = "the prompt's pull, as far as it settles the sound"
"""What the gates measure."""
HIGH_NOISE = 10.0
"""Noise level down to which the prompt's pull is asked where nothing else is known: that of `tiny`."""
IfNoWay = Literal["unconditional", "unguided", "refuse"]
"""What becomes of a sound for which no caption shuts the gate."""
UNCONDITIONAL, UNGUIDED, REFUSE = WAYS_OUT = get_args(IfNoWay)


@dataclass(frozen=True)
class Detour:
    """Where the sound on its way is a training recording, its caption is left for a neighbouring one.

    No gradient, no decoding in the loop; see `unheard.guidance.detour.denoiser`.

    Attributes:
        threshold: excess correlation with one recording above which the prompt's caption is left, 0 to 1, see
            `unheard.guidance.detour.gates.latents.LatentGate`.
        pull: the prompt's pull in high noise above which its caption is left where no recordings are
            available, at least 0, see `unheard.guidance.detour.gates.pull.PullGate`. Where `settled_pull` is
            set, a fallback caption that pulls more is passed over.
        prompt_weight: largest weight of the prompt in the blend with the fallback caption, 0 to 0.9, in
            tenths; 0 takes the caption as it is.
        blend_threshold: share of the threshold that what is tried in the place of the prompt has to stay
            below, 0 to 1; what is just below the threshold is often a copy.
        candidates: training items that a sound is compared with, at least 1.
        high_noise: noise level sigma down to which the prompt's pull is asked, at least 0, see
            `unheard.guidance.detour.high_noise`.
        settled_pull: the prompt's pull in full noise, as far as it settles the sound, above which its caption
            is left where no recordings are available, at least 0; 0, or `pull` given without it, goes by the
            pull alone, see `unheard.guidance.detour.gates.settled_pull.SettledPullGate`.
        sure_threshold: excess above which the prompt's caption is left whatever it pulls, 0 to 1; from
            `threshold` up to it, only if the prompt pulls more than `pull` as well, or settles its sound by
            more than `settled_pull`. 0, as all up to the threshold, or `threshold` given without it, asks
            for neither, see `unheard.guidance.detour.gates.doubted`.
        if_no_way: what becomes of a sound where no caption shuts the gate: "unconditional" goes on without
            any caption, "unguided" under the prompt after all, "refuse" is not handed out.
        wordings: other wordings of the prompt, separated by "|" or one a line; those that shut the gate come
            before captions of the training set.
        way: number of the caption, of those that shut the gate, that the sound begins under, whatever its
            prompt does; 0 keeps the prompt until the gate opens.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "detour"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = True
    without_captions: ClassVar[str | None] = "a detour cannot go on under those"
    saves_memory: ClassVar[str | None] = None

    threshold: float = 0.3
    pull: float = 0.54
    prompt_weight: float = 0.0
    blend_threshold: float = 0.5
    candidates: int = 64
    high_noise: float = HIGH_NOISE
    settled_pull: float = 0.0
    sure_threshold: float = 0.0
    if_no_way: IfNoWay = UNCONDITIONAL
    wordings: str = ""
    way: int = 0

    def __post_init__(self) -> None:
        require_between("threshold", self.threshold, 0.0, 1.0)
        require_at_least_zero("pull", self.pull)
        require_between("prompt_weight", self.prompt_weight, 0.0, 0.9)
        require_between("blend_threshold", self.blend_threshold, 0.0, 1.0)
        require_whole("candidates", self.candidates, 1)
        require_at_least_zero("high_noise", self.high_noise)
        require_at_least_zero("settled_pull", self.settled_pull)
        require_between("sure_threshold", self.sure_threshold, 0.0, 1.0)
        require_one_of("if_no_way", self.if_no_way, WAYS_OUT)
        require_text("wordings", self.wordings)
        require_whole("way", self.way, 0)

    @property
    def other_wordings(self) -> list[str]:
        """Each of `wordings`, in order."""
        said = (part.strip() for part in re.split(r"[|\n]", self.wordings))
        return [*dict.fromkeys(filter(None, said))]

    def stronger(self, attempt: int) -> Detour:
        """All thresholds less `THRESHOLD_STEP * attempt`, 0 at the least, and nothing kept of the prompt.

        A settled pull stays above 0, which would go by the pull alone. Nothing above a threshold is doubted.
        """
        lower = THRESHOLD_STEP * attempt
        return replace(
            self,
            threshold=max(self.threshold - lower, 0.0),
            pull=max(self.pull - lower, 0.0),
            settled_pull=max(self.settled_pull - lower, 0.01) if self.settled_pull else 0.0,
            sure_threshold=0.0 if attempt else self.sure_threshold,
            prompt_weight=0.0 if attempt else self.prompt_weight,
        )

    def measure(self, recordings: bool) -> str | None:
        return EXCESS if recordings else SETTLED_PULL if self.settled_pull else PULL
