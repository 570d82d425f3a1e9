"""The closed loop: a generated sound is audited before it is handed out, and made again if it is a copy.

Attempt `a`, from 0, of a sound with seed `s` is made with

    seed         s + a * SEED_STEP
    guidance     stronger as its kind says, see `stronger` in `unheard.guidance.base.Guidance`

and everything else as asked. Where no guidance was asked for only the seed changes. A sound that passes
carries its audit in its provenance, with the seed and the settings of the attempt that passed; the record
makes that very sound again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from unheard.auditing import Audit, FileAudit, as_bad_as
from unheard.auditing.auditor import Auditor
from unheard.errors import RejectedError
from unheard.generation.request import MAX_SEED, Batch, Request
from unheard.generation.sound import Sound
from unheard.guidance import describe_guidance
from unheard.guidance.base import Guidance

SEED_STEP = 1_000_003
"""A prime, so far from 1 that no retry takes the seed of another sound of the same request."""


@dataclass(frozen=True)
class Attempt:
    """One sound that was made and judged.

    Attributes:
        seed, guidance: what it was made with; no guidance is None.
        audit: what was found.
    """

    seed: int
    guidance: Guidance | None
    audit: FileAudit


@dataclass(frozen=True)
class Refused:
    """A sound of which no attempt passed.

    Attributes:
        number: which of the sounds asked for, from 0.
        prompt: what was asked for.
        attempts: in order; none where no caption was found to make it under, see
            `unheard.guidance.detour.settings`.
    """

    number: int
    prompt: str
    attempts: tuple[Attempt, ...]


def retry_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt; stays in the range of seeds."""
    return (seed + attempt * SEED_STEP) % (MAX_SEED + 1)


def stronger(guidance: Guidance | None, attempt: int) -> Guidance | None:
    """The guidance of an attempt."""
    return guidance if guidance is None or attempt == 0 else guidance.stronger(attempt)


def passing(
    request: Request,
    batch: Batch,
    auditor: Auditor,
    make: Callable[[Request, Batch, int], Iterable[Sound]],
) -> Generator[Sound, None, list[Refused]]:
    """The sounds of a batch that pass, as soon as each does; only those rejected are made again.

    Args:
        request: what was asked for, with the verdict from which a sound is rejected, and how often it is made
            again. What cannot be judged is handed out, and its audit says so.
        batch: which of its sounds.
        auditor: judges them.
        make: makes the sounds of a batch as a request says, at the attempt of that number, in order.

    Returns:
        Those of which no attempt passed.
    """
    assert request.reject is not None
    attempts: dict[int, list[Attempt]] = {number: [] for number in batch.numbers}
    left = batch
    for attempt in range(request.retries + 1):
        tried = replace(request, guidance=stronger(request.guidance, attempt))
        seeds = tuple(retry_seed(seed, attempt) for seed in left.seeds)
        rejected = []
        for position, sound in enumerate(make(tried, replace(left, seeds=seeds), attempt)):
            found = auditor.judge((sound.waveform, sound.sample_rate), f"sound {sound.number + 1}")
            attempts[sound.number].append(Attempt(sound.seed, tried.guidance, found))
            if as_bad_as(found.verdict, request.reject):
                rejected.append(position)
            else:
                audited = audit_record(request.reject, auditor, attempts[sound.number])
                yield replace(sound, provenance={**sound.provenance, "audit": audited})
        if not rejected:
            return []
        left = left.select(rejected)
    return [
        Refused(number, prompt, tuple(attempts[number]))
        for number, prompt in zip(left.numbers, left.prompts, strict=True)
    ]


def raise_if_any(refused: Sequence[Refused], request: Request) -> None:
    """Say what was found in the sounds that are not handed out.

    Raises:
        RejectedError: there are some.
    """
    replaying = [one for one in refused if one.attempts]
    without_way = [one for one in refused if not one.attempts]
    total = len(request.prompts)
    told = [
        *([_why_replaying(replaying, total)] if replaying else []),
        *([_why_without_way(without_way, total)] if without_way else []),
    ]
    if told:
        raise RejectedError(". ".join(told), refused)


def _why_replaying(refused: Sequence[Refused], total: int) -> str:
    attempts = len(refused[0].attempts)
    tries = "its only attempt" if attempts == 1 else f"each of {attempts} attempts"
    found = _first_few([_found(one, total) for one in refused])
    return (
        f"{_which(refused, total)} not written, because {tries} replays the training set: {found}. "
        "Try more --retries, another --seed, or another prompt"
    )


def _why_without_way(refused: Sequence[Refused], total: int) -> str:
    prompts = _first_few([f'"{one.prompt}"' for one in refused])
    return (
        f"{_which(refused, total)} not written, because prompt and captions near it all lead to a recording: "
        f"{prompts}. Try another prompt, or --if-no-way unconditional"
    )


def _which(refused: Sequence[Refused], total: int) -> str:
    if total == 1:
        return "the sound is"
    return f"{len(refused)} of {total} sounds {'is' if len(refused) == 1 else 'are'}"


def _first_few(texts: Sequence[str]) -> str:
    further = f"; and {len(texts) - 3} more" if len(texts) > 3 else ""
    return f"{'; '.join(texts[:3])}{further}"


def _found(refused: Refused, total: int) -> str:
    """What was found in the last attempt at a sound."""
    audit = refused.attempts[-1].audit
    of = ""
    if audit.matches:
        match = audit.matches[0]
        caption = f' "{match.caption}"' if match.caption else ""
        of = (
            f" of {match.reference}{caption}, {match.start:.2f} to {match.end:.2f} s, {match.share:.0%} of it"
        )
    which = "" if total == 1 else f"sound {refused.number + 1}: "
    return f"{which}{audit.verdict}{of}, score {audit.score:.2f}"


def audited(sound: Sound, auditor: Auditor) -> Sound:
    """A sound with what the audit finds in its provenance; as it is if it was judged on its way."""
    if "audit" in sound.provenance:
        return sound
    found = auditor.judge((sound.waveform, sound.sample_rate), f"sound {sound.number + 1}")
    record = audit_record(None, auditor, [Attempt(sound.seed, None, found)])
    return replace(sound, provenance={**sound.provenance, "audit": record})


def audit_record(bound: str | None, auditor: Auditor, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What the provenance says of the audit: the last attempt in full, those before it in short.

    Args:
        bound: the verdict from which a sound is rejected; None where none is.
        auditor: who judged them.
        attempts: in order, the one that is handed out last.
    """
    last = attempts[-1].audit
    about: Audit = auditor.audit([last])
    return {
        "reject": bound,
        "verdict": last.verdict,
        "reason": last.reason,
        "score": last.score,
        "matches": [asdict(match) for match in last.matches],
        "rejected": [
            {
                "seed": attempt.seed,
                "guidance": None if attempt.guidance is None else describe_guidance(attempt.guidance),
                "verdict": attempt.audit.verdict,
                "score": attempt.audit.score,
                "reference": attempt.audit.matches[0].reference if attempt.audit.matches else None,
            }
            for attempt in attempts[:-1]
        ],
        "catalogue": about.catalogue,
        "settings": about.settings,
        "calibration": about.calibration,
    }
