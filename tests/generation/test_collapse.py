"""What has ended in near silence under a blend is made again without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from melodies import RATE, melody
from tiny_world import CAPTIONS, build_index

from unheard import AMG, Detour, audio
from unheard.diffusion.settings import Sampling
from unheard.generation.collapse import without_collapse
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Fallback, Sound, TraceStep
from unheard.generation.training_set import TrainingSet
from unheard.index import Index

LIVELY, LIFELESS = melody(99, seconds=2.0), torch.zeros(1, 2 * RATE)
LIFELESS[:, :400] = melody(98, seconds=2.0)[:, :400]


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    folder = tmp_path_factory.mktemp("collapse")
    index = Index.open(build_index(folder / "index.json"))
    for number, item in enumerate(index.ids):
        audio.write_wav(folder / f"{item}.wav", melody(number, seconds=2.0), RATE)
    return TrainingSet(index, folder)


class Maker:
    """Makes sounds of one caption each: lifeless under a blend where it is told so."""

    def __init__(self, lifeless: Sequence[int], weights: Sequence[float | None]) -> None:
        self.lifeless, self.weights = set(lifeless), weights
        self.asked: list[tuple[float | None, tuple[int, ...]]] = []

    def __call__(self, request: Request, batch: Batch, attempt: int) -> list[Sound]:
        weight = request.guidance.prompt_weight if isinstance(request.guidance, Detour) else None
        self.asked.append((weight, batch.numbers))
        return [self._sound(number, weight) for number in batch.numbers]

    def _sound(self, number: int, weight: float | None) -> Sound:
        of_sound = self.weights[number] if weight else (None if self.weights[number] is None else 0.0)
        dead = number in self.lifeless and weight != 0.0
        left = None if of_sound is None else Fallback("train_00", CAPTIONS[0], of_sound, 1)
        trace = [TraceStep(1.0, prompt_weight=of_sound)]
        waveform = LIFELESS if dead else LIVELY
        return Sound(waveform, RATE, "a", number, trace, fallback=left, provenance={}, number=number)


def request(guidance: AMG | Detour | None) -> tuple[Request, Batch]:
    asked = Request(("a",) * 4, (0, 1, 2, 3), None, 2.0, 0.0, 4, Sampling(), guidance)
    return asked, next(asked.batches())


def test_only_what_collapsed_under_a_blend_is_made_again(training_set: TrainingSet) -> None:
    maker = Maker(lifeless=[1, 2], weights=[0.4, 0.4, None, 0.3])
    sounds = without_collapse(maker, training_set)(*request(Detour(prompt_weight=0.5)), 0)
    # the third is lifeless too, but kept its prompt: it is what the prompt gives
    assert maker.asked == [(0.5, (0, 1, 2, 3)), (0.0, (1,))]
    assert torch.equal(sounds[1].waveform, LIVELY)
    assert [sound.number for sound in sounds] == [0, 1, 2, 3]
    assert sounds[1].provenance == {"collapsed": {"prompt_weight": 0.4}}
    assert [sound.provenance for sound in (sounds[0], sounds[2], sounds[3])] == [{}] * 3


def test_what_is_left_at_the_end_of_a_blend_does_not_matter(training_set: TrainingSet) -> None:
    """It may have collapsed under a blend that it left later."""

    class Later(Maker):
        def _sound(self, number: int, weight: float | None) -> Sound:
            sound = super()._sound(number, weight)
            if weight == 0.0:
                return sound
            assert sound.fallback is not None
            return replace(sound, fallback=replace(sound.fallback, prompt_weight=0.0))

    maker = Later(lifeless=[0], weights=[0.4] * 4)
    sounds = without_collapse(maker, training_set)(*request(Detour(prompt_weight=0.5)), 0)
    assert torch.equal(sounds[0].waveform, LIVELY)
    assert len(maker.asked) == 2


@pytest.mark.parametrize("guidance", [AMG(), None])
def test_other_guidance_is_left_alone(training_set: TrainingSet, guidance: AMG | None) -> None:
    maker = Maker(lifeless=[0, 1, 2, 3], weights=[0.4] * 4)
    without_collapse(maker, training_set)(*request(guidance), 0)
    assert len(maker.asked) == 1


def test_without_recordings_nobody_can_tell(training_set: TrainingSet, tmp_path: Path) -> None:
    maker = Maker(lifeless=[0, 1, 2, 3], weights=[0.4] * 4)
    for known in (TrainingSet(training_set.index), TrainingSet(None)):
        without_collapse(maker, known)(*request(Detour(prompt_weight=0.5)), 0)
    assert [numbers for _, numbers in maker.asked] == [(0, 1, 2, 3)] * 2
