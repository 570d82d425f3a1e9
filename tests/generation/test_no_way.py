"""What becomes of a sound whose prompt, and every caption near it, leads to a recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_world import EMBEDDING_DIMENSION, build_tiny_clap
from toy_backbone import FRAMES, HOP, RATE, ToyBackbone

import unheard
from unheard import Detour, Model, Sampling
from unheard.generation import provenance
from unheard.generation.defaults import Defaults

MEMORISED, ORDINARY = "An acoustic drum loop, 110 bpm", "A bell"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    generator = torch.Generator().manual_seed(1)
    for name in ("one", "two"):
        noise = torch.rand(FRAMES * HOP, generator=generator) - 0.5
        soundfile.write(folder / f"{name}.wav", noise.numpy(), RATE)
    return folder


@pytest.fixture(scope="module")
def model(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Of its training set every item has the memorised caption: there is none to fall back on."""
    folder = tmp_path_factory.mktemp("toy")
    vectors = torch.nn.functional.normalize(torch.eye(2, EMBEDDING_DIMENSION), dim=1).tolist()
    conditioning = {"prompt": MEMORISED, "seconds_start": 0.0, "seconds_total": 1.0}
    items = {
        name: {"embedding": vector, "conditioning": conditioning}
        for name, vector in zip(("one", "two"), vectors, strict=True)
    }
    (folder / "index.json").write_text(json.dumps(items))
    defaults = Defaults(
        sampling=Sampling(num_inference_steps=3, sigma_max=80.0, guidance_scale=1.0),
        guidance=None,
        duration=0.6,
        embedder=str(build_tiny_clap(folder / "clap")),
        index=folder / "index.json",
    )
    return Model(ToyBackbone({MEMORISED: recordings / "one.wav"}), defaults)


def sounds(model: Model, recordings: Path, way: str, **options: object) -> list[unheard.Sound]:
    guidance = Detour(prompt_weight=0.0, if_no_way=way)  # type: ignore[arg-type]
    return model.generate(
        [MEMORISED, ORDINARY], seed=[5, 6], guidance=guidance, references=recordings, **options
    )


def test_without_saying_so_it_goes_on_without_a_caption(model: Model, recordings: Path) -> None:
    memorised, ordinary = sounds(model, recordings, "unconditional")
    assert memorised.outcome == (
        "the prompt leads to a recording, and so does every caption that was tried: went on without a "
        "caption, with nothing of the prompt, from step 1 of 3"
    )
    assert memorised.no_way == memorised.provenance["no_way"] == "unconditional"
    assert ordinary.no_way is None
    assert "no_way" not in ordinary.provenance


def test_unguided_it_is_what_it_is_without_a_guidance_and_says_so(
    model: Model, recordings: Path, tmp_path: Path
) -> None:
    memorised, ordinary = sounds(model, recordings, "unguided")
    plain = model.generate([MEMORISED, ORDINARY], seed=[5, 6], guidance=None)
    for sound, same in zip((memorised, ordinary), plain, strict=True):
        torch.testing.assert_close(sound.waveform, same.waveform)
    assert memorised.acted == 0
    assert "went on under the prompt, it may replay the recording" in memorised.outcome
    assert ordinary.outcome == "kept the prompt"
    record = provenance.read(memorised.save(tmp_path / "a.wav").with_suffix(".json"))
    assert record["no_way"] == record["guidance"]["if_no_way"] == "unguided"


@pytest.mark.parametrize("reject", [None, "copy"])
def test_refused_it_is_not_handed_out_and_the_others_are(
    model: Model, recordings: Path, reject: str | None
) -> None:
    with pytest.raises(unheard.RejectedError, match=r'1 of 2 sounds is not written.*"An aco') as refusal:
        sounds(model, recordings, "refuse", reject=reject, batch=2)
    assert [sound.prompt for sound in refusal.value.sounds] == [ORDINARY]
    assert [(one.number, one.prompt) for one in refusal.value.refused] == [(0, MEMORISED)]


def test_what_is_not_said_is_not_written() -> None:
    assert "if_no_way" not in unheard.guidance.describe_guidance(Detour())
    with pytest.raises(unheard.InputError, match="if_no_way 'ask'"):
        Detour(if_no_way="ask")  # type: ignore[arg-type]
