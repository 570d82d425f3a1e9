"""What is asked for is checked before any work is done."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unheard
from unheard import Detour, Guidance, IndexFileError, InputError, Sampling, Volumetric
from unheard.generation.request import (
    MAX_BATCH,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    Request,
    check_batch,
    check_duration,
    check_prompts,
    check_start,
    seeds_for,
)


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path) -> unheard.Model:
    return unheard.load(tiny_model_folder)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ([], "no prompt"),
        (["A bell", ""], "empty"),
        ("x" * 10_000, "10,000 characters: give at most 2,000"),
        (b"A bell", "give a text"),
        (7, "give a text"),
        (None, "give a text"),
        (["A bell", 7], r"prompt is int \(7\)"),
        ([["A bell"]], "prompt is list"),
        ("caf\udce9", "not text"),
        ("a\0b", "not text"),
    ],
)
def test_what_is_no_prompt_is_refused(prompts: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        check_prompts(prompts)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


def test_prompts_pass_unchanged() -> None:
    longest = "x" * MAX_PROMPT_LENGTH
    assert check_prompts("A bell") == ("A bell",)
    assert check_prompts(["Glöckchen 🔔", longest]) == ("Glöckchen 🔔", longest)


@pytest.mark.parametrize("duration", [0, -1, 0.0, 0.009, 4.1, math.inf, math.nan, "4", None, True])
def test_no_such_duration(duration: object) -> None:
    with pytest.raises(InputError, match="duration"):
        check_duration(duration, 4.096, "tiny")


def test_too_long_names_the_limit() -> None:
    with pytest.raises(InputError, match=r"duration is 5 s, but tiny makes at most 4\.096 s"):
        check_duration(5, 4.096, "tiny")


def test_the_longest_duration_is_taken() -> None:
    assert check_duration(4.096, 4.096, "tiny") == 4.096


@pytest.mark.parametrize("start", [-0.1, math.nan, "0"])
def test_no_such_start(start: object) -> None:
    with pytest.raises(InputError, match="start"):
        check_start(start)


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True, MAX_SEED + 1, [0, 1, 2], [0, -1]])
def test_no_such_seed(seed: object) -> None:
    with pytest.raises(InputError, match="seed"):
        seeds_for(["a", "b"], seed)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", True])
def test_no_such_batch(batch: object) -> None:
    with pytest.raises(InputError, match="batch"):
        check_batch(batch, 3)


def test_default_batch_is_capped() -> None:
    assert [check_batch(None, sounds) for sounds in (1, MAX_BATCH, 100)] == [1, MAX_BATCH, MAX_BATCH]
    assert check_batch(100, 3) == 100


def test_a_seed_for_all_counts_up_where_a_prompt_comes_again() -> None:
    assert seeds_for(["a", "b", "a", "a", "b"], 5) == (5, 5, 6, 7, 6)
    assert seeds_for(["a", "b"], [9, 9]) == (9, 9)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.integers(0, 1000))
def test_no_two_sounds_are_the_same(prompts: list[str], seed: int) -> None:
    pairs = list(zip(prompts, seeds_for(prompts, seed), strict=True))
    assert len(set(pairs)) == len(pairs)


@given(st.integers(1, 20), st.integers(1, 8))
def test_batches_hold_every_sound_once_in_order(sounds: int, size: int) -> None:
    prompts = tuple(f"sound {number}" for number in range(sounds))
    request = Request(prompts, tuple(range(sounds)), None, 1.0, 0.0, size, Sampling(), None)
    batches = list(request.batches())
    assert [prompt for batch in batches for prompt in batch.prompts] == list(prompts)
    assert [seed for batch in batches for seed in batch.seeds] == list(range(sounds))
    assert all(len(batch) == size for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= size


def test_a_request_is_a_plain_value(model: unheard.Model) -> None:
    """It compares, travels to another process, and prints what was asked; no index is read for it."""
    options = {"index": Path("nowhere") / "index", "references": ["loops"], "reject": "copy", "seed": 5}
    request = model.request(["A bell", "A bell"], guidance=Detour(), **options)
    assert (
        request
        == pickle.loads(pickle.dumps(request))
        == eval(repr(request), {name: getattr(unheard, name) for name in unheard.__all__})
    )
    assert (request.index, request.references) == (str(Path("nowhere") / "index"), ("loops",))
    assert request.named_references == "loops"
    with pytest.raises(IndexFileError, match="nowhere"):
        model.stream(request)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("detour", Detour()),
        ("volumetric", Volumetric()),
        ("none", None),
        (None, None),
        (Detour(threshold=0.1), Detour(threshold=0.1)),
    ],
)
def test_guidance_by_name(
    model: unheard.Model, given: Guidance | str | None, expected: Guidance | None
) -> None:
    assert model.request("A bell", guidance=given).guidance == expected


def test_the_models_own_guidance_keeps_its_settings_by_name(model: unheard.Model) -> None:
    own = model.defaults.guidance
    assert own is not None
    assert own != type(own)()
    assert model.request("A bell", guidance="auto").guidance == own
    assert model.request("A bell", guidance=own.kind).guidance == own


def test_an_unknown_name_says_what_was_meant(model: unheard.Model) -> None:
    with pytest.raises(InputError, match=r"unknown guidance .detuor.: did you mean .detour.\?"):
        model.request("A bell", guidance="detuor")


def test_loaded_references_are_no_part_of_a_request(model: unheard.Model) -> None:
    with pytest.raises(InputError, match=r"a request takes paths; .* Model\.training_set"):
        model.request("A bell", references=[object()])  # type: ignore[list-item]
