"""Both takes of a seed: the same as the library makes them, saved one by one, cancelled between two steps."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from unheard.errors import RejectedError
from unheard.generation.rejection import Refused
from unheard.studio.making import At, Output, Saved, Waiting, make_takes
from unheard.studio.stream import Cancel, Cancelled, UnderWay, told
from unheard.studio.takes import GUIDED, UNGUIDED, read_sound
from unheard.studio.workshop import Workshop

SHORT = {"duration": 0.2, "num_inference_steps": 2}


def test_both_takes_are_what_the_library_makes_of_the_seed(workshop: Workshop) -> None:
    request, _ = workshop.form.read("a bell", {**SHORT, "seed": 3})
    events = [*make_takes(workshop, request, Output(as_float=True, latents=True), Cancel())]
    steps = [(event.which, event.step, event.steps) for event in events if isinstance(event, At)]
    assert steps == [(GUIDED, 1, 2), (GUIDED, 2, 2), (UNGUIDED, 1, 2), (UNGUIDED, 2, 2)]
    assert [len(event.trace) for event in events if isinstance(event, At)] == [1, 2, 1, 2]
    saved = [event for event in events if isinstance(event, Saved)]
    assert [[*event.take.paths] for event in saved] == [[GUIDED], [GUIDED, UNGUIDED]]
    for which, guidance in ((GUIDED, "auto"), (UNGUIDED, None)):
        (alone,) = workshop.model.generate(
            "a bell", seed=3, duration=0.2, num_inference_steps=2, guidance=guidance
        )
        path = saved[-1].take.paths[which]
        torch.testing.assert_close(read_sound(path, {}).waveform, alone.waveform)
        assert path.with_suffix(".latents.safetensors").exists()


def test_several_sounds_are_several_takes_and_without_guidance_there_is_one_kind(workshop: Workshop) -> None:
    request, _ = workshop.form.read("a bell\na drum", {**SHORT, "guidance": "none"})
    events = [*make_takes(workshop, request, Output(".flac"), Cancel())]
    takes = [event.take for event in events if isinstance(event, Saved)]
    assert [[*take.paths] for take in takes] == [[UNGUIDED], [UNGUIDED]]
    assert [take.record["prompt"] for take in takes] == ["a bell", "a drum"]
    assert takes[0].number < takes[1].number


def test_cancelled_between_two_takes_the_first_stays_and_the_model_is_free(workshop: Workshop) -> None:
    request, _ = workshop.form.read("a bell", SHORT)
    before, cancel = workshop.takes.all(), Cancel()
    events = make_takes(workshop, request, Output(), cancel)
    assert isinstance(next(event for event in events if isinstance(event, Saved)), Saved)
    cancel()
    with pytest.raises(Cancelled):
        next(events)
    new = workshop.takes.all()[0]
    assert [*new.paths] == [GUIDED]
    assert workshop.takes.all()[1:] == before
    with workshop.model_in_use:
        assert not [*workshop.takes.folder.glob(".take-*")]


def test_who_comes_second_waits_and_may_leave(workshop: Workshop) -> None:
    request, _ = workshop.form.read("a bell", SHORT)
    cancel = Cancel()
    with workshop.model_in_use:
        events = make_takes(workshop, request, Output(), cancel)
        assert isinstance(next(events), Waiting)
        cancel()
        with pytest.raises(Cancelled):
            next(events)


def test_a_refused_sound_is_told_and_the_others_stay(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, _ = workshop.form.read("a bell\na drum", {**SHORT, "batch": 1})
    stream = workshop.model.stream

    def refusing(asked, *others):
        yield from stream(replace(asked, prompts=asked.prompts[-1:], seeds=asked.seeds[-1:]), *others)
        if asked.guidance is not None:
            raise RejectedError("the sound is not written", [Refused(1, "a drum", ())])

    monkeypatch.setattr(workshop.model, "stream", refusing)
    events = make_takes(workshop, request, Output(), Cancel())
    saved = []
    with pytest.raises(RejectedError, match="not written"):
        saved += [event for event in events if isinstance(event, Saved)]
    assert [*workshop.takes.all()[0].paths] == [GUIDED, UNGUIDED]


def test_work_ends_where_nobody_listens_any_more() -> None:
    ended = threading.Event()

    def work(tell) -> None:
        try:
            while True:
                tell(1)
        finally:
            ended.set()

    events = told(work, Cancel())
    assert next(events) == 1
    events.close()
    assert ended.wait(10)


def test_a_user_cancels_what_is_theirs() -> None:
    under_way = UnderWay()
    with under_way.of("one") as first, under_way.of("one") as second, under_way.of("other") as third:
        assert under_way.cancel("one") == 2
        for cancel in (first, second):
            with pytest.raises(Cancelled):
                cancel.check()
        third.check()
    assert under_way.cancel("one") == 0
