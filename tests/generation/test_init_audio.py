"""Sounds that begin from a recording: how much of it is left, what is refused, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from melodies import melody
from safetensors.torch import load_file
from toy_backbone import ToyBackbone

import unheard
from unheard import audio
from unheard.cli import main
from unheard.diffusion.schedules import flow_sigmas, share_between
from unheard.generation.model import Model

PLAIN: dict[str, Any] = {"guidance": None, "num_inference_steps": 6, "sampler": "euler", "sigma_min": 0.05}


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("take") / "take.wav"
    audio.write_wav(path, melody(0, seconds=2.0), 16_000)
    return path


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(ToyBackbone())


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    length = min(one.shape[-1], other.shape[-1])
    together = torch.stack([one[..., :length].flatten(), other[..., :length].flatten()])
    return float(torch.corrcoef(together)[0, 1])


def test_the_less_noise_the_more_is_left(model: Model, take: Path) -> None:
    recording, _ = audio.read(take)
    left = [
        correlation(
            model.generate("A bell", init_audio=take, init_noise_level=level, **PLAIN)[0].waveform, recording
        )
        for level in (0.1, 1.0, 100.0)
    ]
    # The toy hears a part of each frame only, so that not even no noise would leave all of it.
    through = model.backbone.decode(model.backbone.encode_audio(recording[None]))[0]
    assert left[0] > 0.9 * correlation(through, recording)
    assert left[0] > left[1] > left[2]


def test_a_sound_begins_at_its_noise_level_with_its_noise(tiny_model_folder: Path, take: Path) -> None:
    """The trajectory of a deterministic sampler, by hand from the recording's latents."""
    model = unheard.load(tiny_model_folder)
    (sound,) = model.generate(
        "A bell",
        init_audio=take,
        init_noise_level=0.7,
        seed=3,
        duration=0.5,
        **(PLAIN | {"num_inference_steps": 1}),
    )
    assert [step.sigma for step in sound.trace] == pytest.approx([0.7])
    backbone = model.backbone
    waveform, _ = audio.read(take)
    samples = round(backbone.max_duration * backbone.sample_rate)
    waveform = torch.nn.functional.pad(waveform, (0, max(samples - waveform.shape[1], 0)))[None, :, :samples]
    noise = torch.randn(backbone.latent_shape, generator=torch.Generator().manual_seed(3))
    x = backbone.encode_audio(waveform) + 0.7 * noise
    conditional = backbone.encode(["A bell"], [0.0], [0.5])
    nothing = backbone.encode_unconditional([None], [0.0], [0.5])
    level = torch.tensor([0.7])
    with torch.no_grad():
        without = backbone.denoise(x, level, nothing)
        scale = model.defaults.sampling.guidance_scale
        denoised = without + scale * (backbone.denoise(x, level, conditional) - without)
    assert sound.latents is not None
    torch.testing.assert_close(sound.latents[None], denoised, rtol=1e-4, atol=1e-4)


def test_a_waveform_is_as_good_as_a_file(model: Model, take: Path) -> None:
    waveform, rate = audio.read(take)
    options = PLAIN | {"init_noise_level": 0.5}
    (by_file,) = model.generate("A bell", init_audio=take, **options)
    (by_tensor,) = model.generate("A bell", init_audio=(waveform, rate), **options)
    assert torch.equal(by_file.waveform, by_tensor.waveform)
    assert by_file.provenance["init_audio"]["given"] == str(take.resolve())
    assert by_tensor.provenance["init_audio"]["given"] is None


def test_the_recording_is_encoded_and_hashed_once(
    model: Model, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def counted(of: Any, name: str) -> None:
        function = getattr(of, name)
        monkeypatch.setattr(of, name, lambda *given: done.append(name) or function(*given))

    counted(model.backbone, "encode_audio")
    counted(unheard.generation.init_audio, "sha256")
    model.generate(["A bell"] * 3, batch=1, init_audio=take, init_noise_level=0.5, **PLAIN)
    assert sorted(done) == ["encode_audio", "sha256"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init_noise_level": 0.5}, "there is no init_audio"),
        ({"init_audio": "take", "init_noise_level": 0.01}, r"init_noise_level is 0.01: give one above"),
        ({"init_audio": "take", "init_noise_level": 1e4}, "at most sigma_max"),
        ({"init_audio": "take", "init_noise_level": float("nan")}, "give a number"),
        ({"init_audio": "missing.wav"}, "missing.wav"),
        ({"init_audio": 3}, "give a file, or a pair"),
    ],
)
def test_what_is_refused(model: Model, take: Path, options: dict[str, Any], message: str) -> None:
    given = {name: take if value == "take" else value for name, value in options.items()}
    with pytest.raises(unheard.InputError, match=message):
        model.generate("A bell", **PLAIN, **given)


def test_of_a_flow_the_level_is_a_share_and_1_leaves_nothing(take: Path) -> None:
    class Flow(ToyBackbone):
        def sigmas(self, sampling: Any, noise_level: float | None = None) -> torch.Tensor:
            share = share_between(noise_level)
            return flow_sigmas(share * torch.linspace(1, 0, sampling.num_inference_steps + 1)[:-1])

    model, options = Model(Flow()), {"guidance": None, "num_inference_steps": 2, "sampler": "euler"}
    with pytest.raises(
        unheard.InputError,
        match=r"pure noise for toy: nothing would be left of .*; give less",
    ):
        model.generate("A bell", init_audio=take, **options)
    with pytest.raises(unheard.InputError, match="a share of noise above 0"):
        model.generate("A bell", init_audio=take, init_noise_level=1.5, **options)
    (sound,) = model.generate("A bell", init_audio=take, init_noise_level=0.5, **options)
    assert sound.trace[0].sigma == pytest.approx(1.0)
    (sound,) = model.generate("A bell", **options)
    assert sound.waveform.isfinite().all()


def test_the_command_writes_latents_and_finds_the_recording_again(
    tiny_model_folder: Path, take: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "sound.wav", tmp_path / "again.wav"
    command = [
        "generate", "A bell", "--model", str(tiny_model_folder), "--no-guidance",
        "--num-inference-steps", "2", "--duration", "0.4", "--init-audio", str(take),
        "--init-noise-level", "0.7", "--save-latents",
    ]  # fmt: skip
    result = CliRunner().invoke(main, [*command, "--output", str(out)])
    assert result.exit_code == 0, result.output
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["init_audio"]["noise_level"] == 0.7
    latents = load_file(tmp_path / "sound.latents.safetensors")["latents"]
    assert latents.shape == (8, 32)
    result = CliRunner().invoke(
        main, ["generate", "--from", str(out.with_suffix(".json")), "--output", str(again)]
    )
    assert "the same bytes as recorded" in result.output
    assert out.read_bytes() == again.read_bytes()
    # what is read is not written over
    result = CliRunner().invoke(main, [*command, "--output", str(take)])
    assert result.exit_code == 2
    assert "it is the recording to begin from that is read" in result.output
