"""A sound, and what it says of itself."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import unheard
from unheard.common.files import locked, sha256
from unheard.generation.sound import Fallback, Sound, TraceStep


@pytest.mark.parametrize(
    ("guidance", "acted", "fallback", "outcome"),
    [
        (None, [None, None], None, "made without guidance: it may replay a recording"),
        ({"kind": "detour"}, [False, False], None, "kept the prompt"),
        ({"kind": "amg"}, [False, True], None, "steered away in 1 of 2 steps"),
        (
            {"kind": "detour"},
            [False, True],
            Fallback("00007", "A slow bell", 0.4, 2),
            'the prompt leads to a recording: went on as "A slow bell", with 40% of the prompt, '
            "from step 2 of 2",
        ),
        (
            {"kind": "detour"},
            [True, True],
            Fallback(None, "", 0.0, 1),
            "the prompt leads to a recording: went on without a caption, with nothing of the prompt, "
            "from step 1 of 2",
        ),
    ],
)
def test_what_happened_is_said_in_words(
    guidance: dict[str, Any] | None, acted: list[bool | None], fallback: Fallback | None, outcome: str
) -> None:
    trace = [TraceStep(1.0, 0.5, acted=each) for each in acted]
    sound = Sound(torch.zeros(1, 8), 8, "A bell", 0, trace, fallback=fallback)
    sound.provenance = {"guidance": guidance}
    assert sound.outcome == outcome


def test_the_caption_that_a_detour_went_on_under_is_named(tiny_model_folder: Path) -> None:
    model = unheard.load(tiny_model_folder)
    options = {"num_inference_steps": 2, "duration": 0.2}
    (kept,) = model.generate("A bell", guidance=unheard.Detour(pull=1e9), **options)
    assert kept.fallback is None
    (left,) = model.generate("A bell", guidance=unheard.Detour(pull=0.0), **options)
    assert left.fallback is not None
    assert (left.fallback.id, left.fallback.step) == (left.trace[-1].fallback, 1)
    if left.fallback.id is not None:
        assert model.index is not None
        assert left.fallback.caption == model.index.prompts[model.index.ids.index(left.fallback.id)]


def test_two_that_write_one_name_at_once_leave_a_sound_and_its_own_provenance(tmp_path: Path) -> None:
    def save(seed: int) -> None:
        waveform = torch.rand(1, 500, generator=torch.Generator().manual_seed(seed)) - 0.5
        sound = Sound(waveform, 8_000, "a bell", seed, [], provenance={"unheard": 3, "seed": seed})
        for _ in range(10):
            sound.save(tmp_path / "a.wav")
            with locked(tmp_path / "a.wav"):
                record = json.loads((tmp_path / "a.json").read_text())
                found.append(record["result"]["sha256"] == sha256(tmp_path / "a.wav"))

    found = list[bool]()
    threads = [threading.Thread(target=save, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.wav"]
