"""Verdicts: what is a copy, what is part of one, what is clear, and what cannot be judged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from melodies import RATE, melody

from unheard import audio
from unheard.auditing import Auditor, Catalogue, as_bad_as, calibration, landmarks
from unheard.auditing.evidence import EVIDENCES
from unheard.auditing.features import PERIOD
from unheard.auditing.fingerprint_cache import fingerprints_of
from unheard.errors import IndexFileError, InputError
from unheard.index import JSONIndex


def test_a_sound_against_itself(auditor: Auditor, folder: Path) -> None:
    found = auditor.judge(folder / "5.wav")
    best = found.matches[0]
    assert (found.verdict, best.reference, best.verdict) == ("copy", "5.wav", "copy")
    assert (best.shift, best.stretch, best.transposition) == (0.0, 1.0, 0.0)
    assert best.share > 0.97
    assert best.end <= found.duration == 6.0
    assert best.reference_end <= 6.0
    assert best.found_by == ("fingerprint", "landmarks", "moments", best.evidence[0].kind)
    assert best.expected_false_alarms < 0.05
    assert found.share == best.share
    assert {part.kind for part in best.evidence} == {*EVIDENCES}
    assert all(match.score < best.score - 1 for match in found.matches[1:])
    # no other sound, nor this one altered, comes closer to it
    noisy = melody(5) + 0.05 * torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(0))
    assert best.score >= auditor.judge((noisy, RATE)).score > found.matches[1].score


def test_no_sound_is_asked_for_its_peaks_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def spectrogram(mono: torch.Tensor, *settings: Any) -> torch.Tensor:
        asked.append(mono.numpy().tobytes())
        return look(mono, *settings)

    auditor, look = Auditor(Catalogue.from_files(folder)), landmarks.spectrogram
    monkeypatch.setattr(landmarks, "spectrogram", spectrogram)
    auditor.judge((melody(99), RATE))
    assert len(asked) == len(set(asked)) > 1  # the sound, and the references that it is compared with


@pytest.mark.parametrize("seconds", [1.5, 6.0, 25.0])
def test_white_noise_is_clear(auditor: Auditor, seconds: float) -> None:
    noise = 0.1 * torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(1))
    assert auditor.judge((noise, RATE)).verdict == "clear"


def test_another_melody_is_clear(auditor: Auditor) -> None:
    found = auditor.judge((melody(99), RATE))
    assert not as_bad_as(found.verdict, "partial copy")
    assert found.share == 0


@pytest.mark.parametrize("silence", [0.5, 3.0])
def test_silence_before_it_shifts_the_times(auditor: Auditor, silence: float) -> None:
    before = torch.zeros(1, round(silence * RATE))
    best = auditor.judge((torch.cat([before, melody(2)], dim=1), RATE)).matches[0]
    assert (best.reference, best.verdict) == ("2.wav", "copy")
    assert best.shift == pytest.approx(silence, abs=0.05)
    assert best.start == pytest.approx(silence, abs=0.15)
    assert best.share > 0.95


def test_the_sample_rate_does_not_matter(auditor: Auditor) -> None:
    sound = melody(1)
    one, other = (auditor.judge((audio.resample(sound, RATE, rate), rate)) for rate in (44_100, 48_000))
    assert one.verdict == other.verdict == "copy"
    assert one.score == pytest.approx(other.score, rel=0.02)
    assert one.matches[0].reference == other.matches[0].reference
    assert one.matches[0].start == pytest.approx(other.matches[0].start, abs=2 * PERIOD)
    assert one.matches[0].end == pytest.approx(other.matches[0].end, abs=2 * PERIOD)


def test_an_excerpt_in_something_else_is_a_partial_copy(auditor: Auditor) -> None:
    host = melody(98, 12.0)
    host[:, 4 * RATE : 8 * RATE] = melody(3)[:, RATE : 5 * RATE]
    found = auditor.judge((host, RATE))
    best = found.matches[0]
    assert (found.verdict, best.reference) == ("partial copy", "3.wav")
    assert best.share == pytest.approx(1 / 3, abs=0.08)
    assert (best.start, best.end) == (pytest.approx(4, abs=0.5), pytest.approx(8, abs=0.5))
    assert best.shift == pytest.approx(3, abs=0.1)


def test_what_is_looped_counts_as_often_as_it_comes(auditor: Auditor) -> None:
    best = auditor.judge((melody(0)[:, : 3 * RATE].repeat(1, 4), RATE)).matches[0]
    assert (best.reference, best.verdict) == ("0.wav", "copy")
    assert best.share > 0.9


def test_a_passage_in_a_long_reference(tmp_path: Path) -> None:
    long = torch.cat([melody(seed, 20.0) for seed in range(40, 43)], dim=1)
    audio.write_wav(tmp_path / "long.wav", long, RATE)
    auditor = Auditor(Catalogue.from_files(tmp_path))
    best = auditor.judge((long[:, 47 * RATE : 53 * RATE], RATE)).matches[0]
    assert best.verdict == "copy"
    assert best.reference_start == pytest.approx(47, abs=0.5)
    assert best.shift == pytest.approx(-47, abs=0.1)


def test_a_long_sound_is_judged_to_its_end(auditor: Auditor) -> None:
    sound = torch.cat([melody(97, 21.0), melody(4)], dim=1)
    best = auditor.judge((sound, RATE)).matches[0]
    assert (best.reference, best.verdict) == ("4.wav", "partial copy")
    assert best.start == pytest.approx(21, abs=0.3)
    assert best.share == pytest.approx(6 / 27, abs=0.03)


def test_strange_sounds_get_a_verdict(auditor: Auditor) -> None:
    sound = melody(4)[:, : 3 * RATE]
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
        (1e38 * melody(1), r"reaches .*e\+3\d: scale it"),
        (torch.randn(1, RATE // 4), "too short"),
        (torch.cat([torch.zeros(1, 5 * RATE), torch.randn(1, RATE // 4)], dim=1), "too short"),
    ],
)
def test_not_judged(auditor: Auditor, sound: torch.Tensor, reason: str) -> None:
    found = auditor.judge((sound, RATE))
    assert found.verdict == "not judged"
    assert re.search(reason, found.reason or "")


@pytest.mark.parametrize("sound", [torch.zeros(1, RATE), torch.randn(1, 3 * RATE)])
def test_a_rate_that_is_none_is_not_judged(auditor: Auditor, sound: torch.Tensor) -> None:
    found = auditor.judge((sound, 0))
    assert (found.verdict, found.duration) == ("not judged", 0.0)
    assert "sample rate is a positive integer" in str(found.reason)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_what_memory_does_not_suffice_for_is_not_judged(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def read(path: object) -> None:
        raise error

    monkeypatch.setattr(audio, "read", read)
    found = auditor.judge("long.flac")
    assert (found.verdict, found.reason) == (
        "not judged",
        "judging long.flac takes more memory than there is: cut it into shorter ones",
    )
    with pytest.raises(InputError, match=r"long\.flac takes more memory than there is"):
        fingerprints_of(Path("long.flac"))


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
    assert found.matches[0].found_by[:4] == ("fingerprint", "landmarks", "moments", "embedding")
    assert found.matches[0].embedding_similarity == pytest.approx(1.0)
    with pytest.raises(InputError, match="both"):
        Auditor(Catalogue.from_files(folder), index=index)
    other = JSONIndex()
    other.add(["0.wav"], torch.eye(4)[:1], [""], [0], [6], embedder_name="another")
    with pytest.raises(IndexFileError, match="another"):
        Auditor(Catalogue.from_files(folder), index=other, embedder=Listener())


def test_a_large_catalogue_asks_for_more(folder: Path, auditor: Auditor) -> None:
    excerpt = melody(3)[:, RATE : 3 * RATE]
    match = auditor.judge((excerpt, RATE)).matches[0]
    bounds = calibration.default()
    assert match.expected_false_alarms == pytest.approx(bounds.expected_false_alarms(match.score, 6))
    assert bounds.expected_false_alarms(match.score, 10**9) > match.expected_false_alarms


def test_a_collage_is_a_copy_of_all_its_references(folder: Path, auditor: Auditor) -> None:
    """Five recordings end to end: the share is of all references together, and every one is named."""
    collage = torch.cat([melody(seed) for seed in range(5)], dim=1)
    found = auditor.judge((collage, RATE))
    assert found.verdict == "copy"
    assert found.share > 0.9
    copied = [match for match in found.matches if as_bad_as(match.verdict, "partial copy")]
    assert {match.reference for match in copied} == {f"{seed}.wav" for seed in range(5)}
    assert all(match.share == pytest.approx(1 / 5, abs=0.04) for match in copied)


def test_one_short_stroke_is_never_clear_and_never_a_copy(folder: Path, tmp_path: Path) -> None:
    """Even against itself it would not score enough, whether the catalogue has it or not."""
    time = torch.arange(round(0.6 * RATE)) / RATE
    stroke = (torch.sin(2 * torch.pi * 440 * time) * torch.exp(-6 * time))[None]
    audio.write_wav(tmp_path / "stroke.wav", stroke, RATE)
    melodies = sorted(folder.iterdir())
    without = Auditor(Catalogue.from_files(melodies)).judge((stroke, RATE))
    assert without.verdict == "too short to tell"
    assert re.search(r"an exact copy of it would score .*, and .* is needed", str(without.reason))
    best = without.matches[0]
    assert best.score_possible is not None
    assert best.score_possible < best.score_needed
    within = Auditor(Catalogue.from_files([*melodies, tmp_path / "stroke.wav"])).judge((stroke, RATE))
    assert within.verdict in ("similar", "too short to tell")
    assert within.matches[0].reference.endswith("stroke.wav")
    assert not within.told


def test_what_an_exact_copy_reaches_is_never_less_than_what_is_found(auditor: Auditor) -> None:
    found = auditor.judge((melody(99), RATE)).matches[0]
    assert found.score_possible is None or found.score <= found.score_possible
    copy = auditor.judge((melody(3), RATE)).matches[0]
    assert copy.score >= copy.score_needed
