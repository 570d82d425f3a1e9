"""The detour's gate, and what it does when it opens; on the toy maps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from toy_world import ToyWorld

import unheard
from unheard import audio
from unheard.errors import InputError
from unheard.guidance import ClassifierFreeGuidance, DetourDenoiser
from unheard.guidance.detour import Recordings
from unheard.guidance.step import GuidanceWarning
from unheard.latents import RecordingLatents
from unheard.settings import Detour

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1")


def detour(
    settings: Detour, prompts: tuple[str, ...], recordings: dict[str, torch.Tensor], ways: int = 1
) -> DetourDenoiser:
    return DetourDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*prompts),
        WORLD.unconditional(len(prompts)),
        guidance_scale=3.0,
        settings=settings,
        frames=WORLD.trim,
        find=lambda _: [([0], [recordings[prompt]]) for prompt in prompts],
        ways=[list(range(1, 1 + ways)) for _ in prompts],
        encode_captions=WORLD.encode_neighbours,
    )


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Shift by shift, the slow way."""
    one, other = (each.double() - each.double().mean(dim=1, keepdim=True) for each in (one, other))
    shifts = range(1 - other.shape[1], one.shape[1])
    products = [
        (one[:, max(0, shift) : shift + other.shape[1]] * other[:, max(0, -shift) : one.shape[1] - shift])
        .sum()
        .item()
        for shift in shifts
    ]
    return max(products) / float(one.norm() * other.norm())


@pytest.mark.parametrize("lengths", [(40, 40, 25), (7, 90)])
def test_correlations_are_those_of_every_shift(lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(8, 40, generator=generator)
    latents = [torch.randn(8, length, generator=generator) for length in lengths]
    expected = torch.tensor([correlation(prediction, each) for each in latents])
    found = Recordings(latents, 40).correlations(prediction)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, check_dtype=False)


def test_a_shifted_recording_correlates_and_another_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, 40, generator=generator)
    longer = torch.cat([torch.zeros(8, 7), one], dim=1)
    assert correlation(one, one) > 0.999
    assert correlation(one, longer) > 0.95
    assert correlation(one, other) < 0.4


def test_it_leaves_for_good_only_what_copies_and_a_batch_is_each_alone() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}
    alone_under_it = Detour(threshold=0.999, prompt_share=0.0)
    together = detour(alone_under_it, PROMPTS, recordings)
    result = together(x, sigma)
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning("train1", "prompt1"), WORLD.unconditional(2), guidance_scale=3.0
    )
    assert together.trace[0].acted == [True, False]
    assert torch.allclose(result, plain(x, sigma))
    assert torch.allclose(together(x, sigma / 2), plain(x, sigma / 2))  # it does not come back
    for sample, prompt in enumerate(PROMPTS):
        alone = detour(alone_under_it, (prompt,), recordings)
        assert torch.allclose(alone(x[[sample]], sigma[:1]), result[[sample]])


@pytest.mark.parametrize("threshold", [0.9, 0.99, 0.999])
def test_it_keeps_the_largest_share_of_the_prompt_that_does_not_copy(threshold: float) -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    prompt, other = WORLD.conditioning("prompt0"), WORLD.conditioning("train1")
    recording = WORLD.denoise(x, sigma, prompt)[0, :, : WORLD.trim]

    def copies(share: float) -> bool:
        prediction = WORLD.denoise(x, sigma, prompt.blended(other, share))[0, :, : WORLD.trim]
        return float(correlation(prediction, recording)) > threshold

    share = next(tenth / 10 for tenth in range(9, -1, -1) if not copies(tenth / 10))
    denoiser = detour(Detour(threshold, prompt_share=0.9), ("prompt0",), {"prompt0": recording})
    expected = ClassifierFreeGuidance(
        WORLD.denoise, prompt.blended(other, share), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))


def test_what_copies_under_every_caption_goes_on_under_the_last() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    denoiser = detour(Detour(threshold=0.0), ("prompt0",), {"prompt0": recording}, ways=2)
    expected = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning("train2"), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))


def test_without_recordings_the_default_gives_way_and_a_detour_that_was_asked_for_refuses(
    tmp_path: Path,
) -> None:
    model = unheard.load("tiny")
    assert model.defaults.index is not None
    elsewhere = shutil.copy(model.defaults.index, tmp_path / "index.json")
    assert model.request("A bell").guidance == model.defaults.guidance
    assert len(model.request("A bell").recordings) == 60
    with pytest.warns(GuidanceWarning, match="not at hand.*--references"):
        request = model.request("A bell", index=elsewhere)
    assert request.guidance == model.defaults.guidance_by_embeddings
    with pytest.raises(InputError, match="--references"):
        model.request("A bell", index=elsewhere, guidance=Detour())
    memorised = model.defaults.index.parent / "memorised"
    assert model.request("A bell", index=elsewhere, references=memorised).guidance == Detour()


def test_latents_of_recordings_are_kept_by_content(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    backbone = unheard.load(tiny_model_folder).backbone
    recording = tmp_path / "noise.wav"
    sound = torch.rand(backbone.audio_channels, 3000, generator=torch.Generator().manual_seed(0)) - 0.5
    audio.write_wav(recording, sound, backbone.sample_rate)
    latents = RecordingLatents(backbone)
    first = latents.of(recording)
    torch.testing.assert_close(first, latents.encoded(recording), atol=2e-3, rtol=2e-3)  # kept as float16
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    monkeypatch.setattr(RecordingLatents, "encoded", lambda *_: pytest.fail("it was encoded already"))
    moved = recording.rename(tmp_path / "moved.wav")
    assert torch.equal(RecordingLatents(backbone).of(moved), first)
    assert kept.parent.parent.name == "latents"
