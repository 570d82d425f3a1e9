"""Several processes at one index, from whatever program, and how commands end that did nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import refused, run
from corpus import RATE, noise
from plain_embedder import PlainEmbedder
from stored_rows import PRINTS, content

from unheard import index
from unheard.errors import InputError
from unheard.index.building.builder import Commits
from unheard.index.building.embedded import Embedded
from unheard.index.building.ledger import Ledger
from unheard.index.building.recording import Recording
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.fingerprints import FingerprintTable
from unheard.index.store.table import Store


def write_sounds(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}" / "kick.wav" for number in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        soundfile.write(path, noise(0.3, number), RATE)
    return paths


@pytest.mark.parametrize("name", ["mine.json", "mine"])
def test_adds_at_once_lose_nothing_and_give_ids_of_their_own(tmp_path: Path, name: str) -> None:
    paths = write_sounds(tmp_path / "sounds", 6)

    def add(path: Path) -> None:
        if name.endswith(".json"):
            index.add_sounds(tmp_path / name, [path], "a kick", PlainEmbedder())
        else:
            index.add(tmp_path / name, path, caption="a kick", embedder=PlainEmbedder())

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, paths))
    assert index.info(tmp_path / name).items == 6
    assert not list(tmp_path.glob(".*"))


def test_stores_that_are_made_at_once_are_one(tmp_path: Path) -> None:
    record = EmbedderRecord("plain", 2)
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: Store.open_or_create(tmp_path / "index", record), range(8)))
    assert {store.embedder for store in stores} == {record}


def test_an_id_that_another_process_took_meanwhile_is_told_of(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", EmbedderRecord.of(PlainEmbedder()))
    vectors = np.ones((1, 2), np.float32)
    ours, theirs = (
        Embedded(Recording("a", "a.wav"), digest * 64, 1.0, [(0.0, 1.0)], vectors, [False]) for digest in "01"
    )
    commits = Commits(store, Ledger(store))
    commits.take(ours)
    other = Commits(Store.open(store.uri), Ledger(store))
    other.take(theirs)
    other.write()
    commits.write()
    assert (commits.built.added, commits.built.rejected) == (0, 1)
    assert "another process has brought another sound" in commits.rejects.reasons.lines()[0]
    assert [row["content_sha256"] for row in content(store.uri)] == ["1" * 64]


@pytest.mark.parametrize("given", ["file", "standard input"])
def test_a_script_without_a_main_guard_builds_in_processes(tmp_path: Path, given: str) -> None:
    write_sounds(tmp_path / "s", 3)
    script = (
        "from unheard import index\nfrom plain_embedder import PlainEmbedder\n"
        "print(index.build('s', 'i', embedder=PlainEmbedder(), workers=1).added)\n"
    )
    (tmp_path / "plain.py").write_text(script)
    command = [sys.executable, "plain.py"] if given == "file" else [sys.executable, "-"]
    process = subprocess.run(
        command,
        input=script,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        timeout=300,
        check=False,
    )
    assert (process.stdout, process.returncode) == ("3\n", 0), process.stderr


def test_processes_that_cannot_be_started_blame_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sounds(tmp_path / "s", 3)
    monkeypatch.setattr("unheard.index.building.workers._start_worker", os.abort)
    with pytest.raises(InputError, match="end as soon as they are started: decode in this one"):
        index.build(tmp_path / "s", tmp_path / "i", embedder=PlainEmbedder(), workers=2)


def test_commands_that_did_nothing_say_so(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    build = ("--out", "i", "--workers", 0, "--embedder", guide)
    refused(run("index", "build", "empty", *build), "there is no sound in the sources")
    for name in ("a.wav", "b.wav"):
        (tmp_path / "empty" / name).write_text("no sound")
    result = run("index", "build", "empty", *build)
    assert result.exit_code == 2
    assert "2 left out: " in result.stdout
    assert "a.wav" in result.stdout
    soundfile.write("empty/c.wav", noise(0.3, 1), RATE)
    told = json.loads(run("index", "build", "empty", *build, "--json").stdout)
    assert (told["seen"], told["taken"], sum(told["left_out"].values())) == (3, 1, 2)
    assert run("index", "remove", "i", "c.wav").exit_code == 0
    result = run("index", "remove", "i", "c.wav")
    assert (result.exit_code, result.stderr) == (2, "unheard: i has no item 'c.wav'\n")


def test_an_empty_index_is_found_out_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unheard.embedders import BUNDLED_EMBEDDER, load_embedder

    Store.create(tmp_path / "empty", EmbedderRecord.of(load_embedder(BUNDLED_EMBEDDER)))
    monkeypatch.chdir(tmp_path)
    refused(
        run("generate", "A bell", "--index", "empty", "--num-inference-steps", 1), "empty is empty, or all"
    )


def test_a_build_forgets_what_a_removal_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It died between an item and its fingerprints, and the item is no longer there to be removed."""
    write_sounds(tmp_path / "s", 2)
    uri, embedder = tmp_path / "i", PlainEmbedder()
    index.build(tmp_path / "s", uri, embedder=embedder, workers=0)
    contents = [row["content_sha256"] for row in content(uri)]
    table = FingerprintTable(str(uri))
    table.add("test", dict.fromkeys(contents, PRINTS))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "forget_removed", lambda self: None)
        index.remove(uri, ["1/kick.wav"])
    assert set(table.read("test")) == set(contents)
    (tmp_path / "s" / "1" / "kick.wav").unlink()
    index.build(tmp_path / "s", uri, embedder=embedder, workers=0, prune=True)
    assert len(table.read("test")) == 1


@pytest.mark.parametrize("moved", [False, True])
def test_recordings_are_found_from_elsewhere_and_after_both_were_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    write_sounds(project / "s", 2)
    other.mkdir()
    monkeypatch.chdir(project)
    index.build("s", "i", embedder=PlainEmbedder(), workers=0)
    monkeypatch.chdir(other)
    if moved:
        project = project.rename(tmp_path / "renamed")
    store = Store.open(project / "i")
    sources: list[Any] = [row["source"] for row in content(project / "i")]
    assert all(Path(source).is_absolute() for source in sources)
    located = [store.locate(source) for source in sources]
    assert located == [str(project / "s" / str(number) / "kick.wav") for number in range(2)]
    assert store.locate("s/0/kick.wav") == str(project / "s" / "0" / "kick.wav"), (
        "as earlier versions have it"
    )
    assert store.locate("s/9/kick.wav") is None
