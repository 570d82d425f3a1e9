"""The null distributions of likenesses: who meets whom, and what comes of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from phrases import RATE, phrase

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from lab.alterations import SAMPLE_RATE, at_rate
from lab.audit_material import Specimen
from lab.calibrate_likeness import KINDS, STRANGERS, calibrate, features, pairs, score_at, uncalibrated
from unheard.auditing.likeness.null_distributions import NullDistributions, default


def specimens(families: int = 4, members: int = 3) -> list[Specimen]:
    """Phrases of 3 s; the last two members of a family are excerpts of one piece."""
    found = []
    for family in range(families):
        for member in range(members):
            sound = at_rate(phrase(10 * family + member, seconds=3.0)[0].numpy(), RATE, SAMPLE_RATE)
            piece = f"{family}.{min(member, members - 2)}"
            found.append(Specimen(f"{family}.{member}", f"family {family}", sound, piece))
    return found


def test_relatives_are_of_one_family_and_of_two_pieces() -> None:
    some = specimens()
    met = pairs(some)
    relatives = {(one, other) for sort, one, other in met if sort == "relative"}
    assert relatives == {(0, 1), (0, 2), (3, 4), (3, 5), (6, 7), (6, 8), (9, 10), (9, 11)}
    strangers = [(one, other) for sort, one, other in met if sort == "unrelated"]
    assert len(strangers) == STRANGERS * len(some)
    assert all(some[one].family != some[other].family for one, other in strangers)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    some = specimens()
    heard = [features(uncalibrated(), specimen.sound) for specimen in some]
    found = calibrate(some, heard, "a command", workers=1)
    assert set(found.kinds) == {kind.name for kind in KINDS}
    assert found.made_by["relative_pairs"] == found.kinds["tune"].relatives.pairs == 8
    written = json.dumps(asdict(found))
    (tmp_path / "nulls.json").write_text(written)
    assert json.dumps(asdict(NullDistributions.load(tmp_path / "nulls.json"))) == written


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_the_score_at_a_rate(rate: float) -> None:
    for null in default().kinds.values():
        at = score_at(null, rate)
        assert null.false_alarm_rate(at) < rate <= null.false_alarm_rate(at - 0.05)
        assert np.isfinite(at)
