"""What CONTRIBUTING.md says of a guidance, a backbone and an evidence, done with a toy of each.

The page's code is read out of it and run: what stands there is what works.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from melodies import RATE, melody

import unheard
from unheard import audio
from unheard.auditing.evidence import EVIDENCES
from unheard.backbones import families
from unheard.guidance import GUIDANCES, read_guidance

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


def section(title: str) -> str:
    """The text under a heading of the page, up to the next."""
    text = PAGE.read_text(encoding="utf-8")
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]  # type: ignore[index]


def code(title: str) -> ModuleType:
    """The Python of a section as one module."""
    blocks = re.findall(r"^```python\n(.*?)^```", section(title), re.M | re.S)
    made = ModuleType(title)
    program = compile("\n".join(blocks), f"CONTRIBUTING.md, {title}", "exec", dont_inherit=True)
    sys.modules[title] = made  # dataclasses look their module up
    exec(program, made.__dict__)
    return made


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a test registers is gone after it."""
    registries = GUIDANCES, families.FAMILIES, EVIDENCES
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def test_a_guidance_of_ones_own(tiny_model_folder: Path) -> None:
    made = code("How to add a guidance")
    guidance = read_guidance({"kind": "weaker-prompt", "scale": 2.0})
    assert isinstance(guidance, made.WeakerPrompt)
    assert read_guidance("weaker-prompt") == made.WeakerPrompt()
    model = unheard.load(tiny_model_folder)
    options = {"seed": 1, "num_inference_steps": 2, "sampler": "euler", "duration": 0.3}
    weaker = model.generate("A bell", guidance="weaker-prompt", guidance_scale=5.0, **options)[0]
    as_weak = model.generate("A bell", guidance=None, guidance_scale=1.0, **options)[0]
    torch.testing.assert_close(weaker.waveform, as_weak.waveform)
    assert [step.acted for step in weaker.trace] == [True, True]
    assert {step.measure for step in weaker.trace} == {"the prompt's pull"}
    assert weaker.provenance["guidance"] == {"kind": "weaker-prompt", "scale": 1.0}


def test_a_guidance_that_nobody_registered_is_named(tiny_model_folder: Path) -> None:
    made = code("How to add a guidance")
    del GUIDANCES["weaker-prompt"]
    with pytest.raises(unheard.InputError, match="unknown guidance 'weaker-prompt'"):
        read_guidance("weaker-prompt")

    class Unknown(made.WeakerPrompt):  # type: ignore[name-defined, misc]
        pass

    with pytest.raises(
        unheard.InputError, match="no kind of guidance has settings of type Unknown: register"
    ):
        unheard.load(tiny_model_folder).generate("A bell", guidance=Unknown(), index=None)


def test_a_backbone_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(unheard.ModelError, match="is a SineWavePipeline: unheard loads StableAudioPipeline"):
        unheard.load(folder(tmp_path))
    made = code("How to add a backbone")
    model = unheard.load(folder(tmp_path))
    assert isinstance(model.backbone, made.SineWaves)
    (sound,) = model.generate("440", guidance=None, index=None, duration=0.5, num_inference_steps=3)
    spectrum = torch.fft.rfft(sound.waveform[0]).abs()
    assert spectrum.argmax().item() * sound.sample_rate / sound.waveform.shape[1] == pytest.approx(440, abs=4)
    basin = model.generate("440", guidance="basin", index=None, duration=0.5, num_inference_steps=3)[0]
    assert basin.acted > 0


def test_an_evidence_of_ones_own(tmp_path: Path) -> None:
    """Noise in the rhythm of a recording: no other evidence finds it."""
    (tmp_path / "references").mkdir()
    for seed in range(3):
        audio.write_wav(tmp_path / "references" / f"{seed}.wav", melody(seed), RATE)
    noise = torch.randn(melody(1).shape, generator=torch.Generator().manual_seed(0))
    sound = noise * torch.nn.functional.avg_pool1d(melody(1).abs(), 401, stride=1, padding=200)
    (before,) = unheard.audit((sound, RATE), tmp_path / "references").files
    assert before.verdict != "copy"
    made = code("How to add an evidence")
    found = unheard.audit((sound, RATE), tmp_path / "references")
    assert found.verdict == "copy"
    assert found.files[0].matches[0].reference == "1.wav"
    assert found.files[0].matches[0].found_by[-1] == made.SameRhythm.name
    assert found.calibration["same rhythm"] == made.SameRhythm.calibration


def folder(path: Path) -> Path:
    (path / "model_index.json").write_text(json.dumps({"_class_name": "SineWavePipeline"}))
    return path
