"""Every kind of guidance that can be named can be read, written, made stronger, and generated with."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from tiny_world import CAPTIONS, build_tiny_model

import unheard
from unheard.guidance import GUIDANCES, describe_guidance, read_guidance


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[unheard.Model, Path]:
    """A random model, and recordings of its training items."""
    folder = tmp_path_factory.mktemp("world")
    recordings = folder / "recordings"
    recordings.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(len(CAPTIONS)):
        noise = torch.rand(16_000, generator=generator) - 0.5
        soundfile.write(recordings / f"train_{number:02d}.wav", noise.numpy(), 16_000)
    return unheard.load(build_tiny_model(folder / "model")), recordings


@pytest.mark.parametrize("kind", GUIDANCES)
def test_a_kind_from_its_name_to_a_sound(kind: str, world: tuple[unheard.Model, Path]) -> None:
    model, recordings = world
    guidance = read_guidance({"kind": kind})
    assert guidance is not None
    assert read_guidance(describe_guidance(guidance)) == guidance
    assert guidance.stronger(1) != guidance
    prompts, options = list(CAPTIONS[:2]), {"seed": [3, 4], "guidance": guidance, "references": recordings}
    together = model.generate(prompts, **options)
    for position, prompt in enumerate(prompts):
        trace = together[position].trace
        assert len(trace) == model.defaults.sampling.num_inference_steps
        assert trace[0].measure == guidance.measure(recordings=True)
        assert {step.measure for step in trace} <= {guidance.measure(recordings=True), None}
        assert all((step.value is None) == (step.measure is None) for step in trace)
        alone = model.generate(prompt, **{**options, "seed": 3 + position})[0]
        torch.testing.assert_close(alone.waveform, together[position].waveform, atol=1e-4, rtol=1e-3)
