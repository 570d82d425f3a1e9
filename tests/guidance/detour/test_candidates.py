"""Which recordings a detour compares with around a fallback caption."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from unheard.embedders import load_embedder
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.candidates import RECALLED, Candidates
from unheard.guidance.detour.coarse_latents import CoarseLatents
from unheard.guidance.detour.fit import FEWEST, least_fit
from unheard.guidance.detour.numbers import nearness
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index, JSONIndex

TINY = Path(__file__).parents[3] / "src" / "unheard" / "assets" / "tiny"
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


def candidates(
    index: JSONIndex,
    available: set[int],
    count: int,
    prompt: str = "anything",
    embedder: Any = None,
    coarse: CoarseLatents | None = None,
    wordings: Sequence[str] = (),
) -> Candidates:
    """Those of a trajectory that is asked for recordings alone: each is as long as its number."""
    recordings = {f"item{n}": Path(str(n)) for n in available}
    nothing = cast(Any, None)
    trajectory = Trajectory(
        backbone=cast(Any, SimpleNamespace(device=torch.device("cpu"), frames=round, time_axis=-1)),
        load_embedder=lambda: embedder,
        latents_of=lambda path: torch.zeros(1, 1 + int(path.name)),
        prompts=[prompt],
        conditional=nothing,
        unconditional=nothing,
        guidance_scale=1.0,
        duration=8.0,
        training_set=index,
        recordings=recordings,
        find_coarse_latents=lambda: coarse,
    )
    return Candidates(trajectory, count, wordings)


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


def test_one_item_is_named_of_each_caption_like_anothers_whose_recording_is_missing(index: JSONIndex) -> None:
    first, *others = candidates(index, {1}, 4).missing_around(0, 0)
    assert first == 2
    assert not {0, 1, len(CAPTIONS) - 1} & {*others}  # its own caption, and one whose recording is there
    assert {*candidates(index, set(), 4).missing_around(0, 0)[:2]} == {1, 2}
    assert len({CAPTIONS[each] for each in candidates(index, set(), 4).missing_around(0, 5)}) == RECALLED
    assert candidates(index, set(range(len(CAPTIONS))), 4).missing_around(0, 0) == []


def test_of_a_prompt_its_own_caption_is_named_as_well(index: JSONIndex) -> None:
    prompt = "jazz drummer; rock patterns"  # spelt otherwise, it may be kept and lead to the recording
    assert candidates(index, set(), 4, prompt).missing_around(0, None)[0] == 2
    assert 2 not in candidates(index, set(), 4, prompt).missing_around(0, 2)


def test_what_another_wording_may_lead_to_is_found_as_around_a_caption(index: JSONIndex) -> None:
    wordings = ["A jazz drum pattern in latin style", "Jazz drummers' rock pattern"]
    every = set(range(len(CAPTIONS)))
    found = candidates(index, every, 4, wordings=wordings)
    first, second = len(index), len(index) + 1
    assert [found.wording(each) for each in (first - 1, first, second)] == [None, *wordings]
    assert found.around_caption(first).positions == found.around_caption(0).positions
    assert 2 in found.around_caption(second).positions
    missing = candidates(index, {1}, 4, wordings=wordings)
    assert missing.missing_around(0, first) == missing.missing_around(0, 0)


def test_of_words_that_no_other_caption_has_only_the_caption_itself_is_left() -> None:
    index = JSONIndex()
    rows = np.eye(2, 8, dtype=np.float32)
    index.add(["item0", "item1"], rows, ["one", "other"], [0.0] * 2, [1.0] * 2)
    assert candidates(index, {0, 1}, 4).around_caption(0).positions == [0]


def test_what_sounds_like_a_prediction_is_found_by_latents_where_these_are_known(index: JSONIndex) -> None:
    """It is available, so that it tells nothing of how many are."""
    latents = torch.randn(len(CAPTIONS), 3, 8, generator=torch.Generator().manual_seed(0))
    means = {f"item{n}": each for n, each in enumerate(latents)}
    available = {*range(0, len(CAPTIONS), 2)}
    found = candidates(index, available, 6, embedder=Meaning(), coarse=CoarseLatents.of(means, 1))
    (sounding,) = found.sounding_like(latents[[12]])  # decodes nothing
    assert sounding[0] == 12
    assert {*sounding} <= available
    around = found.around(0, sounding)
    assert 12 in around.positions
    assert {*around.positions} <= available
    assert around.share == pytest.approx(0.5, abs=0.3)
    everything = candidates(index, {*range(len(CAPTIONS))}, 6, embedder=Meaning())
    assert everything.around(0, sounding).share == 1.0


class Meaning:
    """Reads a caption as the direction of its first word."""

    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        first = [zlib.crc32(text.split()[0].encode()) % 8 for text in texts]
        return torch.eye(8)[first]


@pytest.mark.parametrize("count", [FEWEST - 1, 60])
def test_a_caption_like_those_of_the_index_fits_and_words_that_it_does_not_have_do_not(count: int) -> None:
    index = JSONIndex()
    rows = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    captions = [f"{('Harp', 'Flute')[n % 2]} in {'ABCDEFG'[n % 7]}, take {n % 10}" for n in range(count)]
    index.add([f"item{n}" for n in range(count)], rows, captions, [0.0] * count, [1.0] * count)
    meaning = cast(Any, Meaning())

    def fits(prompt: str) -> bool:
        found = candidates(index, set(), 4, prompt, meaning)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            fitting = found.fitting(0)
        assert fitting in ([], found.fallbacks(0))
        assert [prompt in str(each.message) for each in told] == ([] if fitting else [True])
        return bool(fitting)

    assert fits("Flute in C, take 4")
    assert fits("A dog barks") == (count < FEWEST)  # so few captions cannot tell
    assert least_fit(index, meaning) == (-math.inf if count < FEWEST else pytest.approx(1.0, abs=0.6))


def test_fallbacks_sound_like_the_prompt_by_their_words_and_then_have_its_numbers() -> None:
    """The guide's text embedding alone says otherwise: it knows no more than the first word."""
    index = JSONIndex()
    captions = [f"{who} take {n}, {70 + 20 * n} bpm" for who in ("Loud harp", "Soft drum") for n in range(6)]
    rows = np.repeat(np.eye(2, 8, dtype=np.float32), 6, axis=0)
    rows += 0.01 * np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    count = len(captions)
    index.add([f"item{n}" for n in range(count)], rows, captions, [0.0] * count, [1.0] * count)
    found = candidates(index, set(), 4, "Soft harp, 112 bpm", cast(Any, Meaning()))
    order = [captions[position] for position in found.fallbacks(0)]
    assert order[0] == "Loud harp take 2, 110 bpm"
    assert all("harp" in caption for caption in order[:6])


@pytest.mark.parametrize(
    ("prompt", "caption", "near"),
    [
        ("118 bpm", "at 118 bpm", 1.0),
        ("118 bpm", "at 236 bpm", 0.0),
        ("100 bpm", "bars of 4, 100.0 bpm", 1.0),
        ("808 beat, 100 bpm", "An 808, 50 bpm", 0.5),
        ("a harp", "100 bpm", 0.0),
        ("100 bpm", "a harp", 0.0),
        ("0 bpm", "0 bpm", 0.0),
    ],
)
def test_numbers_are_as_near_as_what_is_left_of_an_octave(prompt: str, caption: str, near: float) -> None:
    assert nearness(prompt, caption) == pytest.approx(near)
    assert nearness("120 bpm", "118 bpm") > nearness("120 bpm", "80 bpm") > 0


@pytest.mark.parametrize(
    ("prompt", "fits"),
    [
        ("Lonely trumpet call over an empty square", True),
        ("marimba answering machine", True),
        ("808 drum loop, 140 bpm", True),
        ("Rain on a roof", False),
        ("A dog barks twice", False),
        ("Sine tone at 1100 Hz", False),
    ],
)
def test_the_bundled_training_set_has_captions_for_its_instruments_and_for_no_other_sound(
    prompt: str, fits: bool
) -> None:
    index, embedder = Index.open(TINY / "index.json"), load_embedder(TINY / "guide")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuidanceWarning)
        assert bool(candidates(index, set(), 4, prompt, embedder).fitting(0)) is fits
