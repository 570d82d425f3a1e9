"""Building: interrupted anywhere it ends as if undisturbed; bad files are named; rows are the same bits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from click.testing import CliRunner, Result
from ctrl_c import heeding
from dying_decoder import die_of_killers
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_embedder import PlainEmbedder
from shards import write_members
from stored_rows import content
from tiny_world import build_tiny_clap

import unheard.index as verbs
from unheard import audio
from unheard.cli import main
from unheard.embedders import load_embedder
from unheard.errors import IndexFileError, InputError
from unheard.index import Index
from unheard.index.building import builder, decoding, workers
from unheard.index.building.decoding import Job, decode, resampled
from unheard.index.building.recording import Recording
from unheard.index.store.table import Store

RATE = 16_000


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_clap(tmp_path_factory.mktemp("clap") / "guide")


@pytest.fixture(scope="session")
def embedder(guide: Path) -> Any:
    return load_embedder(guide)


def noise(seconds: float, seed: int, rate: int = RATE, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * rate), channels))


def write_corpus(folder: Path, count: int = 12) -> Path:
    """Sounds of several lengths, rates and formats, every third with a caption; some beyond a window."""
    for number in range(count):
        path = folder / f"group {number % 3}" / f"sound {number:03d}.{('wav', 'flac', 'ogg')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = (RATE, 44_100, 22_050)[number % 3]
        soundfile.write(path, noise(0.3 + 0.4 * (number % 7), number, rate, 1 + number % 2), rate)
        if number % 3 == 0:
            path.with_suffix(".txt").write_text(f"caption {number}")
    return folder


def rows(uri: str | Path) -> list[dict[str, Any]]:
    return content(Store.open(uri))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "sounds")


# What is built


def test_a_row_is_what_the_embedder_hears(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    built = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    found = rows(tmp_path / "index")
    assert (built.added, built.windows, built.rejected, built.rejects) == (12, len(found), 0, None)
    assert {row["id"] for row in found} == {
        path.relative_to(corpus).as_posix()
        for path in corpus.rglob("*")
        if path.suffix in (".wav", ".flac", ".ogg")
    }
    for identifier in {row["id"] for row in found}:
        mine = [row for row in found if row["id"] == identifier]
        waveform, rate = audio.read(corpus / identifier)
        heard = soxr.resample(waveform.mean(dim=0).numpy(), rate, RATE)[: waveform.shape[-1] * RATE // rate]
        starts, vectors = embedder.embed_windows(torch.from_numpy(heard)[None], RATE)
        seconds = waveform.shape[-1] / rate
        np.testing.assert_allclose([row["embedding"] for row in mine], vectors, atol=1e-4)
        assert [row["window_start"] for row in mine] == starts.tolist()
        assert mine[-1]["window_end"] == seconds
        number = int(identifier[-7:-4] if identifier[-4] == "." else identifier[-8:-5])
        assert mine[0]["prompt"] == (f"caption {number}" if number % 3 == 0 else None)
        assert (mine[0]["seconds_start"], mine[0]["seconds_total"]) == (0.0, seconds)
        assert mine[0]["source"] == str(corpus / identifier)
    assert verbs.verify(tmp_path / "index") == []
    info = verbs.info(tmp_path / "index")
    assert (info.items, info.windows, info.uncaptioned, info.silent) == (12, len(found), 8, 0)
    assert info.embedder["name"] == "guide"
    assert info.embedder["sha256"] == embedder.sha256
    assert info.seconds == pytest.approx(built.seconds)


def test_the_same_bits_whatever_the_workers_the_order_and_the_commits(
    corpus: Path, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs.build(corpus, tmp_path / "one", embedder=embedder, workers=0)
    verbs.build(corpus, tmp_path / "two", embedder=embedder, workers=2)
    monkeypatch.setattr(builder, "ROWS_A_COMMIT", 1)
    parts = sorted(corpus.rglob("*.*"), reverse=True)
    for path in parts:
        if path.suffix != ".txt":
            verbs.build(corpus / path.relative_to(corpus), tmp_path / path.stem, embedder=embedder, workers=0)
    expected = rows(tmp_path / "one")
    assert rows(tmp_path / "two") == expected
    alone = [row for path in parts if path.suffix != ".txt" for row in rows(tmp_path / path.stem)]
    digests = {(Path(row["source"]).name, row["window"]): row["embedding"] for row in alone}
    assert digests == {(Path(row["source"]).name, row["window"]): row["embedding"] for row in expected}
    assert verbs.info(tmp_path / "one").checksum == verbs.info(tmp_path / "two").checksum


def test_what_is_done_is_not_done_again_and_what_changed_is(
    corpus: Path, tmp_path: Path, embedder: Any
) -> None:
    index, captions = tmp_path / "index", tmp_path / "captions.jsonl"
    verbs.build(corpus, index, embedder=embedder, workers=0)
    before = {(row["id"], row["window"]): row for row in rows(index)}
    again = verbs.build(corpus, index, embedder=embedder, workers=0)
    assert (again.unchanged, again.added, again.windows) == (12, 0, 0)

    changed, gone, new = [*sorted(corpus.rglob("*.wav"))[:2], corpus / "new.wav"]
    soundfile.write(changed, noise(2.2, 99), RATE)
    soundfile.write(new, noise(0.2, 98), RATE)
    gone.unlink()
    recaptioned = next(corpus.rglob("*.flac")).relative_to(corpus).as_posix()
    line = {"path": recaptioned, "prompt": "änders", "seconds_total": 47.0, "licence": "CC0"}
    captions.write_text(json.dumps(line), encoding="utf-8")
    third = verbs.build(corpus, index, captions=captions, embedder=embedder, workers=0)
    assert (third.added, third.changed, third.redescribed, third.unchanged) == (1, 1, 1, 9)
    after = {(row["id"], row["window"]): row for row in rows(index)}
    names = {path.relative_to(corpus).as_posix() for path in (changed, new)}
    for key, row in after.items():
        if key[0] == recaptioned:
            assert (row["prompt"], row["seconds_total"]) == ("änders", 47.0)
            assert json.loads(row["further"]) == {"licence": "CC0"}
            assert row["embedding"] == before[key]["embedding"]
        elif key[0] not in names:
            assert row == before[key]
    assert sum(row["id"] == changed.relative_to(corpus).as_posix() for row in after.values()) == 4
    gone_id = gone.relative_to(corpus).as_posix()
    assert gone_id in {row["id"] for row in after.values()}
    assert verbs.verify(index) == []

    pruned = verbs.build(corpus, index, captions=captions, embedder=embedder, workers=0, prune=True)
    assert pruned.removed == 1
    assert gone_id not in {row["id"] for row in rows(index)}
    fresh = verbs.build(corpus, tmp_path / "fresh", captions=captions, embedder=embedder, workers=0)
    assert fresh.added == 12
    assert rows(tmp_path / "fresh") == rows(index)


def test_a_long_recording_is_found_at_its_place(tmp_path: Path, embedder: Any) -> None:
    sound = noise(7.3, 5)
    soundfile.write(tmp_path / "long.wav", sound, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "part.wav", sound[3 * RATE : 4 * RATE], RATE, subtype="FLOAT")
    verbs.build(tmp_path / "long.wav", tmp_path / "index", embedder=embedder, workers=0)
    starts = [row["window_start"] for row in rows(tmp_path / "index")]
    assert starts == sorted(starts)
    assert max(np.diff(starts)) <= 0.5
    index = Index.open(tmp_path / "index")
    vectors = index.vectors(torch.arange(len(index)))
    waveform, rate = audio.read(tmp_path / "long.wav")
    nearest, similarity = index.nearest(vectors[6], 5)[0]
    assert similarity == pytest.approx(1, abs=1e-6)
    assert (nearest.id, nearest.window_start) == ("long.wav", starts[6])
    peak = waveform.abs().max()
    first = round(starts[6] * rate)
    window = embedder.embed_batch(waveform[:, first : first + rate] / peak)
    torch.testing.assert_close(window[0], vectors[6], atol=2e-5, rtol=0)
    (found, _), *others = verbs.search(tmp_path / "index", audio=tmp_path / "part.wav", embedder=embedder)
    assert found.id == "long.wav"
    assert not others  # windows of one item are one answer


def test_another_embedder_is_refused_with_both_named(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    other = load_embedder(build_tiny_clap(tmp_path / "judge", seed=1))
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    for action in (
        lambda: verbs.build(corpus, tmp_path / "index", embedder=other, workers=0),
        lambda: verbs.add(tmp_path / "index", corpus, embedder=other),
        lambda: verbs.search(tmp_path / "index", text="x", embedder=other),
        lambda: Index.open(tmp_path / "index").check_embedder(other),
    ):
        with pytest.raises(IndexFileError, match=r"'guide' .* 'judge'"):
            action()


# Bad files


def write_bad(folder: Path) -> dict[str, str]:
    """One file of every bad kind, and what its reject has to say."""
    soundfile.write(folder / "whole.flac", noise(2, 1), RATE)
    soundfile.write(folder / "whole.wav", noise(2, 2), RATE)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("no sound at all")
    (folder / "cut.flac").write_bytes((folder / "whole.flac").read_bytes()[:20_000])
    (folder / "cut.wav").write_bytes((folder / "whole.wav").read_bytes()[:20_000])
    (folder / "header.wav").write_bytes((folder / "whole.wav").read_bytes()[:30])
    soundfile.write(folder / "none.wav", np.zeros((0, 1)), RATE)
    soundfile.write(folder / "short.wav", np.ones((1, 1)), 96_000)
    spoilt = noise(0.5, 3)
    spoilt[70] = np.nan
    soundfile.write(folder / "nan.wav", spoilt, RATE, subtype="FLOAT")
    soundfile.write(folder / "inf.wav", spoilt * 0 + np.inf, RATE, subtype="FLOAT")
    (folder / "apple.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    (folder / "locked.txt").write_bytes(b"\xff\xff")
    soundfile.write(folder / "locked.wav", noise(0.5, 4), RATE)
    (folder / "link.wav").symlink_to(folder / "nowhere.wav")
    for name in ("whole.flac", "whole.wav"):
        (folder / name).rename(folder / f"good {name}")
    return {
        "empty.wav": "empty",
        "text.mp3": "no sound",
        "cut.flac": "",
        "cut.wav": "truncated",
        "header.wav": "",
        "none.wav": "no samples",
        "short.wav": "too short",
        "nan.wav": "NaN or infinity at sample 70",
        "inf.wav": "NaN or infinity at sample 0",
        "apple.m4a": "convert it",
        "locked.wav": "beside it",
        "link.wav": "No such file",
    }


@pytest.mark.parametrize("workers", [0, 1])
def test_every_bad_kind_is_left_out_and_named(tmp_path: Path, embedder: Any, workers: int) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    expected = write_bad(folder)
    soundfile.write(folder / "silent.wav", np.zeros((RATE, 1)), RATE)
    built = verbs.build(folder, tmp_path / "index", embedder=embedder, workers=workers)
    assert (built.added, built.rejected, built.silent) == (3, len(expected), 1)
    assert built.rejects == str(tmp_path / "index" / "rejects.jsonl")
    rejects = [json.loads(line) for line in Path(built.rejects).read_text(encoding="utf-8").splitlines()]
    reasons = {Path(reject["source"]).name: reject["reason"] for reject in rejects}
    assert set(reasons) == set(expected)
    for name, part in expected.items():
        assert part in reasons[name], name
        assert "\n" not in reasons[name]
    index = Index.open(tmp_path / "index")
    assert set(index.ids) == {"good whole.flac", "good whole.wav"}
    assert {row["id"] for row in rows(tmp_path / "index") if row["silent"]} == {"silent.wav"}

    with pytest.raises(InputError, match=r"apple\.m4a: .*--strict"):
        verbs.build(folder, tmp_path / "index", embedder=embedder, workers=workers, strict=True)
    for name in expected:
        (folder / name).unlink()
    mended = verbs.build(folder, tmp_path / "index", embedder=embedder, workers=0, strict=True)
    assert (mended.unchanged, mended.rejects) == (3, None)
    assert not (tmp_path / "index" / "rejects.jsonl").exists()


def test_a_double_id_is_left_out_and_the_first_stays(tmp_path: Path, embedder: Any) -> None:
    for name, seed in (("a/x.wav", 1), ("b/x.wav", 2)):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, noise(0.3, seed), RATE)
    for _ in range(2):
        built = verbs.build([tmp_path / "a", tmp_path / "b"], tmp_path / "i", embedder=embedder, workers=0)
        assert built.rejected == 1
        assert [row["source"] for row in rows(tmp_path / "i")] == [str(tmp_path / "a" / "x.wav")]
    assert "'x.wav' came before" in (tmp_path / "i" / "rejects.jsonl").read_text()


class Overflowing(PlainEmbedder):
    """Gives no numbers for what is below zero, as an embedder in half precision may for some sounds."""

    def vectors(self, sounds: torch.Tensor) -> torch.Tensor:
        return torch.where(sounds.amax(dim=1, keepdim=True) > 0, torch.tensor([0.6, 0.8]), torch.nan)


def test_an_embedding_that_is_no_number_costs_nothing_else(tmp_path: Path) -> None:
    for name, level in (("a.wav", 0.5), ("b.wav", -0.5), ("c.wav", 0.5)):
        soundfile.write(tmp_path / name, np.full((100, 1), level), RATE)
    built = verbs.build(tmp_path, tmp_path / "index", embedder=Overflowing("overflowing"), workers=0)
    assert (built.added, built.rejected) == (2, 1)
    assert "no numbers" in Path(str(built.rejects)).read_text()
    assert Index.open(tmp_path / "index").ids == ["a.wav", "c.wav"]


def test_a_sound_that_kills_its_decoder_is_left_out(
    corpus: Path, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(corpus / "group 1" / "killer.wav", noise(0.3, 0), RATE)
    monkeypatch.setattr(workers, "decode", die_of_killers)
    built = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=2)
    assert (built.added, built.rejected) == (12, 1)
    assert "killed the process" in Path(str(built.rejects)).read_text()


# Interruption

KILLED = 20
DRILL = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from unheard import index
from unheard.embedders import load_embedder
from unheard.index.building import builder

# Children are forked with the embedder loaded, but before LanceDB is, whose threads would not survive it.
corpus, folder, guide, kills = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
builder.ROWS_A_COMMIT = 2
builder.WRITES_BETWEEN_COMPACTIONS = 3
embedder = load_embedder(guide)
embedder.sha256
moment = random.Random(20261125)


def start(uri):
    heard, say = os.pipe()
    child = os.fork()
    if child == 0:
        import lancedb, pyarrow.compute
        os.write(say, b"!")
        index.build(corpus, uri, embedder=embedder, workers=0)
        os._exit(0)
    os.close(say)
    os.read(heard, 1)
    os.close(heard)
    return child


began = time.monotonic()
assert os.waitpid(start(folder / "undisturbed"), 0)[1] == 0
length, number = time.monotonic() - began, 0
while kills:
    child = start(folder / str(number))
    time.sleep(moment.uniform(0, length))
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == signal.SIGKILL:
        kills -= 1
    else:
        number, length = number + 1, 0.8 * length  # it came to its end before: the next begins afresh
assert os.waitpid(start(folder / str(number)), 0)[1] == 0
print(number + 1)
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(builder.__file__).parents[3]), "OMP_NUM_THREADS": "1"}


def test_killed_at_twenty_moments_it_ends_with_the_rows_of_an_undisturbed_build(
    corpus: Path, tmp_path: Path, guide: Path
) -> None:
    arguments = [str(corpus), str(tmp_path), str(guide), str(KILLED)]
    result = subprocess.run(
        [sys.executable, "-c", DRILL, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    expected = rows(tmp_path / "undisturbed")
    for number in range(int(result.stdout)):
        assert rows(tmp_path / str(number)) == expected
        assert verbs.verify(tmp_path / str(number)) == []


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
    assert rows(tmp_path / "index") == rows(tmp_path / "whole")
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
    assert rows(tmp_path / "index") == rows(tmp_path / "whole")


def test_a_commit_that_a_power_cut_tore_is_built_again(
    corpus: Path, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "ROWS_A_COMMIT", 4)
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    expected = rows(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    monkeypatch.setattr(Store, "optimize", lambda self: None)
    verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    newest = max((tmp_path / "index").rglob("data/*.lance"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="went back to the commit before it"):
        mended = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert mended.added
    assert rows(tmp_path / "index") == expected


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in listed]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_ctrl_c_saves_what_is_finished_and_leaves_no_process(
    tmp_path: Path, guide: Path, embedder: Any
) -> None:
    corpus = write_corpus(tmp_path / "sounds", 150)
    command = ["index", "build", str(corpus), "--out", str(tmp_path / "index"), "--embedder", str(guide)]
    program = "import sys; from unheard.index.building import builder; builder.ROWS_A_COMMIT = 4; "
    program += "from unheard.cli import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command, "--workers", "1"],
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
        **heeding(),
    )
    while process.poll() is None and not (
        Store.exists(tmp_path / "index") and len(Store.open(tmp_path / "index"))
    ):
        time.sleep(0.1)
    helpers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == b"unheard: interrupted; what was finished is saved"
    assert helpers
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{helper}").exists() for helper in helpers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{helper}").exists() for helper in helpers)
    done = len({row["id"] for row in rows(tmp_path / "index")})
    assert 0 < done < 150
    resumed = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    assert (resumed.unchanged, resumed.added) == (done, 150 - done)


def test_two_builds_at_once_lose_nothing(tmp_path: Path, guide: Path, embedder: Any) -> None:
    folders = [write_corpus(tmp_path / name, 9) for name in ("x", "y")]
    for number, path in enumerate(sorted(folders[1].rglob("*.wav"))):
        path.rename(path.with_name(f"other {number}.wav"))  # so that the two share some ids and not others
    Store.create(tmp_path / "index", builder.EmbedderRecord.of(embedder))
    program = "import sys; from unheard import index; from unheard.index.building import builder; "
    program += "builder.ROWS_A_COMMIT = 2; index.build(*sys.argv[1:3], embedder=sys.argv[3], workers=0)"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), str(tmp_path / "index"), str(guide)],
            env=environment(),
        )
        for folder in folders
    ]
    assert [process.wait() for process in both] == [0, 0]
    ids = {
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.rglob("*.*")
        if path.suffix != ".txt"
    }
    assert {row["id"] for row in rows(tmp_path / "index")} == ids
    assert verbs.verify(tmp_path / "index") == []


# Decoding


@settings(max_examples=15, deadline=None)
@given(
    rates=st.sampled_from(
        [(48_000, 16_000), (44_100, 16_000), (16_000, 44_100), (22_050, 48_000), (8_000, 8_000)]
    ),
    length=st.integers(1, 9000),
    block=st.integers(700, 4000),
)
def test_resampling_in_blocks_is_resampling(rates: tuple[int, int], length: int, block: int) -> None:
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    expected = soxr.resample(samples, *rates)[: length * rates[1] // rates[0]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BLOCK", block)
        blocks = (samples[start : start + block] for start in range(0, length, block))
        pieces = list(resampled(blocks, *rates))
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-5)


def test_a_long_recording_goes_through_a_file_and_leaves_none(
    tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.flac", noise(9, 1, 44_100, 2), 44_100)
    verbs.build(tmp_path / "long.flac", tmp_path / "held", embedder=embedder, workers=0)
    monkeypatch.setattr(decoding, "HELD_SAMPLES", 20_000)
    (tmp_path / "scratch").mkdir()
    job = Job(Recording("x", str(tmp_path / "long.flac")), RATE, None, str(tmp_path / "scratch"))
    decoded = decode(job)
    assert isinstance(decoded, decoding.Decoded)
    assert isinstance(decoded.samples, str)
    assert len(decoded.open()) == 9 * RATE
    decoded.close()
    verbs.build(tmp_path / "long.flac", tmp_path / "spooled", embedder=embedder, workers=0)
    assert rows(tmp_path / "spooled") == rows(tmp_path / "held")
    assert not list((tmp_path / "scratch").iterdir())


def test_shards_build_as_their_files_do(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    files = sorted(corpus.rglob("*.*"))
    write_members(
        tmp_path / "all.tar", {path.relative_to(corpus).as_posix(): path.read_bytes() for path in files}
    )
    verbs.build(tmp_path / "all.tar", tmp_path / "sharded", embedder=embedder, workers=1)
    verbs.build(corpus, tmp_path / "filed", embedder=embedder, workers=0)
    filed = {(Path(row["id"]).stem, row["window"]): row for row in rows(tmp_path / "filed")}
    sharded = {(Path(row["id"]).name, row["window"]): row for row in rows(tmp_path / "sharded")}
    assert set(filed) == set(sharded)
    for key, row in sharded.items():
        for name in ("embedding", "prompt", "window_end", "content_sha256"):
            assert row[name] == filed[key][name]


# Adding, and the command line


def test_added_sounds_get_ids_of_their_own(tmp_path: Path, embedder: Any) -> None:
    for name, seed in (("a/kick.wav", 1), ("b/kick.wav", 2)):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, noise(0.3, seed), RATE)
    index = tmp_path / "index"
    assert verbs.add(index, [tmp_path / "a/kick.wav"], caption="a kick", embedder=embedder).added == 1
    assert verbs.add(index, [tmp_path / "b/kick.wav"], caption="", embedder=embedder).added == 1
    again = verbs.add(index, tmp_path / "a", caption="one more", embedder=embedder)
    assert (again.added, again.redescribed) == (0, 1)
    assert [(row["id"], row["prompt"]) for row in rows(index)] == [
        ("kick-2.wav", ""),
        ("kick.wav", "one more"),
    ]
    assert verbs.remove(index, ["kick.wav", "gone"]) == 1


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_from_a_folder_to_an_answer_on_the_command_line(
    corpus: Path, run: Callable[..., Result], guide: Path
) -> None:
    (corpus / "broken.wav").write_text("x")
    built = run("index", "build", corpus, "--out", "mine", "--embedder", guide, "--workers", 0)
    assert built.exit_code == 0, built.output
    assert "mine: 12 added, 1 left out" in built.stdout
    assert "9 have no caption" not in built.stdout
    assert "8 have no caption" in built.stdout
    assert "mine/rejects.jsonl" in built.stdout
    again = json.loads(run("index", "build", corpus, "--out", "mine", "--embedder", guide, "--json").stdout)
    assert (again["unchanged"], again["added"]) == (12, 0)

    sound = next(path for path in corpus.rglob("*.wav") if path.name != "broken.wav")
    found = json.loads(
        run("index", "search", "mine", "--audio", sound, "-k", 3, "--embedder", guide, "--json").stdout
    )
    assert len(found["nearest"]) == 3
    assert found["nearest"][0]["id"] == sound.relative_to(corpus).as_posix()
    assert (
        len(run("index", "search", "mine", "--text", "a bell", "--embedder", guide).stdout.splitlines()) == 10
    )
    info = run("index", "info", "mine").stdout
    assert "12 items" in info
    assert "guide (16 numbers, 16,000 Hz, windows of 1 s" in info
    assert json.loads(run("index", "info", "mine", "--json").stdout)["items"] == 12
    assert run("index", "verify", "mine").stdout == "mine: no problems found\n"

    exported = run("index", "export", "mine", "--out", "mine.json")
    assert exported.exit_code == 0, exported.output
    assert run("index", "import", "mine.json", "--out", "back").exit_code == 0
    assert json.loads(run("index", "info", "back", "--json").stdout)["items"] == 12
    assert run("index", "add", "back", sound, "--caption", "x", "--embedder", guide).exit_code == 0
    removed = run("index", "remove", "mine", sound.relative_to(corpus).as_posix(), "gone")
    assert removed.stdout == "mine: 1 of 2 removed\n"
    assert run("index", "remove", "mine.json", sound.relative_to(corpus).as_posix()).exit_code == 0
    assert json.loads(run("index", "info", "mine.json", "--json").stdout)["items"] == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "gone", "--out", "x"), "gone does not exist"),
        (("build", "."), "Missing option '--out'"),
        (("build", ".", "--out", "sounds"), "other things in it"),
        (("build", ".", "--out", "x", "--captions", "c.txt"), "CSV, JSON Lines or Parquet"),
        (("info", "gone"), "gone is no index"),
        (("verify", "gone"), "gone is no index"),
        (("search", "gone", "--text", "x"), "gone is no index"),
        (("search", "gone"), "a sound or by a text"),
        (("remove", "gone", "1"), "gone is no index"),
        (("export", "gone", "--out", "x.json"), "gone is no index"),
        (("import", "gone.json", "--out", "x"), "gone.json"),
    ],
)
def test_mistakes_are_one_line(
    corpus: Path, run: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    result = run("index", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("x").exists()
