"""Some of the damaged inputs that `python -m benchmarks.mutations` reads by the ten thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutations.children import Failure, attempt, failures
from benchmarks.mutations.damage import damaged
from benchmarks.mutations.families import FAMILIES

COUNT = 60
OF_SLOW = {"claps": 8, "configurations": 30, "gate heads": 20, "stores": 20}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_inputs_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    for number in range(OF_SLOW.get(name, COUNT)):
        (folder := tmp_path / str(number)).mkdir()
        assert attempt(family, number, folder) is None, number


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_good_inputs_are_read_and_damage_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    for number, (file, content) in enumerate(family.good().items()):
        path = tmp_path / str(number) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        family.read(path)
    for number in range(20):
        file, content = damaged(family, number)
        assert (file, content) == damaged(family, number)
        assert file in family.good()
    assert len({damaged(family, number) for number in range(20)}) > 10


def test_children_read_to_the_end() -> None:
    found = list(failures("toml", 0, 20))
    assert max(peak for peak in found if isinstance(peak, int)) > 0
    # where the machine is busy, an input may be slow by the clock
    assert not [each for each in found if isinstance(each, Failure) and each.how != "hang"]
