"""The audit's evidence: features, alignment, fingerprints, catalogue, verdicts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unheard import audio
from unheard.auditing import (
    Catalogue,
    FileAudit,
    as_bad_as,
    audit,
    calibration,
    evidence,
    fingerprint,
    fingerprint_cache,
    worst,
)
from unheard.auditing import alignment as align
from unheard.auditing.auditor import DENSE, FINALISTS, Auditor
from unheard.auditing.features import BANDS, PERIOD, VIEWS, features
from unheard.errors import IndexFileError, InputError
from unheard.index import JSONIndex

RATE = 16_000


def melody(seed: int, seconds: float = 6.0, *, up: float = 0.0, slower: float = 1.0) -> torch.Tensor:
    """[1, time]: plucked notes drawn from a seed; `up` semitones higher, `slower` times as long."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * slower * RATE))
    onset = 0.0
    while onset < seconds - 0.3:
        pitch = 220 * 2 ** ((rng.integers(0, 25) + up) / 12)
        length = rng.choice([0.2, 0.3, 0.45])
        time = np.arange(round(length * slower * 1.5 * RATE)) / RATE
        note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5))
        note *= np.exp(-4 * time / length) * rng.uniform(0.5, 1.0)
        begin = round(onset * slower * RATE)
        note = note[: len(sound) - begin]
        sound[begin : begin + len(note)] += note
        onset += length
    return torch.from_numpy(0.5 * sound / np.abs(sound).max()).float()[None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("references")
    for seed in range(12):
        audio.write_wav(place / f"{seed}.wav", melody(seed), RATE)
    return place


@pytest.fixture(scope="module")
def auditor(folder: Path) -> Auditor:
    return Auditor(Catalogue.from_files(folder))


# Alignment


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, st.tuples(*[st.integers(1, 6)] * 3), elements=st.floats(-3, 3)))
def test_best_sums_are_those_of_all_runs_on_all_diagonals(similarity: np.ndarray) -> None:
    frames, sets, others = similarity.shape
    found = align.best_sums(similarity)
    for some in range(sets):
        for line in range(frames + others - 1):
            offset = line - (frames - 1)
            diagonal = np.diagonal(similarity[:, some], offset)
            ends = range(1, len(diagonal) + 1)
            runs = [diagonal[start:end].sum() for end in ends for start in range(end)]
            assert found[some, line] == pytest.approx(max(0.0, *runs), abs=1e-9)
            padded = align.lines(similarity[:, some])[:, line]
            assert padded[padded != 0].tolist() == diagonal[diagonal != 0].tolist()


def test_features_of_gain_and_of_silence() -> None:
    sound = melody(1, 2.0)
    assert torch.allclose(features(sound, RATE), features(0.01 * sound, RATE), atol=2e-3)
    assert not features(torch.zeros(1, RATE), RATE).any()
    assert features(torch.zeros(1, 10), RATE).shape == (0, VIEWS, BANDS)


@pytest.mark.parametrize(("up", "slower"), [(2.0, 1.0), (-1.0, 1.0), (0.0, 1.05), (0.0, 0.93), (1.0, 1.04)])
def test_transposition_and_tempo_are_found(auditor: Auditor, up: float, slower: float) -> None:
    found = auditor.judge((melody(3, up=up, slower=slower), RATE))
    best = found.matches[0]
    assert (found.verdict, best.reference) == ("copy", "3.wav")
    assert best.transposition == pytest.approx(up, abs=0.5)
    assert best.stretch == pytest.approx(slower, abs=0.012)


def test_distinct_frames() -> None:
    assert align.distinct(torch.eye(8).repeat_interleave(2, dim=0)) == pytest.approx(8)
    assert align.distinct(torch.ones(16, 4)) == pytest.approx(1)


# Verdicts


def test_a_sound_against_itself(auditor: Auditor, folder: Path) -> None:
    found = auditor.judge(folder / "5.wav")
    best = found.matches[0]
    assert (found.verdict, best.reference, best.verdict) == ("copy", "5.wav", "copy")
    assert (best.shift, best.stretch, best.transposition) == (0.0, 1.0, 0.0)
    assert best.share > 0.97
    assert best.found_by == ("fingerprint",)
    assert best.expected_false_alarms < 0.05
    assert all(match.verdict == "clear" for match in found.matches[1:])
    # no other sound, nor this one altered, comes closer to it
    noisy = melody(5) + 0.05 * torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(0))
    assert best.score >= auditor.judge((noisy, RATE)).score > found.matches[1].score


@pytest.mark.parametrize("seconds", [1.5, 6.0, 25.0])
def test_white_noise_is_clear(auditor: Auditor, seconds: float) -> None:
    noise = 0.1 * torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(1))
    assert auditor.judge((noise, RATE)).verdict == "clear"


def test_another_melody_is_clear(auditor: Auditor) -> None:
    assert auditor.judge((melody(99), RATE)).verdict == "clear"


@pytest.mark.parametrize("silence", [0.5, 3.0])
def test_silence_before_it_shifts_the_times(auditor: Auditor, silence: float) -> None:
    before = torch.zeros(1, round(silence * RATE))
    best = auditor.judge((torch.cat([before, melody(2)], dim=1), RATE)).matches[0]
    assert (best.reference, best.verdict) == ("2.wav", "copy")
    assert best.shift == pytest.approx(silence, abs=0.05)
    assert best.start == pytest.approx(silence, abs=0.15)
    assert best.share > 0.95


def test_the_sample_rate_does_not_matter(auditor: Auditor) -> None:
    sound = melody(7)
    one, other = (auditor.judge((audio.resample(sound, RATE, rate), rate)) for rate in (44_100, 48_000))
    assert one.verdict == other.verdict == "copy"
    assert one.score == pytest.approx(other.score, rel=0.02)
    assert one.matches[0].reference == other.matches[0].reference
    assert one.matches[0].start == pytest.approx(other.matches[0].start, abs=2 * PERIOD)
    assert one.matches[0].end == pytest.approx(other.matches[0].end, abs=2 * PERIOD)


def test_an_excerpt_in_something_else_is_a_partial_copy(auditor: Auditor) -> None:
    host = melody(98, 12.0)
    host[:, 4 * RATE : 8 * RATE] = melody(6)[:, RATE : 5 * RATE]
    found = auditor.judge((host, RATE))
    best = found.matches[0]
    assert (found.verdict, best.reference) == ("partial copy", "6.wav")
    assert best.share == pytest.approx(1 / 3, abs=0.08)
    assert (best.start, best.end) == (pytest.approx(4, abs=0.3), pytest.approx(8, abs=0.3))
    assert best.reference_start == pytest.approx(1, abs=0.3)


def test_what_is_looped_counts_as_often_as_it_comes(auditor: Auditor) -> None:
    best = auditor.judge((melody(8)[:, : 3 * RATE].repeat(1, 4), RATE)).matches[0]
    assert (best.reference, best.verdict) == ("8.wav", "copy")
    assert best.share > 0.9


def test_a_place_in_a_long_reference(tmp_path: Path) -> None:
    long = torch.cat([melody(seed, 20.0) for seed in range(40, 43)], dim=1)
    audio.write_wav(tmp_path / "long.wav", long, RATE)
    auditor = Auditor(Catalogue.from_files(tmp_path))
    best = auditor.judge((long[:, 47 * RATE : 53 * RATE], RATE)).matches[0]
    assert best.verdict == "copy"
    assert best.reference_start == pytest.approx(47, abs=0.1)
    assert best.shift == pytest.approx(-47, abs=0.1)


def test_a_long_sound_is_heard_to_its_end(auditor: Auditor) -> None:
    sound = torch.cat([melody(97, 41.0), melody(4)], dim=1)
    best = auditor.judge((sound, RATE)).matches[0]
    assert (best.reference, best.verdict) == ("4.wav", "partial copy")
    assert best.start == pytest.approx(41, abs=0.3)
    assert best.share == pytest.approx(6 / 47, abs=0.03)


# What cannot be judged


def test_strange_sounds_get_a_verdict(auditor: Auditor) -> None:
    sound = melody(9)
    verdicts = {
        "8 channels": auditor.judge((sound.repeat(8, 1), RATE)).verdict,
        "192 kHz": auditor.judge((audio.resample(sound, RATE, 192_000), 192_000)).verdict,
        "clipped": auditor.judge(((20 * sound).clamp(-1, 1), RATE)).verdict,
        "with a constant": auditor.judge((sound + 0.4, RATE)).verdict,
        "8 kHz": auditor.judge((audio.resample(sound, RATE, 8_000), 8_000)).verdict,
    }
    assert verdicts == dict.fromkeys(verdicts, "copy")


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (torch.zeros(2, RATE * 3), "silent"),
        (torch.full((1, RATE * 3), 0.5), "constant"),
        (torch.ones(1, 1), "constant"),
        (torch.zeros(1, 0), r"\[channels, time\]"),
        (torch.zeros(5), r"\[channels, time\]"),
        (torch.full((1, RATE), torch.nan), "NaN"),
        (torch.randn(1, RATE // 2), "too short"),
        (torch.cat([torch.zeros(1, 5 * RATE), torch.randn(1, RATE // 2)], dim=1), "too short"),
    ],
)
def test_not_judged(auditor: Auditor, sound: torch.Tensor, reason: str) -> None:
    found = auditor.judge((sound, RATE))
    assert found.verdict == "not judged"
    assert re.search(reason, found.reason or "")


def test_damaged_files_are_not_judged(auditor: Auditor, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "1.wav").read_bytes()
    damaged = {"empty.wav": b"", "text.wav": b"not a sound", "header.flac": b"fLaC\0", "cut.wav": whole[:20]}
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
    places = [tmp_path / name for name in damaged]
    results = audit([*places, folder / "1.wav"], auditor.catalogue)
    assert [file.verdict for file in results.files] == ["not judged"] * 4 + ["copy"]
    assert results.verdict == "copy"
    assert all(file.reason for file in results.files[:4])
    assert auditor.judge(tmp_path / "missing.wav").verdict == "not judged"


# Catalogue


def test_fingerprints_are_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Catalogue.from_files(folder, kept=tmp_path / "kept")
    monkeypatch.setattr(fingerprint_cache, "features", lambda *_: pytest.fail("a reference was heard again"))
    second = Catalogue.from_files(folder, kept=tmp_path / "kept")
    assert second.ids == first.ids
    assert second.seconds == first.seconds == [6.0] * 12
    assert np.array_equal(second.prints, first.prints)
    monkeypatch.undo()
    audio.write_wav(tmp_path / "new.wav", melody(50), RATE)
    third = Catalogue.from_files([*folder.glob("*.wav"), tmp_path / "new.wav"], kept=tmp_path / "kept")
    assert len(third) == 13


def test_what_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "good.wav", melody(1), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    found = Catalogue.from_files(tmp_path, captions={"good.wav": "plucked"})
    assert found.ids == ["good.wav"]
    assert found.captions == ["plucked"]
    assert set(found.left_out) == {"silent.wav", "bad.wav"}
    (tmp_path / "good.wav").unlink()
    with pytest.raises(InputError, match="no reference can be used"):
        Catalogue.from_files(tmp_path)


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check the path"):
        Catalogue.from_files(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no sound in the folder"):
        Catalogue.from_files(tmp_path)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_resemblance_is_that_of_every_part(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    prints = rng.standard_normal((sum(counts), fingerprint.SIZE)).astype(np.float16)
    ends = np.cumsum(counts)
    begins = np.maximum(ends - counts - data.draw(st.integers(0, 2)), 0)  # parts may overlap
    queries = torch.from_numpy(rng.standard_normal((3, fingerprint.SIZE))).float()
    found = fingerprint.resemblance(queries, prints, begins, ends)
    for part, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        best = (queries.numpy() @ prints[begin:end].T.astype(np.float32)).max(axis=1)
        assert found[part] == pytest.approx(np.mean(np.maximum(best, 0) ** 2), rel=1e-4)


def test_a_copy_is_a_candidate_among_many(auditor: Auditor) -> None:
    rng = np.random.default_rng(0)
    strangers = rng.standard_normal((40_000, fingerprint.SIZE)).astype(np.float16)
    strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
    own = auditor.catalogue
    prints = np.concatenate([own.prints, strangers])
    ends = np.concatenate([own.parts[:, 2], len(own.prints) + np.arange(8, 40_001, 8)])
    begins = np.concatenate([own.parts[:, 1], len(own.prints) + np.arange(0, 40_000, 8)])
    for up in (0.0, 1.0):
        queries = fingerprint.fingerprints(features(melody(3, up=up), RATE), DENSE)
        scores = fingerprint.resemblance(queries, prints, begins, ends)
        assert (scores > scores[3]).sum() < FINALISTS


# The embedder's candidates


class Listener:
    """An embedder of three numbers that takes every sound for the same."""

    name, dimension, sample_rate, window = "listener", 3, RATE, 4.0
    revision = sha256 = None

    def embed_windows(self, waveform: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(1, dtype=torch.float64), torch.tensor([[1.0, 0.0, 0.0]])


def test_candidates_of_an_embedder(folder: Path) -> None:
    index = JSONIndex()
    index.add(["0.wav", "elsewhere"], torch.eye(3)[:2], ["", ""], [0, 0], [6, 6], embedder_name="listener")
    found = Auditor(Catalogue.from_files(folder), index=index, embedder=Listener()).judge((melody(0), RATE))
    assert found.matches[0].found_by == ("fingerprint", "embedding")
    assert found.matches[0].embedding_similarity == pytest.approx(1.0)
    with pytest.raises(InputError, match="both"):
        Auditor(Catalogue.from_files(folder), index=index)
    other = JSONIndex()
    other.add(["0.wav"], torch.eye(4)[:1], [""], [0], [6], embedder_name="another")
    with pytest.raises(IndexFileError, match="another"):
        Auditor(Catalogue.from_files(folder), index=other, embedder=Listener())


# Calibration, results, evidence


def test_rates_fall_as_scores_rise() -> None:
    bounds = calibration.default()
    scores = np.linspace(0, 60, 500)
    for tail in (bounds.unrelated, bounds.relatives):
        rates = np.array([tail.rate(score) for score in scores])
        assert rates[0] == 1
        assert (np.diff(rates) <= 1e-12).all()
        assert (rates > 0).all()
        assert tail.rate(tail.threshold - 1e-6) == pytest.approx(tail.rate(tail.threshold), abs=0.02)
        assert tail.rate(tail.quantiles[50]) == pytest.approx(1 - 0.5 * (1 - tail.beyond), abs=0.02)
    assert bounds.expected_false_alarms(8.0, 10**6) > bounds.expected_false_alarms(8.0, 10)


def test_a_strength_is_read_against_the_room_for_chance() -> None:
    bounds = replace(calibration.default(), growth=0.5)

    def score(seconds: float) -> float:
        return bounds.score(3.0, seconds / PERIOD)

    assert score(10) == pytest.approx(3.0)
    assert score(40) == pytest.approx(1.5)
    assert score(1) == score(4) > score(5)


def test_silence_leaves_chance_no_room(auditor: Auditor) -> None:
    silence = torch.zeros(1, 8 * RATE)
    alone, within = (
        align.align(features(torch.cat(parts, dim=1), RATE), features(melody(1), RATE))
        for parts in ([melody(1)], [silence, melody(1), silence])
    )
    assert alone is not None
    assert within is not None
    assert alone.room == pytest.approx(6 / PERIOD, rel=0.05)
    assert within.room == pytest.approx(alone.room, rel=0.05)
    assert within.strength == pytest.approx(alone.strength, rel=0.05)


def test_a_large_catalogue_asks_for_more(folder: Path, auditor: Auditor) -> None:
    excerpt = melody(3)[:, RATE : 3 * RATE]
    match = auditor.judge((excerpt, RATE)).matches[0]
    bounds = calibration.default()
    assert match.expected_false_alarms == pytest.approx(bounds.expected_false_alarms(match.score, 12))
    assert bounds.expected_false_alarms(match.score, 10**9) > match.expected_false_alarms


def test_verdicts_in_order() -> None:
    assert worst(["clear", "similar", "not judged"]) == "similar"
    assert worst([]) == "not judged"
    assert as_bad_as("copy", "partial copy")
    assert not as_bad_as("similar", "partial copy")
    assert not as_bad_as("not judged", "clear")


def test_progress_and_names(folder: Path, auditor: Auditor) -> None:
    seen: list[FileAudit] = []
    results = audit([folder / "1.wav", (melody(99), RATE)], auditor.catalogue, progress=seen.append)
    assert list(results.files) == seen
    assert [file.path for file in seen] == [str(folder / "1.wav"), "sound 2"]
    assert results.catalogue["items"] == 12
    assert results.catalogue["seconds"] == pytest.approx(72)
    with pytest.raises(InputError, match="no sounds"):
        audit([], auditor.catalogue)


def test_the_evidence_of_a_match(auditor: Auditor) -> None:
    sound = torch.cat([torch.zeros(1, RATE), melody(2, up=1.0)], dim=1)
    match = auditor.judge((sound, RATE)).matches[0]
    shown = evidence(sound, RATE, *auditor.catalogue.read(match.reference), match)
    assert shown.similarity.shape == (round(7 / PERIOD) + 1, round(6 / PERIOD) + 1)
    assert shown.similarity.dtype == np.float32
    ours, theirs = np.array(shown.path).T
    assert (ours - theirs).mean() * PERIOD == pytest.approx(1, abs=0.05)
    assert shown.similarity[ours, theirs].mean() > shown.similarity.mean() + 0.3
