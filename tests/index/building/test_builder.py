"""Building: the rows are what the embedder hears, to the bit, and bad files are named."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from corpus import RATE, noise
from dying_decoder import die_of_killers
from plain_embedder import PlainEmbedder
from shards import write_members
from stored_rows import content
from tiny_world import build_tiny_clap

import unheard.index as verbs
from unheard import audio
from unheard.embedders import load_embedder
from unheard.errors import IndexFileError, InputError
from unheard.index import Index
from unheard.index.building import builder, workers
from unheard.index.building.recording import Reject
from unheard.index.building.rejects import Rejects

# What is built


def test_a_row_is_what_the_embedder_hears(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    built = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=0)
    found = content(tmp_path / "index")
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
    expected = content(tmp_path / "one")
    assert content(tmp_path / "two") == expected
    alone = [row for path in parts if path.suffix != ".txt" for row in content(tmp_path / path.stem)]
    digests = {(Path(row["source"]).name, row["window"]): row["embedding"] for row in alone}
    assert digests == {(Path(row["source"]).name, row["window"]): row["embedding"] for row in expected}
    assert verbs.info(tmp_path / "one").checksum == verbs.info(tmp_path / "two").checksum


def test_what_is_done_is_not_done_again_and_what_changed_is(
    corpus: Path, tmp_path: Path, embedder: Any
) -> None:
    index, captions = tmp_path / "index", tmp_path / "captions.jsonl"
    verbs.build(corpus, index, embedder=embedder, workers=0)
    before = {(row["id"], row["window"]): row for row in content(index)}
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
    after = {(row["id"], row["window"]): row for row in content(index)}
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
    assert gone_id not in {row["id"] for row in content(index)}
    fresh = verbs.build(corpus, tmp_path / "fresh", captions=captions, embedder=embedder, workers=0)
    assert fresh.added == 12
    assert content(tmp_path / "fresh") == content(index)


def test_a_long_recording_is_found_at_its_place(tmp_path: Path, embedder: Any) -> None:
    sound = noise(7.3, 5)
    soundfile.write(tmp_path / "long.wav", sound, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "part.wav", sound[3 * RATE : 4 * RATE], RATE, subtype="FLOAT")
    verbs.build(tmp_path / "long.wav", tmp_path / "index", embedder=embedder, workers=0)
    starts = [row["window_start"] for row in content(tmp_path / "index")]
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


def test_shards_build_as_their_files_do(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    files = sorted(corpus.rglob("*.*"))
    write_members(
        tmp_path / "all.tar", {path.relative_to(corpus).as_posix(): path.read_bytes() for path in files}
    )
    verbs.build(tmp_path / "all.tar", tmp_path / "sharded", embedder=embedder, workers=1)
    verbs.build(corpus, tmp_path / "filed", embedder=embedder, workers=0)
    filed = {(Path(row["id"]).stem, row["window"]): row for row in content(tmp_path / "filed")}
    sharded = {(Path(row["id"]).name, row["window"]): row for row in content(tmp_path / "sharded")}
    assert set(filed) == set(sharded)
    for key, row in sharded.items():
        for name in ("embedding", "prompt", "window_end", "content_sha256"):
            assert row[name] == filed[key][name]


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
    assert {row["id"] for row in content(tmp_path / "index") if row["silent"]} == {"silent.wav"}

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
        assert [row["source"] for row in content(tmp_path / "i")] == [str(tmp_path / "a" / "x.wav")]
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


def test_a_pool_that_breaks_while_a_process_is_started_loses_nothing(
    corpus: Path, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies closes what the next one would be started with: the pool then says OSError."""
    submit, calls = ProcessPoolExecutor.submit, []

    def closing(pool: ProcessPoolExecutor, *job: Any) -> Any:
        calls.append(job)
        if len(calls) == 3:
            raise OSError("handle is closed")
        return submit(pool, *job)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", closing)
    built = verbs.build(corpus, tmp_path / "index", embedder=embedder, workers=1)
    assert len(calls) > 3
    alone = verbs.build(corpus, tmp_path / "alone", embedder=embedder, workers=0)
    assert built.added == alone.added
    assert content(tmp_path / "index") == content(tmp_path / "alone")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_under_the_list_of_rejects_is_one_line() -> None:
    rejects = Rejects("/dev/full")
    for write in (lambda: rejects.add(Reject("a.wav", "it is no sound")), rejects.close):
        with pytest.raises(InputError, match="cannot write the list of rejects /dev/full: No space left"):
            write()


def test_one_of_a_kind_is_told_as_one() -> None:
    built = builder.Built("mine", added=1, windows=1, seconds=1.0, silent=1, uncaptioned=1, unused_captions=1)
    assert built.words() == [
        "mine: 1 added (1 window, 1 s of sound)",
        "  1 silent: marked, and found by no search",
        "  1 without caption: caption deduplication does nothing there",
        "  1 row of the captions without a sound",
    ]
