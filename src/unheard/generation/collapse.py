"""A detour that ends in near silence is made again, under its fallback caption alone.

Between the conditioning of a memorised prompt and another there may be nothing: the blend copies no more, and
no sound is left of it either. The gate cannot see that, since what is silent resembles no recording. So a
finished sound that went on under a blend is compared with recordings of its fallback caption's kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from unheard.auditing.liveliness import Activity, activity, activity_in, liveliness
from unheard.errors import InputError
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Sound
from unheard.generation.training_set import TrainingSet
from unheard.guidance import Detour

KIND = 8
"""Recordings that a sound is compared with: those whose captions share the most with its fallback's."""
FEWEST = 3
"""Below which there is no kind to compare with."""
LIFELESS = 0.43
"""Liveliness below which a sound has collapsed: 1 % of the bundled model's held-out recordings lie below."""

Make = Callable[[Request, Batch, int], list[Sound]]
"""Makes the sounds of a batch as a request says, at the attempt of that number, in order."""


def without_collapse(make: Make, training_set: TrainingSet) -> Make:
    """Makes what has collapsed under a blend again without any of the prompt, from the same noise."""
    activities: dict[str, Activity] = {}

    def lifeless(sound: Sound) -> bool:
        if sound.fallback is None or not _blended(sound):
            return False
        kind = [
            _activity(training_set, item, sound, activities)
            for item in _kind(training_set, sound.fallback.caption)
        ]
        if len(kind) < FEWEST:
            return False
        try:
            return liveliness(activity(sound.waveform, sound.sample_rate), kind) < LIFELESS
        except InputError:  # most of this kind are silent themselves
            return False

    def made(request: Request, batch: Batch, attempt: int) -> list[Sound]:
        sounds = make(request, batch, attempt)
        if not isinstance(request.guidance, Detour):
            return sounds
        collapsed = [position for position, sound in enumerate(sounds) if lifeless(sound)]
        if collapsed:
            alone = replace(request, guidance=replace(request.guidance, prompt_weight=0.0))
            for position, sound in zip(collapsed, make(alone, batch.select(collapsed), attempt), strict=True):
                blend = {"prompt_weight": _blended(sounds[position])}
                sounds[position] = replace(sound, provenance={**sound.provenance, "collapsed": blend})
        return sounds

    return made


def _blended(sound: Sound) -> float:
    """The largest weight of the prompt that a sound was under, 0 where it was under none of it."""
    return max((step.prompt_weight or 0.0 for step in sound.trace), default=0.0)


def _kind(training_set: TrainingSet, caption: str) -> list[str]:
    """The items whose captions share the most words with one, of those whose recordings are available."""
    index = training_set.index
    if index is None:
        return []
    ranked = dict.fromkeys(index.ids[position] for position in index.captions.sharing(caption))
    return [item for item in ranked if item in training_set.recordings][:KIND]


def _activity(training_set: TrainingSet, item: str, sound: Sound, known: dict[str, Activity]) -> Activity:
    """What happens in a recording, cut to the length of the sound."""
    seconds = sound.waveform.shape[-1] / sound.sample_rate
    key = f"{item} {seconds:.2f}"
    if key not in known:
        known[key] = activity_in(training_set.recordings[item], seconds)
    return known[key]
