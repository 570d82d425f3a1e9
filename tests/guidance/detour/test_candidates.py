"""Which recordings a detour compares with around a fallback caption."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from unheard.guidance.detour.candidates import Candidates
from unheard.guidance.trajectory import Trajectory
from unheard.index import JSONIndex

CAPTIONS = [
    "A jazz drum pattern in latin style",
    "A jazz drum pattern in rock style",
    "Jazz drummer, rock patterns",
    *[f"A pan flute in a hall, take {take}" for take in range(20)],
    "A jazz drum pattern in latin style",
]


@pytest.fixture
def index() -> JSONIndex:
    made = JSONIndex()
    rows = np.random.default_rng(0).normal(size=(len(CAPTIONS), 8)).astype(np.float32)
    count = len(CAPTIONS)
    made.add([f"item{n}" for n in range(count)], rows, CAPTIONS, [0.0] * count, [1.0] * count)
    return made


def candidates(index: JSONIndex, available: set[int], count: int) -> Candidates:
    """Those of a trajectory that is asked for recordings alone: each is as long as its number."""
    recordings = {f"item{n}": Path(str(n)) for n in available}
    nothing = cast(Any, None)
    trajectory = Trajectory(
        backbone=nothing,
        load_embedder=lambda: nothing,
        latents_of=lambda path: torch.zeros(1, 1 + int(path.name)),
        prompts=["anything"],
        conditional=nothing,
        unconditional=nothing,
        guidance_scale=1.0,
        duration=1.0,
        training_set=index,
        recordings=recordings,
    )
    return Candidates(trajectory, count)


def test_what_shares_the_words_of_a_caption_or_is_written_like_it_comes_after_its_own(
    index: JSONIndex,
) -> None:
    found = candidates(index, set(range(len(CAPTIONS))), 4).around_caption(0)
    assert set(found.positions[:2]) == {0, len(CAPTIONS) - 1}
    assert set(found.positions[2:]) == {1, 2}
    assert [each.shape[1] - 1 for each in found.latents] == found.positions


def test_what_is_not_available_leaves_its_place_to_others_and_lowers_the_share(index: JSONIndex) -> None:
    found = candidates(index, {2, 5}, 4).around_caption(0)
    assert found.positions[0] == 2
    assert found.share < 0.5


def test_of_words_that_no_other_caption_has_only_the_caption_itself_is_left() -> None:
    index = JSONIndex()
    rows = np.eye(2, 8, dtype=np.float32)
    index.add(["item0", "item1"], rows, ["one", "other"], [0.0] * 2, [1.0] * 2)
    assert candidates(index, {0, 1}, 4).around_caption(0).positions == [0]
