"""Building, interrupted: wherever it ends, it goes on, and no row is lost, double or torn."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus import RATE, noise, write_corpus
from forked_builds import ForkedBuilds, two_at_once
from forked_program import forked
from stored_rows import PRINTS, content

import unheard.index as verbs
from unheard.errors import IndexFileError
from unheard.index.building import builder
from unheard.index.store.fingerprints import FingerprintTable
from unheard.index.store.repair import STAGED
from unheard.index.store.table import Store


@pytest.fixture(scope="session")
def forked_builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedBuilds]:
    with ForkedBuilds(tmp_path_factory.mktemp("scratch")) as builds:
        yield builds


def rejects(uri: Path) -> str | None:
    path = uri / "rejects.jsonl"
    return path.read_text() if path.exists() else None


def files(uri: Path) -> set[tuple[str, str]]:
    """The kinds of files there are: in which of an index's folders, with which ending.

    Without those that Lance was writing when it was killed, which go a day later.
    """
    inside = (path.relative_to(uri) for path in uri.rglob("*") if path.is_file())
    return {(path.parts[0], path.suffix) for path in inside if not STAGED.fullmatch(path.name)}


def check(uri: Path, whole: Path, exits: Sequence[str] = ()) -> None:
    """That an index is what an undisturbed build made, and that nothing else is left in its folder."""
    assert content(uri) == content(whole), exits
    assert rejects(uri) == rejects(whole), exits
    assert files(uri) <= files(whole), exits
    assert verbs.verify(uri) == []


def fingerprints(uri: Path) -> dict[str, list[Any]]:
    found = FingerprintTable(str(uri)).read("test")
    return {sha256: [np.asarray(some).tolist() for some in prints] for sha256, prints in found.items()}


# Exits after any write


def test_a_build_that_exits_after_any_write_goes_on(forked_builds: ForkedBuilds, tmp_path: Path) -> None:
    corpus, embedder = write_corpus(tmp_path / "sounds", 5), two_at_once()
    (corpus / "broken.wav").write_text("no sound")
    forked_builds.at_once([(corpus, tmp_path / "whole")])
    exits: list[str] = []
    for writes in count(1):
        uri = tmp_path / str(writes)
        last = forked_builds.exits_after(writes, corpus, uri)
        if last is None:
            break
        exits.append(last)
        verbs.build(corpus, uri, embedder=embedder, workers=0)
        check(uri, tmp_path / "whole", exits)
    assert exits[:2] == ["LanceDBConnection.create_table", "Ledger.__init__"]
    assert exits.count("Ledger.see") == 6
    assert exits.count("LanceMergeInsertBuilder.execute") >= 3
    assert exits.count("LanceTable.optimize") >= 2
    assert {"Rejects.add", "Rejects.close"} <= set(exits)


def test_a_rebuild_that_exits_after_any_write_goes_on(forked_builds: ForkedBuilds, tmp_path: Path) -> None:
    """Of what is in the index a sound is gone, one changed, two have other captions; two are new."""
    corpus, embedder = write_corpus(tmp_path / "sounds", 6), two_at_once()
    (corpus / "broken.wav").write_text("no sound")
    before = tmp_path / "before"
    verbs.build(corpus, before, embedder=embedder, workers=0)
    made = {row["content_sha256"]: PRINTS for row in content(before)}
    FingerprintTable(str(before)).add("test", made)
    gone, changed = sorted(corpus.rglob("*.flac"))
    gone.unlink()
    soundfile.write(changed, noise(2.2, 99), RATE)
    for path in corpus.rglob("*.ogg"):
        path.with_suffix(".txt").write_text("said otherwise")
    for number, name in enumerate(("broken.wav", "new.wav")):
        soundfile.write(corpus / name, noise(0.6, 100 + number), RATE)

    whole = shutil.copytree(before, tmp_path / "whole")
    forked_builds.at_once([(corpus, whole)], prune=True)
    prints, exits = fingerprints(whole), []
    assert rejects(whole) is None
    assert len(prints) == len(made) - 2
    for writes in count(1):
        uri = shutil.copytree(before, tmp_path / str(writes))
        last = forked_builds.exits_after(writes, corpus, uri, prune=True)
        if last is None:
            break
        exits.append(last)
        verbs.build(corpus, uri, embedder=embedder, workers=0, prune=True)
        check(uri, whole, exits)
        assert prints.items() <= fingerprints(uri).items()
    assert exits.count("Ledger.see") == 7
    assert exits.count("LanceMergeInsertBuilder.execute") >= 3  # what is new, changed, described otherwise
    assert exits.count("LanceTable.delete") == 2  # an item, and fingerprints
    assert exits.count("LanceTable.optimize") >= 2
    assert "Rejects.close" in exits


# Killed at any moment


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.drill)])
def test_a_build_killed_at_random_moments_goes_on(
    forked_builds: ForkedBuilds, kills: int, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "sounds")
    began = time.monotonic()
    forked_builds.at_once([(corpus, tmp_path / "whole")])
    length, moment = time.monotonic() - began, random.Random(20261125)
    number = 0
    while kills:
        if forked_builds.killed_after(moment.uniform(0, length), corpus, tmp_path / str(number)):
            kills -= 1
        else:
            number, length = number + 1, 0.8 * length  # it came to its end before: the next begins afresh
    forked_builds.at_once([(corpus, tmp_path / str(number))])
    for each in range(number + 1):
        check(tmp_path / str(each), tmp_path / "whole")


# Torn


@pytest.mark.parametrize("left", [(), ("_versions",), ("_versions", "data", "_transactions")])
def test_a_build_killed_while_its_store_is_made_begins_again(
    left: tuple[str, ...], corpus: Path, tmp_path: Path, embedder: Any
) -> None:
    verbs.build(corpus, tmp_path / "whole", embedder=embedder, workers=0)
    for name in ("", *left):
        (tmp_path / "index" / "windows.lance" / name).mkdir(parents=True)
    assert not Store.exists(tmp_path / "index")
    with pytest.raises(IndexFileError, match="is no index; make one"):
        Store.open(tmp_path / "index")
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert content(tmp_path / "index") == content(tmp_path / "whole")
    assert verbs.verify(tmp_path / "index") == []


def test_a_first_commit_that_a_power_cut_tore_is_made_again(
    corpus: Path, tmp_path: Path, embedder: Any
) -> None:
    verbs.build(corpus, tmp_path / "whole", embedder=embedder, workers=0)
    Store.create(tmp_path / "index", builder.EmbedderRecord.of(embedder))
    (first,) = (tmp_path / "index").rglob("*.manifest")
    first.write_bytes(first.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="went back to the commit before it"):
        verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert content(tmp_path / "index") == content(tmp_path / "whole")


def test_a_commit_that_a_power_cut_tore_is_built_again(
    corpus: Path, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "ROWS_A_COMMIT", 4)
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    expected = content(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    monkeypatch.setattr(Store, "optimize", lambda self: None)
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    newest = max((tmp_path / "index").rglob("data/*.lance"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="went back to the commit before it"):
        mended = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert mended.added
    assert content(tmp_path / "index") == expected


# Interrupted


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in listed]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_ctrl_c_saves_what_is_finished_and_leaves_no_process(
    tmp_path: Path, guide: Path, embedder: Any
) -> None:
    corpus = write_corpus(tmp_path / "sounds", 150)
    command = ["index", "build", str(corpus), "--out", str(tmp_path / "index"), "--embedder", str(guide)]
    outputs = tmp_path / "out", tmp_path / "err"
    process = forked([*command, "--workers", "1"], tmp_path, *outputs, ROWS_A_COMMIT=4)
    while process.is_alive() and not (
        Store.exists(tmp_path / "index") and len(Store.open(tmp_path / "index"))
    ):
        time.sleep(0.1)
    helpers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    process.join()
    said = outputs[1].read_text()
    assert process.exitcode == 130, said
    assert said.splitlines()[-1] == "unheard: interrupted; what was finished is saved"
    assert helpers
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{helper}").exists() for helper in helpers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{helper}").exists() for helper in helpers)
    done = len({row["id"] for row in content(tmp_path / "index")})
    assert 0 < done < 150
    resumed = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert (resumed.unchanged, resumed.added) == (done, 150 - done)


def test_two_builds_at_once_lose_nothing(forked_builds: ForkedBuilds, tmp_path: Path) -> None:
    folders = [write_corpus(tmp_path / name, 9) for name in ("x", "y")]
    for number, path in enumerate(sorted(folders[1].rglob("*.wav"))):
        path.rename(path.with_name(f"other {number}.wav"))  # so that the two share some ids and not others
    forked_builds.at_once([(folder, tmp_path / "index") for folder in folders])
    ids = {
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.rglob("*.*")
        if path.suffix != ".txt"
    }
    assert {row["id"] for row in content(tmp_path / "index")} == ids
    assert verbs.verify(tmp_path / "index") == []
