"""What a detour does when its gate opens; on the toy maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nearby import Nearby, correlation
from toy_world import ToyWorld

from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.detour.denoiser import DetourDenoiser
from unheard.guidance.detour.gates.base import Answer, Question
from unheard.guidance.detour.gates.latents import LatentGate
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.recalled import Recollections

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1")


def detour(
    threshold: float,
    prompt_weight: float,
    prompts: tuple[str, ...],
    recordings: dict[str, torch.Tensor],
    fallbacks: int = 1,
    blend_threshold: float = 0.5,
    way: int = 0,
    recollections: Recollections | None = None,
) -> DetourDenoiser:
    return DetourDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*prompts),
        WORLD.unconditional(len(prompts)),
        guidance_scale=3.0,
        prompt_weight=prompt_weight,
        blend_threshold=blend_threshold,
        gate=LatentGate(threshold, WORLD.trim, Nearby([recordings[prompt] for prompt in prompts])),
        fallbacks=lambda _: list(range(1, 1 + fallbacks)),
        encode_captions=WORLD.encode_neighbours,
        way=way,
        recollections=recollections,
    )


def test_it_leaves_for_good_only_what_copies_and_a_batch_is_each_alone() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}
    together = detour(0.999, 0.0, PROMPTS, recordings)
    result = together(x, sigma)
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning("train1", "prompt1"), WORLD.unconditional(2), guidance_scale=3.0
    )
    assert together.trace[0].acted == [True, False]
    assert together.trace[0].fallback == [1, None]
    assert together.trace[0].prompt_weight == [0.0, None]
    assert torch.allclose(result, plain(x, sigma))
    assert torch.allclose(together(x, sigma / 2), plain(x, sigma / 2))  # it does not come back
    for sample, prompt in enumerate(PROMPTS):
        alone = detour(0.999, 0.0, (prompt,), recordings)
        assert torch.allclose(alone(x[[sample]], sigma[:1]), result[[sample]])


def test_a_sampler_may_put_the_predictions_together_itself() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}
    whole, parts = (detour(0.999, 0.0, PROMPTS, recordings) for _ in range(2))
    for level in (sigma, sigma / 2):
        unconditional, conditional = parts.predict(x, level)
        torch.testing.assert_close(conditional[1], WORLD.denoise(x, level, WORLD.conditioning(*PROMPTS))[1])
        torch.testing.assert_close(
            whole(x, level), unconditional + 3.0 * (conditional - unconditional), atol=0, rtol=0
        )
    assert parts.trace == whole.trace


@pytest.mark.parametrize("threshold", [0.65, 0.8, 0.95])
def test_it_keeps_the_largest_share_of_the_prompt_that_is_well_below_the_threshold(threshold: float) -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    sigma = torch.full((1,), 3.0, dtype=torch.float64)
    prompt, other = WORLD.conditioning("prompt0"), WORLD.conditioning("train1")
    recording = WORLD.denoise(x, sigma, prompt)[0, :, : WORLD.trim]

    def copies(share: float) -> bool:
        prediction = WORLD.denoise(x, sigma, prompt.blended(other, share))[0, :, : WORLD.trim]
        return float(correlation(prediction, recording)) > threshold * (0.5 if share else 1.0)

    share = next(tenth / 10 for tenth in range(9, -1, -1) if not copies(tenth / 10))
    denoiser = detour(threshold, 0.9, ("prompt0",), {"prompt0": recording})
    expected = ClassifierFreeGuidance(
        WORLD.denoise, prompt.blended(other, share), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))


def test_what_copies_under_every_caption_goes_on_under_none() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    denoiser = detour(0.0, 0.5, ("prompt0",), {"prompt0": recording}, fallbacks=2)
    expected = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.unconditional(1), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))
    assert (denoiser.trace[0].acted, denoiser.trace[0].fallback, denoiser.trace[0].prompt_weight) == (
        [True],
        [None],
        [0.0],
    )


def test_a_caption_that_is_hardly_below_the_threshold_is_passed_over() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((1,), 3.0, dtype=torch.float64)
    captions = ("prompt0", "train1", "train2")
    predictions = [WORLD.denoise(x, sigma, WORLD.conditioning(each))[0, :, : WORLD.trim] for each in captions]
    prompt, first, _ = (each / each.norm() for each in predictions)
    recording = prompt + 0.8 * first
    _, first_copies, second_copies = (float(correlation(each, recording)) for each in predictions)
    threshold = first_copies + 0.01
    share = (first_copies + second_copies) / 2 / threshold
    assert second_copies < share * threshold < first_copies < threshold
    for blend_threshold, fallback in ((1.0, 1), (share, 2)):
        denoiser = detour(threshold, 0.0, captions[:1], {"prompt0": recording}, 2, blend_threshold)
        denoiser(x, sigma)
        assert denoiser.trace[0].fallback == [fallback]


def test_a_caption_is_encoded_once_for_all_weights_of_the_prompt() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    denoiser = detour(0.0, 0.9, ("prompt0",), {"prompt0": recording}, fallbacks=2)
    encoded: list[int] = []

    def encode(positions: list[int]) -> object:
        encoded.extend(positions)
        return WORLD.encode_neighbours(positions)

    denoiser.encode_captions = encode
    denoiser(x, sigma)
    assert denoiser.trace[0].fallback == [None]  # after all weights of both captions
    assert sorted(encoded) == [1, 2]


def test_where_no_caption_shuts_the_gate_it_may_go_on_under_its_prompt() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    other = -WORLD.denoise(x[1:], sigma[1:], WORLD.conditioning("prompt1"))[0, :, : WORLD.trim].flip(-1)
    recordings = {"prompt0": recording, "prompt1": other}
    gate = LatentGate(0.0, WORLD.trim, Nearby([recordings[prompt] for prompt in PROMPTS]))
    asked: list[int] = []
    denoiser = DetourDenoiser(
        WORLD.denoise, WORLD.conditioning(*PROMPTS), WORLD.unconditional(2), guidance_scale=3.0,
        prompt_weight=0.5, gate=gate, fallbacks=lambda sample: asked.append(sample) or [1, 2],
        encode_captions=WORLD.encode_neighbours, if_no_way="unguided",
    )  # fmt: skip
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning(*PROMPTS), WORLD.unconditional(2), guidance_scale=3.0
    )
    for level in (sigma, sigma / 2):
        torch.testing.assert_close(denoiser(x, level)[0], plain(x, level)[0])
    first, second = denoiser.trace
    assert first.no_way is not None
    assert first.no_way[0]
    assert second.no_way == first.no_way
    assert first.value[0] > first.threshold[0]
    assert (first.acted[0], first.fallback[0], first.prompt_weight[0]) == (False, None, None)
    assert len(asked) == len({*asked})


class Recalling(LatentGate):
    """Asks for what the model recalls of two items whenever a caption is tried."""

    def __init__(self, threshold: float, nearby: Nearby) -> None:
        super().__init__(threshold, WORLD.trim, nearby)
        self.recalled: list[torch.Tensor] = []

    def ask(self, question: Question) -> Answer:
        if question.recall is not None:
            self.recalled.append(question.recall([1, 2]))
        return super().ask(question)


def test_what_is_recalled_is_predicted_of_the_very_latents_when_a_caption_is_tried() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.tensor([0.9, 0.7], dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = [-prediction[0].flip(-1), prediction[1]]
    denoiser = detour(0.999, 0.0, PROMPTS, dict(zip(PROMPTS, recordings, strict=True)))
    gate = Recalling(0.999, Nearby(recordings))
    denoiser.gate = gate
    denoiser(x, sigma)
    assert denoiser.trace[0].acted == [False, True]
    expected = WORLD.denoise(x[[1, 1]], sigma[[1, 1]], WORLD.encode_neighbours([1, 2]))
    torch.testing.assert_close(gate.recalled[0], expected)


class AlwaysOpen(LatentGate):
    """Open for anything, and no caption may be tried."""

    def ask(self, question: Question) -> Answer:
        return super().ask(question)._replace(value=1.0, threshold=0.5)

    def may_try(self, question: Question) -> bool:
        return False


def test_where_no_caption_may_be_tried_it_goes_on_without_any_at_once() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    predicted: list[int] = []
    denoiser = detour(0.5, 0.0, PROMPTS[:1], {"prompt0": recording}, fallbacks=2)
    denoiser.gate = AlwaysOpen(0.5, WORLD.trim, Nearby([recording]))
    denoise = denoiser.denoise

    def counted(x: torch.Tensor, *more: Any) -> torch.Tensor:
        predicted.append(len(x))
        return denoise(x, *more)

    denoiser.denoise = counted
    denoiser(x, sigma)
    assert denoiser.trace[0].fallback == [None]
    assert denoiser.trace[0].acted == [True]
    assert predicted == [2, 1]  # both predictions, and the one without a caption
    denoiser(x, sigma / 2)
    assert predicted == [2, 1, 2]  # it is not tried again


def test_a_way_that_is_asked_for_begins_at_once_and_passes_over_those_before() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}  # the second copies nothing
    plain = {
        way: ClassifierFreeGuidance(WORLD.denoise, conditioning, WORLD.unconditional(2), guidance_scale=3.0)
        for way, conditioning in {
            1: WORLD.conditioning("train1", "train1"),
            2: WORLD.conditioning("train2", "train2"),
            3: WORLD.unconditional(2),
            4: WORLD.unconditional(2),
        }.items()
    }
    for way, expected in plain.items():
        denoiser = detour(0.999, 0.0, PROMPTS, recordings, fallbacks=2, blend_threshold=1.0, way=way)
        torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))
        torch.testing.assert_close(denoiser(x, sigma / 2), expected(x, sigma / 2))
        assert denoiser.trace[0].acted == [True, True]
        assert denoiser.trace[0].fallback == [way if way < 3 else None] * 2
        assert denoiser.trace[0].no_way == [way > 2] * 2


def test_a_caption_that_leads_to_a_recording_is_no_way() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    first = WORLD.denoise(x, sigma, WORLD.conditioning("train1"))[0, :, : WORLD.trim]
    for way, fallback in ((1, 2), (2, None)):  # the first caption leads to the recording
        denoiser = detour(
            0.999, 0.0, ("prompt0",), {"prompt0": first}, fallbacks=2, blend_threshold=1.0, way=way
        )
        denoiser(x, sigma)
        assert denoiser.trace[0].fallback == [fallback]


def test_a_finished_sound_that_kept_its_prompt_is_compared_with_what_is_recalled() -> None:
    x = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((3,), 0.9, dtype=torch.float64)
    prompts = ("prompt0", "prompt0", "prompt1")
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*prompts))[..., : WORLD.trim]
    nearby = Nearby([-prediction[0].flip(-1), -prediction[1].flip(-1), prediction[2]])  # the third is left
    nearby.missing = [1]
    hard, settled_pull = (PullGate(pull, lambda latents: latents, 0.5) for pull in (9.0, 0.1))
    recollections = Recollections(nearby, hard, settled_pull, 0.3, WORLD.trim)
    own = dict(zip(prompts, nearby.recordings, strict=True))
    denoiser = detour(0.999, 0.0, prompts, own, recollections=recollections)
    denoiser.gate = LatentGate(0.999, WORLD.trim, nearby)
    assert denoiser.replayed(x) == [None] * 3  # it has not begun
    denoiser(x, sigma)
    assert denoiser.trace[0].acted == [False, False, True]
    recalled = WORLD.denoise(x, sigma, WORLD.conditioning(*["train1"] * 3))
    kept = [recalled[0], x[1], recalled[2]]
    copy, other, left = denoiser.replayed(torch.stack(kept))
    assert copy is not None
    assert other is not None
    assert copy.open
    assert copy.value > other.value
    assert left is None
    without = detour(0.999, 0.0, prompts, own)
    without(x, sigma)
    assert without.replayed(x) == [None] * 3
