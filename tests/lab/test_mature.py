"""The mature world: what is planted."""

from __future__ import annotations

from lab.fresh.captions import planted as planted_fresh
from lab.mature.captions import planted
from lab.memorised import MEMORISED
from lab.obedient.captions import is_heard
from lab.obedient.captions import planted as planted_before
from lab.planted.captions import planted as planted_second
from lab.worlds.captions import planted as planted_third


def test_what_is_planted_is_new_and_played_by_what_is_heard() -> None:
    earlier = (*planted_fresh(), *planted_before(), *planted_second(), *planted_third(), *MEMORISED)
    known = {each.caption for each in earlier}
    ours = planted(known)
    assert len({each.caption for each in ours} - known) == 84
    assert sum(each.repetitions >= 128 for each in ours) == 64
    assert sum(each.prose for each in ours) == 42
    assert all(is_heard(next(each.clips())) for each in ours)
