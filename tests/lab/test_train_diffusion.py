"""The diffusion model: what it is trained on means what the package means."""

from __future__ import annotations

import pytest
import torch
from diffusers import CosineDPMSolverMultistepScheduler, StableAudioPipeline

from lab import sizes, train_diffusion, train_vae
from lab.corpus_files import Corpus
from lab.objectives import v_prediction
from unheard.backbones.stable_audio.backbone import StableAudioBackbone


@pytest.fixture(scope="module")
def generator(corpus: Corpus) -> train_diffusion.Generator:
    """Random weights; the last layers too, which start at zero."""
    torch.manual_seed(0)
    generator = train_diffusion.Generator("smoke", [row["caption"] for row in corpus.rows]).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return generator


@pytest.fixture(scope="module")
def backbone(
    generator: train_diffusion.Generator, tmp_path_factory: pytest.TempPathFactory
) -> StableAudioBackbone:
    """The same weights as the package loads them: from a folder that the pipeline wrote."""
    folder = tmp_path_factory.mktemp("pipeline")
    StableAudioPipeline(
        vae=train_vae.build("smoke"),
        text_encoder=generator.text_encoder,
        tokenizer=generator.tokenizer,
        projection_model=generator.projection_model,
        transformer=generator.transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_min=0.1, sigma_max=100.0),
    ).save_pretrained(folder)
    return StableAudioBackbone.from_folder(folder, device=torch.device("cpu"), dtype=torch.float32)


@torch.no_grad()
def test_training_means_what_the_package_means(
    generator: train_diffusion.Generator, backbone: StableAudioBackbone
) -> None:
    """Velocity, noise level, prompt, timing, and the conditioning that is dropped."""
    captions = ["Tone number 3", "tone NUMBER 4, and a word it never saw", ""] * 2
    seconds = [1.0, 2.5, 4.0] * 2
    keep = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    sigma = torch.tensor([0.2, 1.0, 5.0, 30.0, 0.7, 80.0])
    torch.manual_seed(1)
    latents = torch.randn(6, sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    noise = torch.randn_like(latents)

    times = torch.atan(sigma) * 2 / torch.pi
    z, _, _ = v_prediction(latents, times, noise)
    velocity = generator(z, times, captions, torch.tensor(seconds), keep)

    level = sigma[:, None, None]
    x = latents + level * noise
    torch.testing.assert_close(z, x / (1 + level**2).sqrt())
    starts = [0.0] * 3
    conditioning = backbone.encode(captions[:3], starts, seconds[:3])
    dropped = backbone.encode_unconditional([None] * 3, starts, seconds[3:])
    both = type(conditioning).cat([conditioning, dropped])
    expected = x / (1 + level**2) - velocity * level / (1 + level**2).sqrt()
    torch.testing.assert_close(backbone.denoise(x, sigma, both), expected, atol=1e-4, rtol=1e-4)

    # The comparison is not of constants: prompt and timing reach the output.
    other = generator(z, times, captions[::-1], torch.tensor(seconds), keep)
    later = generator(z, times, captions, torch.tensor(seconds) / 2, keep)
    assert (other - velocity)[:3].abs().amax() > 1e-3
    assert torch.equal(other[3:], velocity[3:])
    assert (later - velocity).abs().amax(dim=(1, 2)).min() > 1e-4


@torch.no_grad()
def test_the_velocity_leads_back_to_sound_and_noise() -> None:
    latents, noise = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(0)).unbind()
    times = torch.tensor([0.0, 0.4, 1.0])
    z, _, velocity = v_prediction(latents, times, noise)
    angle = (times * torch.pi / 2)[:, None, None]
    torch.testing.assert_close(angle.cos() * z - angle.sin() * velocity, latents)
    torch.testing.assert_close(angle.sin() * z + angle.cos() * velocity, noise)
