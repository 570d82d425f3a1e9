"""Against the model, not the file: how often its sounds replay the catalogue.

Every prompt is generated under fixed seeds and audited. The rate is given with Wilson's interval; the
interval of all sounds together is for these prompts under other seeds, and on the safe side, because prompts
that differ spread less than coins that do not. It says nothing of prompts that were not tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

from unheard.auditing import Audit, FileAudit, as_bad_as
from unheard.auditing.auditor import Auditor
from unheard.diffusion.prompt_pull import PromptPull, prompt_pull
from unheard.errors import InputError
from unheard.generation.request import Request

if TYPE_CHECKING:
    from unheard.generation.model import Model, Progress
    from unheard.generation.sound import Sound
    from unheard.generation.training_set import TrainingSet

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """How many of the judged sounds replay, with Wilson's interval of confidence `CONFIDENCE`.

    Attributes:
        replayed, judged: counts; what could not be judged counts nowhere.
        rate: their quotient, None if nothing was judged.
        low, high: the interval, 0 to 1 if nothing was judged.
    """

    replayed: int
    judged: int
    rate: float | None
    low: float
    high: float

    @classmethod
    def of(cls, verdicts: Iterable[str], bound: str) -> Rate:
        """Count what is as bad as `bound` or worse."""
        judged = [verdict for verdict in verdicts if verdict != "not judged"]
        replayed = sum(as_bad_as(verdict, bound) for verdict in judged)
        low, high = wilson(replayed, len(judged))
        return cls(replayed, len(judged), replayed / len(judged) if judged else None, low, high)


@dataclass(frozen=True)
class PromptReplication:
    """One prompt: what became of its seeds, and how hard it pulls.

    Attributes:
        prompt: the text.
        seeds: what it was generated with.
        files: what was found, one a seed.
        rate: of sounds as bad as the bound.
        risk: see `unheard.diffusion.prompt_pull`; None if it was not asked for.
    """

    prompt: str
    seeds: tuple[int, ...]
    files: tuple[FileAudit, ...]
    rate: Rate
    risk: PromptPull | None


@dataclass(frozen=True)
class Replication:
    """What a model makes of some prompts.

    Attributes:
        model: its name.
        bound: the verdict that counts, with those worse.
        guided: whether anti-memorization guidance was on.
        rate: over all sounds.
        prompts: in the order given.
        audit: every sound, in the order of prompts and seeds.
    """

    model: str
    bound: str
    guided: bool
    rate: Rate
    prompts: tuple[PromptReplication, ...]
    audit: Audit


def replication(
    model: Model,
    request: Request,
    auditor: Auditor,
    *,
    training_set: TrainingSet | None = None,
    bound: str = "copy",
    risk: bool = True,
    judged: Callable[[Sound, FileAudit], FileAudit] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Replication:
    """Generate what is asked for, audit every sound, and count.

    Args:
        model: see `unheard.load`.
        request: of `Model.request`, with every prompt once for each of its seeds.
        auditor: judges the sounds.
        training_set: see `Model.stream`.
        bound: the verdict that counts, with those worse.
        risk: whether to measure each prompt's risk too, see `measuring_risk`.
        judged: called with every sound and what was found, as soon as it is there; gives back what to keep,
            such as the result with the name of the file that the sound was saved to.
        progress: see `Model.stream`.

    Raises:
        InputError: the request rejects sounds, which would hide what is to be counted.
    """
    if request.reject is not None:
        raise InputError("a replication rate counts every sound: leave out reject")
    files: list[FileAudit] = []
    for sound in model.stream(request, training_set, progress):
        found = auditor.judge((sound.waveform, sound.sample_rate), f"sound {sound.number + 1}")
        files.append(found if judged is None else judged(sound, found))
    counted = count(model.name, request, auditor.audit(files), bound)
    if risk:
        *_, counted = measuring_risk(counted, model, request)
    return counted


def count(model: str, request: Request, audit: Audit, bound: str = "copy") -> Replication:
    """What a request has come to, or the first of its sounds, if it was interrupted.

    Args:
        model: its name.
        request: what was generated.
        audit: of its sounds in their order, as many as there are; prompts without any are left out.
        bound: see `replication`.
    """
    return Replication(
        model=model,
        bound=bound,
        guided=request.guidance is not None,
        rate=Rate.of((file.verdict for file in audit.files), bound),
        prompts=tuple(_by_prompt(request, audit.files, bound)),
        audit=audit,
    )


def measuring_risk(found: Replication, model: Model, request: Request) -> Iterator[Replication]:
    """The same, with the risk (`unheard.diffusion.prompt_pull`) of one prompt more each time.

    It is measured at the prompt's seeds, under plain guidance.
    """
    prompts = list(found.prompts)
    for number, each in enumerate(prompts):
        (risk,) = prompt_pull(
            model.backbone,
            [each.prompt],
            sampling=request.sampling,
            duration=request.duration,
            start=request.start,
            seeds=each.seeds,
        )
        prompts[number] = replace(each, risk=risk)
        yield (found := replace(found, prompts=tuple(prompts)))


def _by_prompt(request: Request, files: Sequence[FileAudit], bound: str) -> Iterator[PromptReplication]:
    numbers: dict[str, list[int]] = {}
    for number, prompt in enumerate(request.prompts[: len(files)]):
        numbers.setdefault(prompt, []).append(number)
    for prompt, some in numbers.items():
        of_prompt = tuple(files[number] for number in some)
        seeds = tuple(request.seeds[number] for number in some)
        rate = Rate.of((file.verdict for file in of_prompt), bound)
        yield PromptReplication(prompt, seeds, of_prompt, rate, risk=None)


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a proportion (1927, J. Am. Stat. Assoc. 22, 209); 0 to 1 of nothing."""
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    middle = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    width = 1 + z * z / trials
    low, high = (middle - reach) / width, (middle + reach) / width
    # At the ends of the range the formula meets them exactly, but for rounding.
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)
