"""Whatever writes, wherever it ends: nothing is lost, double or torn, and the next one goes on."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_writers import EXITED, NOBODY, REFUSED, ForkedWriters
from writers import WRITERS, before, state

from unheard import audio
from unheard.studio.takes import GUIDED, UNGUIDED, Takes

pytestmark = pytest.mark.drill

RESULT_FOLDERS = ("results", "results/parts", "results/judgements", "results/sounds", "report", "cache")


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedWriters]:
    with ForkedWriters(tmp_path_factory.mktemp("scratch")) as writers:
        yield writers


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    before(folder)
    return folder


@pytest.fixture
def both(forked: ForkedWriters, filled: Path, tmp_path: Path, writer: str) -> tuple[Any, Any]:
    """What is there before an undisturbed writer, and after it."""
    whole = shutil.copytree(filled, tmp_path / "whole")
    assert forked.ask(writer, whole) == (0, "")
    return state(filled), state(whole)


def check(found: dict[str, Any], old: dict[str, Any], new: dict[str, Any], last: str) -> bool:
    """That each thing is wholly as it was or wholly as it was to be; whether all is as it was to be."""
    for name in {*found, *old, *new}:
        present = found.get(name)
        if isinstance(new.get(name), tuple) and present is not None:
            rows, prints, problems = present
            assert problems == [], last
            assert rows in ([], *(each[name][0] for each in (old, new) if name in each)), last
            assert set(prints) <= set(old.get(name, new[name])[1]) | set(new[name][1]), last
        else:
            assert present in (old.get(name), new.get(name)), (name, last)
    return found == new


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_that_exits_after_any_write_leaves_all_whole(
    forked: ForkedWriters, filled: Path, tmp_path: Path, writer: str, both: tuple[Any, Any]
) -> None:
    old, new = both
    exits = []
    for writes in range(1, 500):
        folder = shutil.copytree(filled, tmp_path / str(writes))
        status, last = forked.ask(writer, folder, writes=writes)
        if status == 0:
            break
        assert status == EXITED, last
        exits.append(last)
        if not check(state(folder), old, new, f"{exits}"):
            assert forked.ask(writer, folder) == (0, ""), exits
            assert state(folder) == new, exits
        shutil.rmtree(folder)
    assert exits


def test_a_take_that_is_cut_short_leaves_whole_sounds_and_the_next_its_number(
    forked: ForkedWriters, tmp_path: Path
) -> None:
    for writes in range(1, 500):
        folder = tmp_path / str(writes)
        folder.mkdir()
        status, last = forked.ask("take", folder, writes=writes)
        takes = Takes(folder / "takes")
        before = takes.all()
        for path in (path for each in before for path in each.paths.values()):
            assert audio.read(path)[0].shape == (1, 2000), last
        if status == 0:
            break
        assert forked.ask("take", folder) == (0, ""), last
        after = takes.all()
        assert after[1:] == before, last
        assert after[0].paths.keys() == {GUIDED, UNGUIDED}, last
    assert writes > 5


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_killed_at_random_moments_leaves_all_whole(
    forked: ForkedWriters, filled: Path, tmp_path: Path, writer: str, both: tuple[Any, Any]
) -> None:
    old, new = both
    moment = random.Random(20261126)
    for kill in range(20):
        folder = shutil.copytree(filled, tmp_path / str(kill))
        forked.ask(writer, folder, seconds=moment.uniform(0, 0.3))
        if not check(state(folder), old, new, str(kill)):
            assert forked.ask(writer, folder) == (0, "")
            assert state(folder) == new
        shutil.rmtree(folder)


@pytest.mark.parametrize("limit", [0, 100, 1000])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_all_whole(
    forked: ForkedWriters, filled: Path, tmp_path: Path, writer: str, limit: int, both: tuple[Any, Any]
) -> None:
    old, new = both
    folder = shutil.copytree(filled, tmp_path / "full")
    status, said = forked.ask(writer, folder, bytes=limit)
    assert status in (0, REFUSED), said
    assert "\n" not in said
    check(state(folder), old, new, said)
    assert forked.ask(writer, folder) == (0, "")
    if writer not in ("add to JSON", "remove from JSON") or status == REFUSED:
        assert state(folder) == new


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be nobody")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_cannot_be_written_is_one_line(
    forked: ForkedWriters, filled: Path, tmp_path: Path, writer: str
) -> None:
    folder = shutil.copytree(filled, tmp_path / "read only")
    folder.chmod(0o755)
    for path in (*tmp_path.parents, tmp_path):
        if path.stat().st_uid == os.geteuid() and path.name.startswith(("pytest", "test_")):
            path.chmod(0o755)
    assert folder.stat().st_uid != NOBODY
    status, said = forked.ask(writer, folder, nobody=True)
    assert (status, "\n" in said) == (REFUSED, False), said
    assert state(folder) == state(filled)
