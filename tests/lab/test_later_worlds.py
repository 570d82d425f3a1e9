"""The fresh and the mature world: what is planted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.fresh.captions import planted as planted_fresh
from lab.mature.captions import planted as planted_mature
from lab.memorised import MEMORISED
from lab.obedient.captions import is_heard
from lab.obedient.captions import planted as planted_before
from lab.planted.captions import Planted
from lab.planted.captions import planted as planted_second
from lab.worlds.captions import planted as planted_third


@pytest.mark.parametrize(
    ("planted", "since"), [(planted_fresh, ()), (planted_mature, planted_fresh())], ids=["fresh", "mature"]
)
def test_what_is_planted_is_new_and_played_by_what_is_heard(
    planted: Callable[..., list[Planted]], since: list[Planted]
) -> None:
    earlier = (*since, *planted_before(), *planted_second(), *planted_third(), *MEMORISED)
    known = {each.caption for each in earlier}
    ours = planted(known)
    assert len({each.caption for each in ours} - known) == 84
    assert sum(each.repetitions >= 128 for each in ours) == 64
    assert sum(each.prose for each in ours) == 42
    assert all(is_heard(next(each.clips())) for each in ours)
