"""Against the model, not the file: how often its sounds replay the catalogue.

Every prompt is generated under fixed seeds and audited. The interval of one prompt is for other seeds, which
are independent. The sounds of one prompt mostly turn out alike: over all prompts those that are replayed are
counted, and the interval of the share of sounds takes prompts as drawn, each with its seeds (see
`unheard.common.intervals`). Both are for prompts such as these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unheard.auditing import BOUNDS, Audit, FileAudit, as_bad_as
from unheard.auditing.auditor import Auditor
from unheard.common.intervals import ClusteredShare, clopper_pearson
from unheard.errors import InputError
from unheard.generation.request import Request
from unheard.guidance.prompt_pull import PromptPull, prompt_pull

if TYPE_CHECKING:
    from unheard.generation.batches import Progress
    from unheard.generation.model import Model
    from unheard.generation.sound import Sound
    from unheard.generation.training_set import TrainingSet


@dataclass(frozen=True)
class Rate:
    """How many of the judged sounds of one prompt replay, with the exact interval over its seeds.

    Attributes:
        replayed, judged: counts of sounds.
        not_told: of those that are in neither, since the audit could not tell, by verdict.
        rate: the quotient, None if nothing was judged.
        low, high: the interval of Clopper and Pearson, 95 %; 0 to 1 if nothing was judged.
    """

    replayed: int
    judged: int
    not_told: dict[str, int]
    rate: float | None
    low: float
    high: float

    @classmethod
    def of(cls, verdicts: Iterable[str], bound: str) -> Rate:
        """Count what is as bad as `bound` or worse."""
        replayed, judged, not_told = _counts(verdicts, bound)
        low, high = clopper_pearson(replayed, judged)
        return cls(replayed, judged, not_told, replayed / judged if judged else None, low, high)


@dataclass(frozen=True)
class RateOfPrompts(Rate):
    """The same over several prompts, where `low` and `high` are the interval for prompts that are drawn anew.

    Attributes:
        effective: how many independent sounds say as much as the judged ones.
        prompts_replayed, prompts_judged: prompts with at least one sound that replays, and with one judged.
        prompts_low, prompts_high: the exact interval of their quotient; 0 to 1 if nothing was judged.
    """

    effective: float
    prompts_replayed: int
    prompts_judged: int
    prompts_low: float
    prompts_high: float

    @classmethod
    def of_prompts(cls, prompts: Iterable[Rate]) -> RateOfPrompts:
        """All prompts together."""
        rates = list(prompts)
        share = ClusteredShare.of((each.replayed, each.judged) for each in rates)
        not_told = sum((Counter(each.not_told) for each in rates), Counter())
        return cls(
            share.hits, share.trials, dict(not_told), share.value, share.low, share.high, share.effective,
            share.hit_clusters, share.clusters, share.clusters_low, share.clusters_high,
        )  # fmt: skip


def _counts(verdicts: Iterable[str], bound: str) -> tuple[int, int, dict[str, int]]:
    """What replays, what was judged, and what the audit could not tell, by verdict."""
    numbers = Counter(verdicts)
    told = {verdict: number for verdict, number in numbers.items() if verdict in (*BOUNDS, "clear")}
    replayed = sum(number for verdict, number in told.items() if as_bad_as(verdict, bound))
    return replayed, sum(told.values()), {v: number for v, number in numbers.items() if v not in told}


@dataclass(frozen=True)
class PromptReplication:
    """One prompt: what became of its seeds, and how hard it pulls.

    Attributes:
        prompt: the text.
        seeds: what it was generated with.
        files: what was found, one a seed.
        rate: of sounds as bad as the bound.
        risk: see `unheard.guidance.prompt_pull`; None if it was not asked for.
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
        rate: over all prompts.
        prompts: in the order given.
        audit: every sound, in the order of prompts and seeds.
    """

    model: str
    bound: str
    guided: bool
    rate: RateOfPrompts
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
    prompts = tuple(_by_prompt(request, audit.files, bound))
    return Replication(
        model=model,
        bound=bound,
        guided=request.guidance is not None,
        rate=RateOfPrompts.of_prompts(prompt.rate for prompt in prompts),
        prompts=prompts,
        audit=audit,
    )


def measuring_risk(found: Replication, model: Model, request: Request) -> Iterator[Replication]:
    """The same, with the risk (`unheard.guidance.prompt_pull`) of one prompt more each time.

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
