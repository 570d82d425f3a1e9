"""Residue: likeness to the own recording, against that of others of its kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore, zscore

from unheard import audio
from unheard.auditing.catalogue import Catalogue
from unheard.backbones.hub import ASSETS
from unheard.errors import InputError
from unheard.evaluation.metrics.residue import nearer_than_others, residue
from unheard.evaluation.own_recording import OwnRecording

LIKENESSES = st.lists(st.integers(-50, 50).map(lambda value: value / 10), min_size=5, max_size=40)


@given(LIKENESSES, st.integers(-60, 60).map(lambda value: value / 10))
def test_as_scipy_has_them(others: list[float], likeness: float) -> None:
    found = np.array(others)
    assert nearer_than_others(likeness, found) == pytest.approx(
        percentileofscore(others, likeness, "mean") / 100
    )
    if found.std() == 0:
        assert residue(likeness, found) is None
    else:
        deviations = zscore(found, ddof=1)
        assert residue(float(found[0]), found) == pytest.approx(deviations[0], abs=1e-9)


def test_few_others_have_no_spread() -> None:
    with pytest.raises(InputError, match="against 5 other recordings or more"):
        residue(1.0, np.zeros(4))


def test_a_copy_lies_above_all_others_of_its_kind_and_another_take_does_not() -> None:
    memorised = ASSETS / "tiny" / "memorised"
    paths = {path.stem: path for path in sorted(memorised.glob("*.flac"))[:12]}
    catalogue = Catalogue.from_files(paths)
    measure = OwnRecording(catalogue, ["A bell"] * 12).measure
    own, other = (audio.read(paths[name]) for name in ("00001", "00002"))
    copy, another = (measure(sound, "A bell", [catalogue.number("00001")]) for sound in (own, other))
    assert copy["own_likeness"] > another["own_likeness"]
    assert copy["nearer_than_others"] == 1
    assert copy["residue"] > 3
    assert another["nearer_than_others"] < 1
    of_several = measure(own, "A bell", [catalogue.number(name) for name in ("00003", "00001")])
    assert of_several["own_likeness"] == copy["own_likeness"]
    assert measure(own, "A bell", []) == {}


def test_few_references_are_no_kind(tmp_path: Path) -> None:
    paths = {path.stem: path for path in sorted((ASSETS / "tiny" / "memorised").glob("*.flac"))[:5]}
    catalogue = Catalogue.from_files(paths)
    found = OwnRecording(catalogue, [None] * 5).measure(audio.read(paths["00001"]), "A bell", [1])
    assert [*found] == ["own_likeness"]
