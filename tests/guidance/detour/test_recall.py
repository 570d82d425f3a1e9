"""What a model recalls of training items, in full noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unheard.guidance.detour.correlation import Recordings
from unheard.guidance.detour.recall import Recall
from unheard.guidance.detour.settings import Detour

SECONDS, NOISE = 4.0, 100.0


def test_of_what_was_learned_by_heart_the_recording_is_recalled_and_of_the_rest_a_mean(
    bundled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guidance, backbone = Detour(), bundled.backbone
    training_set = bundled.training_set("auto")
    prompt = backbone.encode(["anything"], [0.0], [SECONDS])
    trajectory = bundled.trajectory(
        training_set,
        guidance,
        backbone=backbone,
        prompts=["anything"],
        conditional=prompt,
        unconditional=backbone.encode([""], [0.0], [SECONDS]),
        guidance_scale=3.0,
        duration=SECONDS,
    )
    located = {name: Path(path) for name, path in training_set.recordings.items()}
    positions = [n for n, name in enumerate(trajectory.index.ids) if name in located]
    by_heart = positions[:3]
    others = [n for n, name in enumerate(trajectory.index.ids) if name not in located][:20]
    asked: list[int] = []
    denoise: Callable[..., torch.Tensor] = backbone.denoise
    monkeypatch.setattr(backbone, "denoise", lambda x, *more: asked.append(len(x)) or denoise(x, *more))
    recall = Recall(trajectory)
    found = recall.of([*by_heart, *others], NOISE)
    assert asked == [1 + len(found)]
    assert recall.of(others[:2], NOISE) == found[3:5]
    assert asked == [1 + len(found)]
    for position, each in zip(by_heart, found, strict=False):
        latents = trajectory.latents_of(located[trajectory.index.ids[position]])
        own = Recordings([trajectory.by_frame(latents)], trajectory.frames)
        assert float(own.correlations(each.prediction)) > 0.7
    ordinary = sorted(each.pull for each in found[3:])
    assert min(each.pull for each in found[:3]) > ordinary[len(ordinary) * 3 // 4]
