"""All of a calibration: captions, what the gates say of them, thresholds, and a few sounds as the proof."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unheard.auditing.references import References
from unheard.common.checks import require_number, require_whole
from unheard.common.progress import Report
from unheard.errors import InputError
from unheard.generation import request as checks
from unheard.generation.calibration.captions import LEAST, check_enough, ordinary_captions, repeated_captions
from unheard.generation.calibration.measuring import Caption, Measuring, Reading
from unheard.generation.calibration.record import (
    ALIGNMENT,
    CAPTIONS,
    EXCESS,
    PULL,
    SETTLED_PULL,
    AtDuration,
    Calibration,
    Proof,
    Statistic,
)
from unheard.generation.calibration.replays import Audited, UnderTwoNoises, repeating, replaying
from unheard.generation.calibration.thresholds import separation_of, threshold_of
from unheard.generation.model import Model, load
from unheard.generation.provenance import package_versions
from unheard.generation.training_set import TrainingSet
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.look_ahead import STEPS
from unheard.index import Index

COUNT, FALSE_ALARMS, SOUNDS = CAPTIONS, 0.01, 8
"""Ordinary captions, the share of them that may open a gate, and the suspected captions of the proof."""
ONCE = 1 + STEPS // 2
"""Pairs of predictions that a caption takes besides its trajectory: for the alignment, and the look ahead."""
REPEATED = 60
"""Captions that the training set has several times and that are suspected, at most."""


def calibrate(
    model: Model | str | Path = "tiny",
    index: Index | str | Path = "auto",
    *,
    references: References | None = None,
    captions: Iterable[str] | None = None,
    prompts: Iterable[str] = (),
    count: int = COUNT,
    durations: Sequence[float] | None = None,
    false_alarms: float = FALSE_ALARMS,
    sounds: int = SOUNDS,
    seed: int = 0,
    batch: int | None = None,
    progress: Report | None = None,
) -> Calibration:
    """The detour's thresholds for a model and a training set; `Calibration.keep` has `generate` use them.

    Captions that the training set has once say what is ordinary, under one seed each. What is measured is
    cached: it can be stopped, and asked again with more captions or another rate of false alarms.

    Args:
        model: see `unheard.load`.
        index, references: see `Model.training_set`.
        captions: suspected ones; None for those that the training set has several times, the 60 most
            repeated.
        prompts: further ordinary ones, such as users write.
        count: captions of the training set, drawn with `seed`.
        durations: seconds, one or several; None for the model's default.
        false_alarms: share of ordinary captions that may open a gate, above 0 and below 1.
        sounds: suspected captions, those that pull hardest, that are made into sounds without guidance and
            with it, and audited; none without recordings.
        seed: of the draw, and of the first caption's noise; each caption takes the next.
        batch: captions at once; None for 4.
        progress: called with how many captions are measured or made into sounds, and how many there are.

    Raises:
        InputError: a value that cannot be used, or fewer than 20 ordinary captions.
        IndexFileError, ModelError: as `unheard.load` and `Model.training_set`.
    """
    began = time.monotonic()
    _check(false_alarms, count, sounds, seed)
    doubted = None if captions is None else [checks.check_prompt(caption) for caption in captions]
    further = [checks.check_prompt(prompt) for prompt in prompts]
    known = model if isinstance(model, Model) else load(model)
    seconds = _durations(known, durations)
    training_set = known.training_set(index, references)
    _advise(known, training_set)
    drawn = _draw(known, training_set, doubted, further, count, seed)
    measurings = [
        Measuring(known, training_set, duration, checks.check_batch(batch, len(drawn.all)))
        for duration in seconds
    ]
    recordings = len(training_set.recordings)
    audited = Audited(known, training_set, seconds[-1]) if recordings else None
    two_noises = UnderTwoNoises(known, training_set, seconds[-1]) if recordings < drawn.index.items else None
    replayed = _replayed(audited, two_noises, drawn, measurings[-1], progress)
    drawn = replace(drawn, ordinary=[each for each in drawn.ordinary if each not in replayed])
    check_enough(len(drawn.ordinary), "without captions that replay a recording the training set")
    # Where some recordings are missing, two gates are asked, and either may open.
    rate = false_alarms / 2 if 0 < recordings < drawn.index.items else false_alarms
    calibration = Calibration(
        model=known.name,
        fingerprint=known.fingerprint,
        index=drawn.index.sha256,
        items=drawn.index.items,
        recordings=recordings,
        sampling=known.defaults.sampling.described(),
        false_alarms=float(false_alarms),
        seed=seed,
        ordinary=tuple(caption.text for caption in drawn.ordinary),
        suspected=tuple(caption.text for caption in drawn.suspected),
        replayed=tuple(caption.text for caption in replayed),
        durations=tuple(
            _at_duration(measuring, drawn, rate, _reporting(progress, f"{measuring.duration:g} s"))
            for measuring in measurings
        ),
        proof=(),
        made={},
    )
    proof = () if audited is None else _proof(audited, calibration, drawn, sounds, progress)
    predictions = sum(measuring.steps + ONCE for measuring in measurings) * len(drawn.all)
    spent = {"seconds": round(time.monotonic() - began, 1), "pairs_of_predictions": predictions}
    return replace(calibration, proof=proof, made={**spent, "packages": package_versions()})


@dataclass(frozen=True)
class _Drawn:
    """The captions of a calibration, and the index that they are of."""

    index: Index
    ordinary: list[Caption]
    suspected: list[Caption]

    @property
    def all(self) -> list[Caption]:
        return [*self.ordinary, *self.suspected]


def _check(false_alarms: float, count: int, sounds: int, seed: int) -> None:
    require_number("false_alarms", false_alarms)
    if not 0 < false_alarms < 1:
        raise InputError(f"false_alarms is {false_alarms}: give a share above 0 and below 1, such as 0.01")
    require_whole("count", count, 0)
    require_whole("sounds", sounds, 0)
    checks.check_seed(seed)


def _advise(model: Model, training_set: TrainingSet) -> None:
    """Say before the work is done if it would have to be done again for a better gate."""
    recordings = len(training_set.recordings)
    lacking = recordings - model.encoded(training_set)
    if lacking and not training_set.only_memorised:
        warnings.warn(
            f"{lacking:,} of {recordings:,} recordings are not encoded, so the gate is calibrated to look at "
            "those around a prompt alone, and takes longer: `unheard index latents` first has it look at all",
            GuidanceWarning,
            stacklevel=3,
        )


def _durations(model: Model, given: Sequence[float] | None) -> list[float]:
    """Seconds, the shortest first."""
    limit, name = model.backbone.max_duration, model.backbone.name
    chosen = given or [min(model.defaults.duration, limit)]
    return sorted({checks.check_duration(duration, limit, name) for duration in chosen})


def _draw(
    model: Model,
    training_set: TrainingSet,
    suspected: list[str] | None,
    further: list[str],
    count: int,
    seed: int,
) -> _Drawn:
    """Ordinary captions, those drawn first, and suspected ones, each with its seed."""
    index = training_set.index
    if index is None:
        raise InputError(f"{model.name} brings no index of its training set: give one (--index PATH)")
    if suspected is None:
        suspected = repeated_captions(index, REPEATED)
    known = training_set.memorised
    ordinary = ordinary_captions(index, count, seed=seed, without=suspected, memorised=known)
    if len(ordinary) == count and count + len(further) < LEAST:
        raise InputError(f"count is {count}: {LEAST} ordinary captions at least are needed, give more")
    check_enough(len(ordinary) + len(further), index.path or "the index")

    def seeded(texts: list[str]) -> list[Caption]:
        return [Caption(text, seed + number) for number, text in enumerate(dict.fromkeys(texts))]

    return _Drawn(index, seeded([*ordinary, *further]), seeded(suspected))


def _replayed(
    audited: Audited | None,
    under_two_noises: UnderTwoNoises | None,
    drawn: _Drawn,
    measuring: Measuring,
    progress: Report | None,
) -> list[Caption]:
    """Ordinary captions that replay: by the audit, and where recordings are missing by two noises as well."""
    readings = measuring.measure(drawn.all, _reporting(progress, f"{measuring.duration:g} s"))
    measured = dict(zip(drawn.ordinary, readings, strict=False))  # those of suspected captions come after
    found: list[Caption] = []
    if audited is not None:
        found += replaying(measured, lambda caption: audited(caption, None)[0])
    if under_two_noises is not None:
        left = {caption: reading for caption, reading in measured.items() if caption not in found}
        found += repeating(left, under_two_noises)
    return found


def _at_duration(
    measuring: Measuring, drawn: _Drawn, rate: float, report: Callable[[int, int], None]
) -> AtDuration:
    """Measure captions, and set thresholds."""
    readings = measuring.measure(drawn.all, report)
    ordinary, suspected = readings[: len(drawn.ordinary)], readings[len(drawn.ordinary) :]

    def statistic(value: Callable[[Reading], float]) -> Statistic:
        null, doubted = [*map(value, ordinary)], [*map(value, suspected)]
        threshold = threshold_of(null, rate)
        separation = separation_of(doubted, null, threshold.value) if doubted else None
        return Statistic(threshold, tuple(null), tuple(doubted), separation)

    statistics = {
        PULL: statistic(measuring.pull),
        SETTLED_PULL: statistic(lambda reading: reading.settled_pull),
        ALIGNMENT: statistic(lambda reading: reading.alignment),
    }
    if ordinary[0].excesses:
        statistics[EXCESS] = statistic(lambda reading: reading.excess)
    return AtDuration(measuring.duration, measuring.high_noise, measuring.spread, statistics)


def _proof(
    audited: Audited,
    calibration: Calibration,
    drawn: _Drawn,
    sounds: int,
    progress: Report | None,
) -> tuple[Proof, ...]:
    """The suspected captions that pull hardest, finished without guidance and with it, and audited."""
    if not sounds or not drawn.suspected:
        return ()
    report = _reporting(progress, "sounds")
    at = calibration.durations[-1]
    pulls = dict(zip(drawn.suspected, at.statistics[PULL].suspected, strict=True))
    chosen = sorted(drawn.suspected, key=pulls.__getitem__, reverse=True)[:sounds]
    found = []
    for number, caption in enumerate(chosen):
        report(number, len(chosen))
        plain, _ = audited(caption, None)
        guided, left = audited(caption, calibration.detour(at.duration, calibration.recordings))
        on = (None, None) if left is None else (left.caption, left.prompt_weight)
        found.append(Proof(caption.text, caption.seed, plain, guided, *on))
    report(len(chosen), len(chosen))
    return tuple(found)


def _reporting(progress: Report | None, note: str) -> Callable[[int, int], None]:
    """Reports of one part of the work, under its name."""
    return lambda done, total: None if progress is None else progress(done, total, note)
