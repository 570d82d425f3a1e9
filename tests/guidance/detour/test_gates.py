"""What tells a detour that a sound is a recording: its latents, or the pull of its prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from nearby import Nearby, correlation

from unheard.guidance.detour.correlation import Recordings, common
from unheard.guidance.detour.gates.base import Question
from unheard.guidance.detour.gates.doubted import DoubtedGate
from unheard.guidance.detour.gates.either import EitherGate
from unheard.guidance.detour.gates.latents import UNLED, LatentGate
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.recalled import RecalledGate, Recollections
from unheard.guidance.detour.gates.settled_pull import SettledPullGate
from unheard.guidance.detour.gates.shown import ShownGate
from unheard.guidance.detour.settings import EXCESS, HIGH_NOISE, PULL, SETTLED_PULL


def pull_above(threshold: float) -> PullGate:
    return PullGate(threshold, lambda latents: latents)


OPEN_FOR_NOTHING = pull_above(1e9)


def recollections(nearby: Nearby) -> Recollections:
    return Recollections(nearby, pull_above(0.5), pull_above(0.2), 0.3, 60)


@pytest.mark.parametrize("lengths", [(40, 40, 25), (7, 90)])
def test_correlations_are_those_of_every_shift(lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(8, 40, generator=generator)
    latents = [torch.randn(8, length, generator=generator) for length in lengths]
    expected = torch.tensor([correlation(prediction, each) for each in latents])
    found = Recordings(latents, 40).correlations(prediction)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, check_dtype=False)


def test_recordings_that_are_appended_are_as_if_they_had_been_there_and_stay_in_order() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(8, 40, generator=generator)
    latents = [torch.randn(8, length, generator=generator) for length in (40, 25, 400, 41, 7, 390)]
    grown = Recordings(latents[:1], 40)
    for few in (latents[1:2], [], latents[2:5], latents[5:]):
        grown.append(few)
    found, together = grown.correlations(prediction), Recordings(latents, 40).correlations(prediction)
    torch.testing.assert_close(found, together)
    expected = torch.tensor([correlation(prediction, each) for each in latents])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, check_dtype=False)


def test_a_long_recording_does_not_lengthen_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    transform = torch.fft.rfft

    def told(latents: torch.Tensor, size: int) -> torch.Tensor:
        sizes.append((latents.shape[-1], size))
        return transform(latents, size)

    monkeypatch.setattr(torch.fft, "rfft", told)
    Recordings([torch.randn(2, 40), torch.randn(2, 50_000)], 40)
    (_, short), (_, long) = sizes
    assert short < 140
    assert 50_040 <= long < 70_000


def test_a_shifted_recording_and_a_passage_of_a_long_one_correlate_and_others_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, 40, generator=generator)
    hour = torch.randn(8, 4000, generator=generator)
    found = Recordings([one, torch.cat([torch.zeros(8, 7), one], dim=1), other, hour], 40).correlations(one)
    assert found[0] > 0.999
    assert found[1] > 0.9
    assert found[2] < 0.4
    assert found[3] < 0.4
    assert Recordings([hour], 40).correlations(hour[:, 1000:1040]) > 0.9


def test_what_many_recordings_have_in_common_is_at_most_what_takes_may_share() -> None:
    alone = torch.tensor([0.9, *[0.1] * 20])
    rows = [alone, torch.tensor([0.55, *[0.45] * 20]), torch.full((21,), 0.95), -alone]
    torch.testing.assert_close(common(torch.stack(rows), 1.0), torch.tensor([0.1, 0.3, 0.3, 0.0]))
    assert float(common(torch.tensor([[0.5, 0.5]]), 1.0)) == 0.0


@pytest.mark.parametrize("share", [0.5, 0.625, 0.9])
def test_of_a_random_share_of_the_recordings_as_much_is_common_on_the_mean(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    values = 0.3 * torch.rand(1, 400, generator=generator)
    kept = round(400 * share)
    parts = torch.cat([values[:, torch.randperm(400, generator=generator)[:kept]] for _ in range(200)])
    assert float(common(parts, share).mean()) == pytest.approx(float(common(values, 1.0)), abs=0.002)


def test_the_pull_is_asked_in_high_noise_alone_and_names_nothing() -> None:
    gate = PullGate(0.5, lambda latents: latents[..., :4])
    with_prompt, without = torch.zeros(2, 6), torch.zeros(2, 6)
    with_prompt[:, :4], with_prompt[:, 4:] = 0.7, 100.0  # what is beyond the duration does not count
    assert gate.ask(Question(0, with_prompt, without, 2 * HIGH_NOISE)) == (
        pytest.approx(0.7),
        PULL,
        0.5,
        None,
    )
    assert gate.ask(Question(0, with_prompt, without, HIGH_NOISE / 2)) == (0.0, PULL, 0.5, None)


def test_what_starts_from_a_sound_below_the_high_noise_is_asked_in_its_first_step() -> None:
    with_prompt, without = torch.full((2, 6), 0.7), torch.zeros(2, 6)
    gate = PullGate(0.5, lambda latents: latents)
    start = HIGH_NOISE / 2
    assert gate.ask(Question(0, with_prompt, without, start, first=True)).open
    assert gate.ask(Question(0, with_prompt, without, start)) == (0.0, PULL, 0.5, None)


def test_a_prompt_whose_sound_is_foregone_opens_and_is_asked_once() -> None:
    mean, other = torch.randn(2, 8, 60, generator=torch.Generator().manual_seed(0))
    asked: list[torch.Tensor] = []

    def finishing(finished: torch.Tensor) -> Callable[[], torch.Tensor]:
        def finish() -> torch.Tensor:
            asked.append(finished)
            return finished

        return finish

    gate = SettledPullGate(PullGate(0.5, lambda latents: latents), 40)
    nothing, high = torch.zeros_like(mean), 2 * HIGH_NOISE
    later = torch.cat([torch.zeros(8, 3), mean[:, :37], other[:, :20]], dim=1)  # beyond 40 nothing counts
    told = gate.ask(Question(0, mean, nothing, high, finishing(later)))
    alike = correlation(mean[:, :40], later[:, :40])
    pulls = float(mean.square().mean().sqrt())
    assert told == (pytest.approx(pulls * alike, abs=1e-5), SETTLED_PULL, 0.5, None)
    assert told.open
    assert not gate.ask(Question(1, mean, nothing, high, finishing(other))).open
    assert len(asked) == 2
    for _ in range(3):  # once is enough
        assert gate.ask(Question(1, mean, nothing, high, finishing(mean))) == (0.0, SETTLED_PULL, 0.5, None)
    gate.watch(1, 7)  # another caption is another question
    assert gate.ask(Question(1, mean, nothing, high, finishing(mean))).open
    assert len(asked) == 3


def test_the_finished_sound_is_not_foreseen_of_prompts_that_hardly_pull_or_in_low_noise() -> None:
    mean = torch.randn(8, 40, generator=torch.Generator().manual_seed(0))

    def finish() -> torch.Tensor:
        raise AssertionError("it is dear")

    gate = SettledPullGate(PullGate(0.5, lambda latents: latents), 40)
    assert not gate.ask(Question(0, mean, mean + 0.05, 2 * HIGH_NOISE, finish)).open
    assert not gate.ask(Question(1, mean, torch.zeros_like(mean), HIGH_NOISE / 2, finish)).open
    assert not gate.ask(
        Question(2, mean, torch.zeros_like(mean), 2 * HIGH_NOISE)
    ).open  # nothing is left to foresee


def test_what_is_tried_must_not_settle_its_sound_either() -> None:
    shown, other, third = torch.randn(3, 8, 40, generator=torch.Generator().manual_seed(0))
    gate = ShownGate(SettledPullGate(PullGate(0.5, lambda latents: latents), 40), 0.3, 40)
    gate.begin(shown[None])
    nothing, high = torch.zeros_like(shown), 2 * HIGH_NOISE
    assert gate.ask(Question(0, shown, nothing, high, lambda: shown)).measure == SETTLED_PULL
    assert gate.sees_blends(0)
    gate.watch(0, 4)
    foregone = gate.ask(Question(0, other, nothing, high, lambda: other))
    assert foregone.open
    assert foregone.measure == SETTLED_PULL
    gate.watch(0, 5)
    assert not gate.ask(Question(0, other, nothing, high, lambda: third)).open
    gate.watch(0, 6)
    assert gate.ask(Question(0, shown, nothing, high, lambda: third)).measure == EXCESS


def test_without_recordings_the_prompts_prediction_shows_what_is_not_to_be_copied() -> None:
    generator = torch.Generator().manual_seed(0)
    shown, other, without = torch.randn(3, 8, 40, generator=generator)
    gate = ShownGate(PullGate(2.0, lambda latents: latents), 0.3, 40)
    gate.begin(shown[None])
    high = 2 * HIGH_NOISE
    assert gate.ask(Question(0, shown, shown, high)) == (0.0, PULL, 2.0, None)
    assert not gate.sees_blends(0)
    assert gate.ask(Question(0, 3 * shown, without, high)).measure == PULL
    assert gate.sees_blends(0)
    usual = correlation(shown, without)
    for level in (high, HIGH_NOISE / 2):  # it goes on where the pull tells nothing
        for weight in (0.0, 0.4, 1.0):
            blend = weight * shown + (1 - weight) * other
            told = gate.ask(Question(0, blend, blend, level))
            assert told[1:] == (EXCESS, 0.3, None)
            assert told.value == pytest.approx(correlation(blend, shown) - min(usual, 0.3), abs=1e-5)
    assert (
        gate.ask(Question(0, 9 * other, other, high)).measure == PULL
    )  # it pulls like a memorised one itself


def test_only_what_is_not_surely_a_recording_of_its_caption_is_listened_to() -> None:
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randn(2, 2, 40, generator=generator)
    nearby = Nearby([predictions[0], torch.randn(2, 40, generator=generator)], own=True)
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(predictions)
    assert [each.shape for each in nearby.heard] == [(1, 2, 40)]
    assert torch.equal(nearby.heard[0], predictions[[1]])
    assert gate.ask(Question(0, predictions[0], predictions[0], 1.0)) == (pytest.approx(1.0), EXCESS, 0.3, 0)
    nearby = Nearby([predictions[0]], own=True)
    LatentGate(0.3, 40, nearby).begin(predictions[:1])
    assert not nearby.heard


def test_what_the_caption_that_is_tried_may_lead_to_is_watched_as_well_and_looked_up_once() -> None:
    generator = torch.Generator().manual_seed(0)
    first, prediction, own, other = torch.randn(4, 2, 40, generator=generator)
    nearby = Nearby([first])
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(prediction[None])
    gate.watch(0, 4)  # nothing around it is available
    assert gate.ask(Question(0, other, other, 1.0))[0] < 0.6
    nearby.others = {0: first, 5: own, 6: other}  # the first is watched already
    for _ in range(2):
        gate.watch(0, 5)
        for position, latents in nearby.others.items():
            assert gate.ask(Question(0, latents, latents, 1.0)) == (pytest.approx(1.0), EXCESS, 0.3, position)
    assert nearby.asked == [4, 5]


def test_what_a_prediction_is_nearest_to_at_a_glance_counts_less_until_it_may_leave_its_prompt() -> None:
    generator = torch.Generator().manual_seed(0)
    first, prediction, far = torch.randn(3, 8, 40, generator=generator)
    nearby = Nearby([first])
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(prediction[None])
    assert not gate.ask(Question(0, far, far, 1.0)).open
    nearby.at_a_glance = {7: far}
    half = (far + first / far.norm() * first.norm()) / 2**0.5
    assert gate.ask(Question(0, far, far, 1.0)) == (pytest.approx(1.0 - UNLED), EXCESS, 0.3, 7)
    assert gate.ask(Question(0, half, half, 1.0)).position == 0  # as like one that the prompt leads to
    assert {*nearby.least} == {0.3 + UNLED}
    gate.watch(0, None)
    assert gate.ask(Question(0, far, far, 1.0)) == (pytest.approx(1.0), EXCESS, 0.3, 7)
    assert nearby.least[-1] == -1.0


def test_what_is_found_at_a_glance_does_not_tell_what_is_common() -> None:
    generator = torch.Generator().manual_seed(0)
    recording = torch.randn(2, 40, generator=generator)
    nearby = Nearby([recording])
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(recording[None])
    nearby.at_a_glance = {10 + n: recording for n in range(20)}
    assert gate.ask(Question(0, recording, recording, 1.0)) == (pytest.approx(1.0), EXCESS, 0.3, 0)


def test_where_some_recordings_are_not_available_the_pull_is_asked_as_well() -> None:
    generator = torch.Generator().manual_seed(0)
    recording, other = torch.randn(2, 2, 40, generator=generator)
    nearby = Nearby([recording])

    def begun() -> EitherGate:
        pull = ShownGate(PullGate(0.1, lambda latents: latents[..., :40]), 0.5, 40)
        gate = EitherGate(LatentGate(0.5, 40, nearby), pull, nearby)
        gate.begin(other[None])
        return gate

    gate = begun()
    high = 2 * HIGH_NOISE
    assert not gate.ask(Question(0, other, torch.zeros_like(other), high)).open  # all are available
    nearby.complete, nearby.share = False, 0.4
    gate = begun()
    told = gate.ask(Question(0, other, torch.zeros_like(other), high))
    assert told == (pytest.approx(1.0, abs=0.3), PULL, 0.1, None)
    gate = begun()
    assert not gate.ask(Question(0, other, other, high)).open
    told = gate.ask(Question(0, recording, recording, high))  # .3 may be common
    assert told == (pytest.approx(0.7), EXCESS, 0.5, 0)
    assert gate.sees_blends(0)


def test_a_recording_at_hand_is_no_proof_that_a_prompt_leads_to_no_missing_one() -> None:
    """The prompt is like a recording that is there, and leads to one that is not, as does what is tried."""
    at_hand, missing, another = torch.randn(3, 8, 60, generator=torch.Generator().manual_seed(0))
    nearby = Nearby([at_hand])
    nearby.complete, nearby.share = False, 0.4
    prompted = ShownGate(SettledPullGate(PullGate(0.5, lambda latents: latents), 60), 0.3, 60)
    gate = EitherGate(LatentGate(0.3, 60, nearby), prompted, nearby)
    prompt, nothing, high = missing + at_hand, torch.zeros_like(missing), 2 * HIGH_NOISE
    gate.begin(prompt[None])
    assert gate.ask(Question(0, prompt, nothing, high, lambda: missing)).position == 0
    gate.watch(0, 4)
    blend = missing + another
    told = gate.ask(Question(0, blend, nothing, high, lambda: another - missing))
    assert (told.open, told.measure, told.position) == (True, EXCESS, None)  # what the prompt has shown
    gate.watch(0, 5)
    assert gate.ask(Question(0, another, nothing, high, lambda: another)).measure == SETTLED_PULL
    gate.watch(0, 6)
    assert not gate.ask(Question(0, another, nothing, high, lambda: missing)).open


def test_of_all_that_a_model_has_memorised_what_is_at_hand_is_asked_alone() -> None:
    at_hand, other = torch.randn(2, 8, 60, generator=torch.Generator().manual_seed(0))
    nearby = Nearby([at_hand, at_hand])
    nearby.complete, nearby.share = False, 0.4
    prompted = ShownGate(PullGate(0.5, lambda latents: latents), 0.3, 60)
    gate = EitherGate(LatentGate(0.3, 60, nearby), prompted, nearby, memorised=True)
    nothing, high = torch.zeros_like(other), 2 * HIGH_NOISE
    gate.begin(torch.stack([at_hand, other]))
    assert gate.ask(Question(0, at_hand, nothing, high)).position == 0
    assert not gate.ask(Question(0, other, nothing, high)).open
    assert gate.ask(Question(1, other, nothing, high)).measure == PULL  # nothing at hand is like it


def test_what_is_tried_has_to_stay_below_a_share_of_the_threshold() -> None:
    caption = torch.randn(8, 40, generator=torch.Generator().manual_seed(0))
    pull = float(caption.square().mean().sqrt())
    gate = SettledPullGate(PullGate(1.5 * pull, lambda latents: latents), 40, tried=0.5)
    told = caption, torch.zeros_like(caption), 2 * HIGH_NOISE, lambda: caption
    assert not gate.ask(Question(0, *told)).open  # the prompt
    gate.watch(0, 4)
    answer = gate.ask(Question(0, *told))
    assert answer.open
    assert answer.value == pytest.approx(pull, rel=1e-4)
    assert answer.threshold == pytest.approx(0.75 * pull)


def test_no_caption_may_be_tried_where_nothing_can_tell_what_it_leads_to() -> None:
    at_hand, caption = torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros(8, 40)
    pull = PullGate(0.1, lambda latents: latents)
    prompted = ShownGate(SettledPullGate(pull, 40), 0.3, 40)
    nearby = Nearby([at_hand])
    nearby.complete, nearby.share = False, 0.4
    some = EitherGate(LatentGate(0.3, 40, nearby), prompted, nearby)
    all_of_them = EitherGate(LatentGate(0.3, 40, nearby), prompted, nearby, memorised=True)
    low, high = (Question(0, caption, nothing, sigma) for sigma in (HIGH_NOISE / 2, 2 * HIGH_NOISE))
    for gate in (prompted, some, all_of_them):
        assert not gate.may_try(low)
        assert gate.may_try(high)
        assert gate.may_try(low._replace(first=True))
    all_of_them.begin(at_hand[None])
    assert all_of_them.ask(Question(0, at_hand, nothing, low.sigma)).open
    assert all_of_them.may_try(low)  # no other recording can be copied
    nearby.complete = True
    assert some.may_try(low)
    assert ShownGate(pull, 0.3, 40).may_try(low)


def test_a_caption_that_pulls_harder_than_most_is_passed_over_and_not_foreseen() -> None:
    caption, nothing = torch.randn(8, 40, generator=torch.Generator().manual_seed(0)), torch.zeros(8, 40)

    def finish() -> torch.Tensor:
        raise AssertionError("it is dear")

    gate = SettledPullGate(PullGate(0.1, lambda latents: latents), 40, hard=0.5)
    gate.watch(0, 5)
    assert gate.ask(Question(0, caption, nothing, 2 * HIGH_NOISE, finish)).open
    gate.watch(0, None)
    assert not gate.ask(Question(0, nothing, nothing, 1.0, finish)).open  # no caption leads nowhere


def test_what_is_tried_is_foreseen_once_whatever_its_share() -> None:
    caption = torch.randn(8, 40, generator=torch.Generator().manual_seed(0))
    asked: list[int] = []

    def finish() -> torch.Tensor:
        asked.append(1)
        return caption

    gate = SettledPullGate(PullGate(0.5, lambda latents: latents), 40)
    nothing, high = torch.zeros_like(caption), 2 * HIGH_NOISE
    for number, position in enumerate((4, 4, 4, 5, 4), start=1):
        gate.watch(0, position)
        assert gate.ask(Question(0, caption / (1 + number / 10), nothing, high, finish)).open
    assert len(asked) == 3
    assert not gate.ask(Question(0, caption, nothing, high)).open  # it goes on under the last


def test_a_recording_that_only_the_guided_prediction_shows_opens_the_gate() -> None:
    """A negative prompt takes away what the prediction has in common with others."""
    recording, shared = torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(0))
    conditional, unconditional = 0.3 * recording + shared, shared
    blind, seeing = (LatentGate(0.6, 40, Nearby([recording]), guidance_scale=scale) for scale in (1.0, 7.0))
    for gate in (blind, seeing):
        gate.begin(conditional[None])
    assert not blind.ask(Question(0, conditional, unconditional, 1.0)).open
    assert seeing.ask(Question(0, conditional, unconditional, 1.0)).open


def test_what_the_prompt_shows_counts_where_its_recording_is_missing_among_others() -> None:
    generator = torch.Generator().manual_seed(0)
    recording, shown = torch.randn(2, 8, 40, generator=generator)
    nearby = Nearby([recording])
    nearby.complete, nearby.share = False, 0.4
    pull = ShownGate(PullGate(1.2, lambda latents: latents), 0.3, 40)
    gate = EitherGate(LatentGate(0.3, 40, nearby), pull, nearby)
    gate.begin(shown[None])
    high = 2 * HIGH_NOISE
    assert gate.ask(Question(0, 2 * shown, torch.zeros_like(shown), high)).measure == PULL
    assert gate.sees_blends(0)
    assert gate.ask(Question(0, shown, shown, high)) == (pytest.approx(1.0), EXCESS, 0.3, None)
    assert gate.ask(Question(0, recording, recording, high)).position == 0


def test_an_excess_just_above_the_threshold_counts_once_the_prompt_has_pulled() -> None:
    recording, other = torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(0))
    faint = 0.6 * recording / recording.norm() + 0.8 * other / other.norm()
    nothing, high, low = torch.zeros_like(faint), 2 * HIGH_NOISE, HIGH_NOISE / 2
    pulls = float(faint.square().mean().sqrt())

    def begun(sure: float) -> DoubtedGate:
        latents = LatentGate(0.3, 40, Nearby([recording, recording]), sure=sure)
        gate = DoubtedGate(latents, sure, PullGate(0.9 * pulls, lambda latents: latents))
        gate.begin(torch.stack([faint, faint]))
        return gate

    gate = begun(0.9)
    value = gate.ask(Question(0, faint, faint, high)).value
    assert 0.4 < value < 0.8
    assert gate.ask(Question(0, faint, faint, high)) == (value, EXCESS, 0.9, 0)
    assert not gate.ask(Question(0, faint, nothing, low)).open  # there the pull tells nothing
    assert gate.ask(Question(0, recording, recording, high)).open  # of this it is sure
    assert gate.ask(Question(0, faint, nothing, high)) == (value, EXCESS, 0.3, 0)
    assert gate.ask(Question(0, faint, faint, low)).open  # it has pulled before
    assert not gate.ask(Question(1, faint, faint, low)).open
    gate.watch(1, 4)  # what is tried in the place of a prompt gets no benefit of the doubt
    assert gate.ask(Question(1, faint, faint, low)).open
    assert begun(0.1).ask(Question(0, faint, faint, high)).open  # no doubt below the threshold


def test_a_doubted_excess_counts_if_the_prompt_settles_its_sound_which_is_foreseen_only_then() -> None:
    recording, other, sound = torch.randn(3, 8, 40, generator=torch.Generator().manual_seed(0))
    faint = 0.6 * recording / recording.norm() + 0.8 * other / other.norm()
    nothing, high = torch.zeros_like(faint), 2 * HIGH_NOISE
    pulls = float(faint.square().mean().sqrt())

    def pull(threshold: float) -> PullGate:
        return PullGate(threshold, lambda latents: latents)

    def begun() -> DoubtedGate:
        latents = LatentGate(0.3, 40, Nearby([recording]), sure=0.9)
        gate = DoubtedGate(latents, 0.9, pull(2 * pulls), SettledPullGate(pull(0.5 * pulls), 40))
        gate.begin(faint[None])
        return gate

    def never() -> torch.Tensor:
        raise AssertionError("it is dear")

    gate = begun()
    assert not gate.ask(Question(0, sound / sound.norm(), nothing, high, never)).open  # below the threshold
    assert gate.ask(Question(0, recording, nothing, high, never)).open  # above all doubt
    assert gate.ask(Question(0, faint, nothing, high, lambda: faint)).open
    assert gate.ask(Question(0, faint, nothing, high, never)).open  # once is enough
    assert not begun().ask(Question(0, faint, nothing, high, lambda: sound)).open


def test_what_is_surely_a_recording_of_its_caption_is_above_all_doubt() -> None:
    recording, other = torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(0))
    clear = 0.8 * recording / recording.norm() + 0.6 * other / other.norm()
    for sure, listened in ((0.0, 0), (0.9, 1)):
        nearby = Nearby([recording], own=True)
        LatentGate(0.3, 40, nearby, sure=sure).begin(clear[None])
        assert len(nearby.heard) == listened


def test_what_a_caption_leads_to_later_is_told_by_what_the_model_recalls_of_captions_like_it() -> None:
    by_heart, usual, sound = torch.randn(3, 8, 60, generator=torch.Generator().manual_seed(0))
    nearby = Nearby([sound])
    nearby.missing = [7, 9]
    asked: list[list[int]] = []

    def recall(positions: Sequence[int]) -> torch.Tensor:
        asked.append([*positions])
        return torch.stack([by_heart, 0.2 * usual])

    high = 2 * HIGH_NOISE
    gate = RecalledGate(ShownGate(OPEN_FOR_NOTHING, 0.3, 60), recollections(nearby))
    nothing = torch.zeros_like(sound)
    copied, like_usual, other = (
        Question(0, each, nothing, high, recall=recall) for each in (by_heart, usual, sound)
    )
    gate.begin(sound[None])
    assert not gate.ask(copied).open  # under the prompt nothing is recalled
    assert not asked
    gate.watch(0, 4)
    assert gate.ask(copied) == (pytest.approx(1.0), EXCESS, 0.3, None)
    assert not gate.ask(like_usual).open  # it pulls too little to be a recording
    assert not gate.ask(other).open
    low = copied._replace(sigma=1.0, recall=None)
    assert gate.ask(low).open  # what goes on under that caption is compared with it in every step
    assert asked == [[7, 9]]
    gate.watch(0, None)
    assert not gate.ask(copied).open


def test_in_little_noise_a_prediction_shows_no_recording() -> None:
    by_heart, sound = torch.randn(2, 8, 60, generator=torch.Generator().manual_seed(0))
    nearby = Nearby([sound])
    nearby.missing = [7]
    gate = RecalledGate(ShownGate(OPEN_FOR_NOTHING, 0.3, 60), recollections(nearby))
    gate.watch(0, 4)
    low = Question(0, by_heart, torch.zeros_like(sound), HIGH_NOISE / 2, recall=lambda _: by_heart[None])
    assert not gate.ask(low).open


def test_what_the_model_recalls_is_not_asked_where_the_first_gate_is_open_or_nothing_is_missing() -> None:
    sound = torch.randn(8, 60, generator=torch.Generator().manual_seed(0))
    nearby = Nearby([sound])

    def recall(positions: Sequence[int]) -> torch.Tensor:
        raise AssertionError("it takes predictions")

    question = Question(0, sound, torch.zeros_like(sound), 2 * HIGH_NOISE, recall=recall)
    for first, missing in ((pull_above(0.1), [7]), (OPEN_FOR_NOTHING, [])):
        nearby.missing = missing
        gate = RecalledGate(first, recollections(nearby))
        gate.watch(0, 4)
        assert gate.ask(question).measure == PULL
