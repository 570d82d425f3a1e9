"""A detour's sound that is a copy after all, or hardly there, is made again on the next way.

A prompt may lead to the recording of a caption like it, later than in full noise. If that recording is not at
hand, nothing tells of it in time. The finished sound is like what the model recalls of that caption
(`DetourDenoiser.replayed`), and is made again under the first caption that shuts the gate.

Where a prompt is left, the sound may end in near silence: between two captions there may be nothing, and a
caption may be of a sound that is hardly there itself. The gate cannot see that, since what is silent
resembles no recording. So a finished sound that has left its prompt, and is silent for most of its time, is
compared with recordings of the kind that was asked for. One that is far less lively is made again, with
nothing of the prompt: under the same caption where some of the prompt was kept, else under the next one that
shuts the gate (`Detour.way`).

All are made from the same noise. A way that was asked for is not doubted. So a record, which names the way,
makes that very sound again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from unheard.auditing.liveliness import Activity, activity, activity_in, liveliness
from unheard.errors import InputError
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Sound, TraceStep
from unheard.generation.training_set import TrainingSet
from unheard.guidance import Detour

KIND = 8
"""Recordings that a sound is compared with: those whose captions share the most with what was asked for."""
FEWEST = 3
"""Below which there is no kind to compare with."""
ACTIVE = 0.5
"""Share of its time from which on a sound is there, whatever its kind; no recording is read for it."""
LIFELESS = 0.43
"""Liveliness below which a sound has collapsed: 1 % of the bundled model's held-out recordings lie below."""
WAYS = 2
"""How many further ways a sound is made on, at most."""
COPY, WITHOUT_CAPTION = -2.0, -1.0
"""What stands for their liveliness."""

Make = Callable[[Request, Batch, int], list[Sound]]
"""Makes the sounds of a batch as a request says, at the attempt of that number, in order."""


def on_the_next_way(make: Make, training_set: TrainingSet) -> Make:
    """Makes copies, and what has collapsed, again on up to `WAYS` further ways; the best is taken."""
    lively = _Liveliness(training_set)

    def worth(sound: Sound) -> float:
        """The liveliness, below that of a sound without any caption, below that of a copy."""
        if sound.provenance.get("recalled"):
            return COPY
        return WITHOUT_CAPTION if sound.no_way else lively.of(sound)

    def made(request: Request, batch: Batch, attempt: int) -> list[Sound]:
        sounds = make(request, batch, attempt)
        if not isinstance(request.guidance, Detour) or request.guidance.way:
            return sounds
        values = [worth(sound) for sound in sounds]
        ways = [_first_other_way(sound.trace) for sound in sounds]
        for _ in range(WAYS):
            unfit = [
                position
                for position, value in enumerate(values)
                if value < LIFELESS and not sounds[position].no_way
            ]
            for way, positions in _by_way(ways, unfit):
                alone = replace(request, guidance=replace(request.guidance, way=way, prompt_weight=0.0))
                again = make(alone, batch.select(positions), attempt)
                for position, sound in zip(positions, again, strict=True):
                    ways[position] = way + 1
                    if (value := worth(sound)) > values[position]:
                        values[position] = value
                        sounds[position] = _in_the_place_of(sounds[position], sound)
        return sounds

    return made


def _first_other_way(trace: Sequence[TraceStep]) -> int:
    """The first way that a sound has not been on, by the captions that it went on under.

    The last of these, if the sound was under a blend with the prompt, else the one after it.
    """
    captions = [*groupby((step.fallback, step.caption) for step in trace if step.acted)]
    return len(captions) if _blended(trace) else len(captions) + 1


def _by_way(ways: Sequence[int], positions: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Ways with the positions that take each, which are made together."""
    in_order = sorted(positions, key=ways.__getitem__)
    return [(way, [*those]) for way, those in groupby(in_order, ways.__getitem__)]


def _blended(trace: Sequence[TraceStep]) -> float:
    """The largest weight of the prompt in what took its place, 0 where nothing of it was kept."""
    return max((step.prompt_weight or 0.0 for step in trace), default=0.0)


def _in_the_place_of(former: Sound, sound: Sound) -> Sound:
    """A sound whose provenance says what it was made in the place of, the first before the last."""
    told: dict[str, Any] = {
        "caption": None if former.fallback is None else former.fallback.caption,
        "prompt_weight": None if former.fallback is None else _blended(former.trace),
        "recalled": former.provenance.get("recalled"),
        "guidance": former.provenance.get("guidance"),
    }
    before = former.provenance.get("instead_of", [])
    return replace(sound, provenance={**sound.provenance, "instead_of": [*before, told]})


class _Liveliness:
    """How lively sounds are that have left their prompts, against recordings of what was asked for.

    1 is the median of that kind. It also stands for what is not asked: a sound that keeps its prompt, one
    without any caption, one that is there for `ACTIVE` of its time, and one of whose kind too few recordings
    are available.
    """

    def __init__(self, training_set: TrainingSet) -> None:
        self._training_set = training_set
        self._known: dict[tuple[Path, float], Activity | None] = {}

    def of(self, sound: Sound) -> float:
        """At least 0."""
        if sound.fallback is None or not sound.fallback.caption:
            return 1.0
        own = activity(sound.waveform, sound.sample_rate)
        seconds = sound.waveform.shape[-1] / sound.sample_rate
        if own.seconds > ACTIVE * seconds:
            return 1.0
        kind = self._kind(sound.prompt, seconds) or self._kind(sound.fallback.caption, seconds)
        try:
            return liveliness(own, kind) if kind else 1.0
        except InputError:  # most of this kind are silent themselves
            return 1.0

    def _kind(self, caption: str, seconds: float) -> list[Activity]:
        """What happens in the available recordings whose captions share the most words with one.

        They are cut to the length of a sound. Empty if there are too few.
        """
        index, recordings = self._training_set.index, self._training_set.recordings
        if index is None:
            return []
        ranked = dict.fromkeys(index.ids[position] for position in index.captions.sharing(caption))
        read = (self._activity(recordings[item], seconds) for item in ranked if item in recordings)
        kind = [*islice((found for found in read if found is not None), KIND)]
        return kind if len(kind) >= FEWEST else []

    def _activity(self, recording: Path, seconds: float) -> Activity | None:
        """What happens in a recording; None if it cannot be read, which must not cost the sound."""
        place = recording, seconds
        if place not in self._known:
            try:
                self._known[place] = activity_in(recording, seconds)
            except InputError:
                self._known[place] = None
        return self._known[place]
