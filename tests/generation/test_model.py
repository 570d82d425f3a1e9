"""From prompts to sounds, on a random world of the real classes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from tiny_world import build_index

import unheard
import unheard.generation.model
from unheard.backbones import load_backbone
from unheard.diffusion.samplers import SAMPLERS
from unheard.embedders import load_embedder
from unheard.errors import IndexFileError, InputError, ModelError, OutOfMemoryError
from unheard.generation import provenance, training_set
from unheard.generation.defaults import Defaults
from unheard.generation.model import Model, Progress
from unheard.generation.sound import TraceStep

PROMPTS = ["An acoustic drum loop, 110 bpm", "A slow piano melody", "A bright bell"]


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


@pytest.fixture
def broken(model: Model) -> Model:
    """The model with a backbone of its own, for tests that break it."""
    return Model(copy.copy(model.backbone), model.defaults, model.embedder, model.name)


def test_a_sound_is_what_was_asked_for(model: Model) -> None:
    (sound,) = model.generate(PROMPTS[0], duration=0.5, seed=7, num_inference_steps=3)
    assert sound.waveform.shape == (1, 8_000)
    assert sound.waveform.dtype == torch.float32
    assert (sound.sample_rate, sound.prompt, sound.seed) == (16_000, PROMPTS[0], 7)
    assert [step.sigma for step in sound.trace] == pytest.approx([100, (100 * 0.3) ** 0.5, 0.3])


def test_defaults_travel_with_the_model(model: Model) -> None:
    request = model.request("A bell")
    assert request.sampling == model.defaults.sampling
    assert request.guidance == model.defaults.guidance
    assert request.duration == model.defaults.duration
    assert request.index == str(model.defaults.index)
    assert model.training_set(request.index).index is model.training_set().index is model.index


def test_the_default_duration_is_at_most_what_the_model_can_make(model: Model) -> None:
    short = Model(model.backbone, Defaults(), model.embedder)
    assert short.request("A bell", guidance=None).duration == model.backbone.max_duration


def test_every_sound_of_a_batch_is_what_it_is_alone(model: Model) -> None:
    """Different prompts in one batch, and the same in batches of one: equal but for rounding."""
    together = model.generate(PROMPTS, seed=[3, 4, 5], duration=0.4)
    for prompt, seed, sound in zip(PROMPTS, [3, 4, 5], together, strict=True):
        (alone,) = model.generate(prompt, seed=seed, duration=0.4)
        scale = alone.waveform.abs().max()
        torch.testing.assert_close(sound.waveform / scale, alone.waveform / scale, rtol=0, atol=2e-3)
        assert [step.neighbour for step in sound.trace] == [step.neighbour for step in alone.trace]
        assert [step.acted for step in sound.trace] == [step.acted for step in alone.trace]


def test_sounds_come_in_the_order_of_the_prompts_whatever_the_batch(model: Model) -> None:
    options: dict[str, Any] = {"seed": [1, 2, 3], "duration": 0.2, "num_inference_steps": 2}
    sounds = model.generate(PROMPTS, batch=2, **options)
    assert [(sound.prompt, sound.seed) for sound in sounds] == list(zip(PROMPTS, [1, 2, 3], strict=True))
    assert [sound.provenance["batch"]["seeds"] for sound in sounds] == [[1, 2], [1, 2], [3]]


def test_the_same_request_gives_the_same_samples_and_another_seed_others(model: Model) -> None:
    first, again = (model.generate("A bell", seed=1, duration=0.3)[0].waveform for _ in range(2))
    other = model.generate("A bell", seed=2, duration=0.3)[0].waveform
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_without_guidance_it_is_classifier_free_guidance_by_hand(model: Model) -> None:
    """The story told once more, step by step, with Euler."""
    backbone = model.backbone
    (sound,) = model.generate(
        "A bell",
        seed=5,
        guidance=None,
        sampler="euler",
        num_inference_steps=4,
        guidance_scale=2.5,
        negative_prompt="Jazz",
    )
    x = 100 * torch.randn(backbone.latent_shape, generator=torch.Generator().manual_seed(5))[None]
    conditional = backbone.encode(["A bell"], [0.0], [1.0])
    unconditional = backbone.encode_unconditional(["Jazz"], [0.0], [1.0])
    sigmas = [100 * (0.3 / 100) ** (step / 3) for step in range(4)] + [0.0]
    with torch.no_grad():
        for sigma, lower in pairwise(sigmas):
            level = torch.tensor([sigma])
            without = backbone.denoise(x, level, unconditional)
            denoised = without + 2.5 * (backbone.denoise(x, level, conditional) - without)
            x = denoised + lower / sigma * (x - denoised)
        expected = backbone.decode(x)[0, :, :16_000]
    torch.testing.assert_close(sound.waveform, expected, rtol=1e-3, atol=1e-5)


def test_the_guidance_changes_the_sound_only_where_it_acts(model: Model) -> None:
    never = unheard.AMG(lambda_min=1.0, lambda_max=1.0)
    plain, shut, acting = (
        model.generate("A bell", guidance=guidance)[0] for guidance in (None, never, model.defaults.guidance)
    )
    torch.testing.assert_close(shut.waveform, plain.waveform, rtol=1e-3, atol=1e-5)
    assert shut.acted == plain.acted == 0
    assert acting.acted > 0
    assert not torch.allclose(acting.waveform, plain.waveform, rtol=1e-2)


def test_the_trace_has_one_entry_a_step(model: Model) -> None:
    sounds = model.generate(
        PROMPTS[:2], num_inference_steps=5, guidance=unheard.AMG(lambda_min=-1, lambda_max=1)
    )
    for sound in sounds:
        assert len(sound.trace) == 5
        for step in sound.trace:
            assert step.value is not None
            assert step.threshold == pytest.approx(-1 + 2 / (1 + step.sigma**2) ** 2, abs=1e-6)
            assert step.acted == (step.value > step.threshold)
            assert step.neighbour in model.index.ids
        assert sound.acted == sum(step.acted for step in sound.trace)


def test_without_guidance_the_trace_is_the_noise_levels(model: Model) -> None:
    (sound,) = model.generate("A bell", guidance=None, num_inference_steps=2)
    assert [(step.value, step.acted, step.neighbour) for step in sound.trace] == [(None, None, None)] * 2


def test_without_guidance_no_recordings_are_looked_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_set, "locate_recordings", lambda *_: pytest.fail("they are not needed"))
    model.generate("A bell", guidance=None, num_inference_steps=1)


@pytest.mark.parametrize("guidance", ["auto", None])
def test_nearest_items_are_those_of_the_finished_sound(model: Model, guidance: Any) -> None:
    (sound,) = model.generate("A bell", duration=0.7, guidance=guidance)
    embedding = model.embedder.embed_audio(sound.waveform[None], sound.sample_rate)[0]
    vectors = torch.nn.functional.normalize(model.index.vectors(torch.arange(len(model.index))), dim=-1)
    similarities = vectors @ embedding
    best = similarities.argsort(descending=True)[:3].tolist()
    assert [item.id for item in sound.nearest] == [model.index.ids[position] for position in best]
    assert [item.caption for item in sound.nearest] == [model.index.prompts[position] for position in best]
    assert [item.similarity for item in sound.nearest] == pytest.approx(similarities[best].tolist(), abs=1e-4)


def test_no_index_no_embedder(tiny_model_folder: Path) -> None:
    """Plain generation needs no embedder; one that cannot be loaded is not missed."""
    model = unheard.load(tiny_model_folder, embedder="no/such-embedder")
    (sound,) = model.generate("A bell", guidance=None, index=None, num_inference_steps=1)
    assert sound.nearest == []
    assert sound.provenance["embedder"] is None
    assert sound.provenance["index"] is None


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_makes_a_sound(model: Model, sampler: str) -> None:
    (sound,) = model.generate("A bell", sampler=sampler, num_inference_steps=3, duration=0.2)
    assert sound.waveform.isfinite().all()
    assert sound.provenance["sampling"]["sampler"] == sampler


def test_start_is_told_to_the_model(model: Model) -> None:
    first, later = (model.generate("A bell", start=start, duration=0.3)[0].waveform for start in (0.0, 4.0))
    assert first.shape == later.shape
    assert not torch.equal(first, later)


def test_progress_reports_every_step(model: Model) -> None:
    seen: list[Progress] = []
    model.generate(PROMPTS, batch=2, num_inference_steps=3, duration=0.2, progress=seen.append)
    assert [(p.numbers, p.total, p.attempt, p.step, p.steps) for p in seen] == [
        ((0, 1), 3, 0, 1, 3),
        ((0, 1), 3, 0, 2, 3),
        ((0, 1), 3, 0, 3, 3),
        ((2,), 3, 0, 1, 3),
        ((2,), 3, 0, 2, 3),
        ((2,), 3, 0, 3, 3),
    ]
    assert all(len(p.trace) == len(p.numbers) for p in seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": ""}, "prompt is empty"),
        ({"prompts": 3}, "give a text"),
        ({"prompts": "x" * 10_000}, "10,000 characters"),
        ({"negative_prompt": " "}, "negative prompt is empty"),
        ({"negative_prompt": 5}, "negative prompt is int"),
        ({"duration": -1}, "duration is -1 s"),
        ({"duration": 0}, "duration is 0 s"),
        ({"duration": 60.0}, r"makes at most 1\.024 s"),
        ({"start": -2}, "start is -2 s"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": [1, 2]}, "2 seeds for 1 prompt:"),
        ({"batch": 0}, "batch is 0"),
        ({"sampler": "ddim"}, "unknown sampler 'ddim'"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"sigma_min": 600.0}, "sigma_max"),
        ({"guidance_scale": -1.0}, "guidance_scale is -1"),
        ({"index": None}, "needs an index"),
    ],
)
def test_bad_input_is_found_out_before_anything_is_made(model: Model, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.stream(model.request(**{"prompts": "A bell", **options}))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"lambda_min": 0.9, "lambda_max": 0.8}, "lambda_min"),
        ({"c1": -1.0}, "c1"),
        ({"c3": float("nan")}, "c3"),
    ],
)
def test_bad_weights_are_refused(model: Model, weights: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(model.defaults.guidance, **weights)


@pytest.mark.parametrize(
    ("keyword", "message"), [({"device": "tpu"}, "device"), ({"dtype": "int8"}, "dtype")]
)
def test_unknown_device_and_dtype(tiny_model_folder: Path, keyword: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=f"unknown {message}"):
        unheard.load(tiny_model_folder, **keyword)


def test_an_index_of_another_embedder_is_refused(model: Model, tmp_path: Path) -> None:
    path = build_index(tmp_path / "index.json", dimension=12)
    with pytest.raises(IndexFileError, match="12"):
        model.stream(model.request("A bell", index=path))


def test_a_model_that_gives_no_numbers_is_named(broken: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broken.backbone, "decode", lambda latents: torch.full((1, 1, 16_384), torch.nan))
    with pytest.raises(ModelError, match=r"not finite, in torch\.float32"):
        broken.generate("A bell", guidance=None, num_inference_steps=1)


def fails_from(call: int, error: Exception, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which raises from its n-th call on."""
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise error
        return function(*arguments, **options)

    return counted


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18.13 GB)"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "mps", "python"],
)
def test_out_of_memory_says_what_to_lower_and_finished_sounds_stay(
    broken: Model, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # One call a step without guidance: the second batch fails in its second step.
    monkeypatch.setattr(broken.backbone, "denoise", fails_from(5, error, broken.backbone.denoise))
    request = broken.request(["A bell"] * 4, batch=2, num_inference_steps=3, duration=0.2, guidance=None)
    sounds = broken.stream(request)
    assert [next(sounds).seed, next(sounds).seed] == [0, 1]
    with pytest.raises(
        OutOfMemoryError, match=r"--batch \(now 2\), or --duration \(now 0\.2 s\), or the precision"
    ):
        next(sounds)


def test_a_model_too_large_for_the_device_says_so(
    monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Path
) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory.")
    monkeypatch.setattr(unheard.generation.model, "load_backbone", fails_from(1, error, load_backbone))
    with pytest.raises(OutOfMemoryError, match=r"--dtype bfloat16 or float16\) or use --device cpu"):
        unheard.load(tiny_model_folder)


def test_a_programming_error_is_not_called_out_of_memory(
    broken: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    monkeypatch.setattr(broken.backbone, "denoise", fails_from(1, error, broken.backbone.denoise))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        broken.generate("A bell", guidance=None)


def test_an_embedder_of_ones_own(tiny_model_folder: Path, model: Model) -> None:
    own = load_embedder(tiny_model_folder / "guide")
    backbone = load_backbone(tiny_model_folder)
    (sound,) = Model(backbone, model.defaults, own).generate("A bell", seed=2, duration=0.3)
    (expected,) = model.generate("A bell", seed=2, duration=0.3)
    assert torch.equal(sound.waveform, expected.waveform)


@pytest.mark.parametrize("as_float", [False, True])
def test_save_writes_the_sound_and_how_it_was_made(model: Model, tmp_path: Path, as_float: bool) -> None:
    sounds = model.generate(["A bell"] * 2, seed=11, duration=0.25, negative_prompt="noise")
    path = sounds[1].save(tmp_path / "bell.wav", float=as_float)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    written = torch.from_numpy(samples.T)
    if as_float:
        assert torch.equal(written, sounds[1].waveform)
    else:
        expected = sounds[1].waveform / sounds[1].waveform.abs().max()
        torch.testing.assert_close(written, expected, rtol=0, atol=1 / 32_000)
    assert (rate, soundfile.info(path).subtype) == (16_000, "FLOAT" if as_float else "PCM_16")

    record = provenance.read(tmp_path / "bell.json")
    assert (record["prompt"], record["seed"], record["negative_prompt"]) == ("A bell", 12, "noise")
    assert (record["duration"], record["start"]) == (0.25, 0.0)
    assert record["batch"] == {"position": 1, "prompts": ["A bell"] * 2, "seeds": [11, 12]}
    assert record["guidance"] == {
        "kind": "amg",
        "c1": 1.0,
        "c2": 1.0,
        "c3": 1.0,
        "lambda_min": 0.0,
        "lambda_max": 0.2,
        "dissimilarity_space": "denoised",
    }
    assert record["model"]["fingerprint"].startswith("sha256:")
    assert len(record["embedder"]["sha256"]) == len(record["index"]["sha256"]) == 64
    assert record["machine"]["device"] == "cpu"
    assert record["machine"]["dtype"] == "float32"
    assert set(record["machine"]["packages"]) >= {"unheard", "torch", "diffusers", "transformers"}
    assert set(record["seconds"]) == {"conditioning", "sampling", "decoding", "nearest items"}
    assert record["result"]["encoding"] == ("float" if as_float else "16-bit")
    assert record["result"]["nearest"][0]["id"] == sounds[1].nearest[0].id
    assert len(record["trace"]) == model.defaults.sampling.num_inference_steps
    assert set(record["trace"][0]) == {field.name for field in fields(TraceStep)}
    assert list(record)[-1] == "trace"


def test_the_record_is_json_without_an_index_too(model: Model, tmp_path: Path) -> None:
    (sound,) = model.generate("A bell", guidance=None, index=None, num_inference_steps=1)
    sound.save(tmp_path / "a.wav")
    record = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert record["guidance"] is None
    assert record["trace"][0]["value"] is None


@pytest.mark.parametrize(
    ("name", "message"), [("a.mp3", "ends in .wav"), ("missing/a.wav", "does not exist")]
)
def test_save_refuses_what_it_cannot_write(model: Model, tmp_path: Path, name: str, message: str) -> None:
    (sound,) = model.generate("A bell", guidance=None, num_inference_steps=1)
    with pytest.raises(InputError, match=message):
        sound.save(tmp_path / name)


@pytest.mark.parametrize(
    ("waveform", "fault"),
    [(torch.zeros(1, 800), "silent"), (torch.full((1, 800), 0.5), "constant"), (None, None)],
)
def test_faults_are_said(model: Model, waveform: torch.Tensor | None, fault: str | None) -> None:
    (sound,) = model.generate("A bell", guidance=None, num_inference_steps=1)
    if waveform is not None:
        sound.waveform = waveform
    assert [fault in said for said in sound.faults] == ([] if fault is None else [True])


def test_the_weights_take_no_gradient(model: Model) -> None:
    model.generate("A bell", num_inference_steps=2)
    for part in (model.backbone.vae, model.backbone.transformer, model.embedder.model):
        assert all(weight.grad is None and not weight.requires_grad for weight in part.parameters())
