"""What has ended in near silence under another caption is made again on the next way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from melodies import RATE, melody
from tiny_world import CAPTIONS, build_index

from unheard import AMG, Detour, audio
from unheard.diffusion.settings import Sampling
from unheard.generation.next_way import WAYS, on_the_next_way
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Fallback, Sound, TraceStep
from unheard.generation.training_set import TrainingSet
from unheard.index import Index

LIVELY, LIFELESS = melody(99, seconds=2.0), torch.zeros(1, 2 * RATE)
LIFELESS[:, :400] = melody(98, seconds=2.0)[:, :400]
DYING = torch.cat([melody(98, seconds=2.0)[:, : RATE // 5], torch.zeros(1, 2 * RATE - RATE // 5)], dim=1)


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    folder = tmp_path_factory.mktemp("collapse")
    index = Index.open(build_index(folder / "index.json"))
    for number, item in enumerate(index.ids):
        audio.write_wav(folder / f"{item}.wav", melody(number, seconds=2.0), RATE)
    return TrainingSet(index, folder)


class Maker:
    """Makes the sounds it is told, by their number and the way they are made on, and says what was asked.

    On a way it has no sound for, no caption shuts the gate.
    """

    def __init__(self, *sounds: dict[int, torch.Tensor], blend: float = 0.0) -> None:
        self.sounds, self.blend = sounds, blend
        self.asked: list[tuple[int | None, float | None, tuple[int, ...]]] = []

    def __call__(self, request: Request, batch: Batch, attempt: int) -> list[Sound]:
        settings = request.guidance if isinstance(request.guidance, Detour) else None
        way, weight = (settings.way, settings.prompt_weight) if settings else (None, None)
        self.asked.append((way, weight, batch.numbers))
        return [self._sound(number, way or 0) for number in batch.numbers]

    def _sound(self, number: int, way: int) -> Sound:
        waveform = self.sounds[number].get(way)
        if waveform is None:
            nowhere = [TraceStep(1.0, acted=True, prompt_weight=0.0)]
            none = Fallback(None, "", 0.0, 1)
            said = {"no_way": "unconditional"}
            return Sound(LIVELY, RATE, "a", number, nowhere, fallback=none, provenance=said, number=number)
        weight = 0.0 if way else self.blend
        left = Fallback(f"train_0{way}", CAPTIONS[way], weight, 1)
        trace = [TraceStep(1.0, acted=True, fallback=left.id, prompt_weight=weight)]
        return Sound(waveform, RATE, "a", number, trace, fallback=left, provenance={}, number=number)


class Keeper(Maker):
    """Makes sounds that keep their prompts."""

    def _sound(self, number: int, way: int) -> Sound:
        trace = [TraceStep(1.0, acted=False)]
        return Sound(self.sounds[number][way], RATE, "a", number, trace, number=number)


def request(guidance: AMG | Detour | None, sounds: int) -> tuple[Request, Batch]:
    numbers = tuple(range(sounds))
    asked = Request(("a",) * sounds, numbers, None, 2.0, 0.0, sounds, Sampling(), guidance)
    return asked, next(asked.batches())


def test_only_what_collapsed_is_made_again_on_the_next_way(training_set: TrainingSet) -> None:
    maker = Maker({0: LIVELY}, {0: LIFELESS, 2: LIVELY}, {0: LIFELESS, 2: LIVELY})
    sounds = on_the_next_way(maker, training_set)(*request(Detour(), 3), 0)
    assert maker.asked == [(0, 0.0, (0, 1, 2)), (2, 0.0, (1, 2))]
    assert all(torch.equal(sound.waveform, LIVELY) for sound in sounds)
    assert [sound.number for sound in sounds] == [0, 1, 2]
    former = {"caption": CAPTIONS[0], "prompt_weight": 0.0, "recalled": None, "guidance": None}
    left = {"instead_of": [former]}
    assert [sound.provenance for sound in sounds] == [{}, left, left]


def test_under_a_blend_the_same_caption_is_taken_alone_first(training_set: TrainingSet) -> None:
    maker = Maker({0: LIVELY}, {0: LIFELESS, 1: LIFELESS, 2: LIVELY}, blend=0.4)
    sounds = on_the_next_way(maker, training_set)(*request(Detour(prompt_weight=0.5), 2), 0)
    assert maker.asked == [(0, 0.5, (0, 1)), (1, 0.0, (1,)), (2, 0.0, (1,))]
    (former,) = sounds[1].provenance["instead_of"]
    assert (former["caption"], former["prompt_weight"]) == (CAPTIONS[0], 0.4)
    assert torch.equal(sounds[1].waveform, LIVELY)


def test_a_way_that_was_left_on_the_way_counts(training_set: TrainingSet) -> None:
    """The sound had left a first caption for a second when it collapsed."""

    class Later(Maker):
        def _sound(self, number: int, way: int) -> Sound:
            sound = super()._sound(number, way)
            first = TraceStep(2.0, acted=True, fallback="another", prompt_weight=0.0)
            return sound if way else replace(sound, trace=[first, first, *sound.trace])

    maker = Later({0: LIFELESS, 3: LIVELY})
    on_the_next_way(maker, training_set)(*request(Detour(), 1), 0)
    assert [way for way, *_ in maker.asked] == [0, 3]


def test_the_liveliest_is_taken_of_what_collapses_on_every_way(training_set: TrainingSet) -> None:
    maker = Maker({0: LIFELESS, 2: DYING, 3: LIFELESS}, {0: DYING, 2: LIFELESS, 3: LIFELESS})
    sounds = on_the_next_way(maker, training_set)(*request(Detour(), 2), 0)
    assert [way for way, *_ in maker.asked] == [0, 2, 3]
    assert len(maker.asked) == 1 + WAYS
    assert all(torch.equal(sound.waveform, DYING) for sound in sounds)
    assert "instead_of" not in sounds[1].provenance


def test_no_sound_is_given_up_for_one_without_a_caption(training_set: TrainingSet) -> None:
    maker = Maker({0: LIFELESS})
    sounds = on_the_next_way(maker, training_set)(*request(Detour(), 1), 0)
    assert torch.equal(sounds[0].waveform, LIFELESS)


def test_what_was_asked_for_is_left_as_it_is(training_set: TrainingSet) -> None:
    """A prompt that is kept, a way that was chosen, and a sound without a caption."""
    for maker, guidance in (
        (Keeper({0: LIFELESS}), Detour()),
        (Maker({2: LIFELESS}), Detour(way=2)),
        (Maker({}), Detour()),
    ):
        on_the_next_way(maker, training_set)(*request(guidance, 1), 0)
        assert len(maker.asked) == 1


@pytest.mark.parametrize("guidance", [AMG(), None])
def test_other_guidance_is_left_alone(training_set: TrainingSet, guidance: AMG | None) -> None:
    maker = Maker({0: LIFELESS})
    on_the_next_way(maker, training_set)(*request(guidance, 1), 0)
    assert len(maker.asked) == 1


def test_without_recordings_that_can_be_read_nobody_can_tell(
    training_set: TrainingSet, tmp_path: Path
) -> None:
    assert training_set.index is not None
    for item in training_set.index.ids:
        (tmp_path / f"{item}.wav").write_bytes(b"no sound")
    damaged = TrainingSet(training_set.index, tmp_path)
    for known in (TrainingSet(training_set.index), TrainingSet(None), damaged):
        maker = Maker({0: LIFELESS})
        on_the_next_way(maker, known)(*request(Detour(), 1), 0)
        assert len(maker.asked) == 1
