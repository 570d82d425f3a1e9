"""What a detour tries, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unheard.guidance.detour.search import BLENDED, Fallback, search


def tried(shut_up_to: dict[int | None, int], fallbacks: int, most: int) -> list[Fallback]:
    """What a search tries where the gate is shut for each caption up to a weight, in tenths."""
    found, answer = [], None
    looking = search(lambda: list(range(fallbacks)), most)
    while (fallback := looking.send(answer)) is not None:
        found.append(fallback)
        answer = round(10 * fallback[1]) > shut_up_to.get(fallback[0], -1)
    return found


@given(shut=st.integers(-1, 9), most=st.integers(0, 9))
def test_the_largest_share_that_shuts_the_gate_is_found_by_halves(shut: int, most: int) -> None:
    found = [share for item, share in tried({0: shut}, 1, most) if item == 0]
    shuts = [share for share in found if round(10 * share) <= shut]
    assert max(shuts, default=None) == (min(shut, most) / 10 if shut >= 0 else None)
    assert len(found) == len(set(found)) <= 5


def test_other_captions_are_blended_before_any_is_taken_alone() -> None:
    assert tried({0: 0, 1: 0, 2: 5}, 3, 5)[-1] == (2, 0.5)
    alone = tried({0: 0, BLENDED: 5}, BLENDED + 1, 5)
    assert alone[-1] == (0, 0.0)
    assert {item for item, _ in alone} == set(range(BLENDED))
    assert tried({}, 2, 0) == [(0, 0.0), (1, 0.0), (None, 0.0)]


def test_a_gate_that_opens_again_takes_less_of_the_prompt_and_then_another_caption() -> None:
    looking = search(lambda: [7, 8], 2)
    assert looking.send(None) == (7, 0.1)
    assert looking.send(False) == (7, 0.2)
    assert looking.send(False) is None
    assert looking.send(True) == (7, 0.1)
    assert looking.send(False) is None
    assert looking.send(True) == (8, 0.1)
    assert looking.send(True) == (7, 0.0)
    assert looking.send(True) == (8, 0.0)
    assert looking.send(True) == (None, 0.0)
    assert looking.send(True) is None
    assert looking.send(True) is None


def test_where_there_is_no_caption_to_go_on_under_none_is_tried_and_the_prompt_is_not_weakened() -> None:
    assert tried({None: 3}, 0, 5) == [(None, 0.0)]
