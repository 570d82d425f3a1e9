"""Decoding: in pieces it is what it is at once, and leaves no file behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from corpus import RATE, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_rows import content

import unheard.index as verbs
from unheard.index.building import decoding
from unheard.index.building.decoding import Job, decode, resampled
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.workers import decode_all


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
    assert content(tmp_path / "spooled") == content(tmp_path / "held")
    assert not list((tmp_path / "scratch").iterdir())


def test_a_large_member_of_a_shard_goes_through_a_file_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.flac", noise(1, 1), RATE)
    (tmp_path / "scratch").mkdir()
    jobs = [
        Job(Recording(name, f"s.tar::{name}", sound), RATE, None, str(tmp_path / "scratch"))
        for name, sound in (("a.flac", (tmp_path / "a.flac").read_bytes()), ("b.flac", b"no sound"))
    ]
    held = list(decode_all(jobs, workers=0))
    monkeypatch.setattr(decoding, "HELD_BYTES", 4)
    for before, job in zip(held, jobs, strict=True):
        light = job.laid_down()
        assert isinstance(light, Job)
        assert light.recording.content is None
        after = decode(light)
        assert repr(before) == repr(after)  # NumPy's arrays are not equal to each other
    assert not list((tmp_path / "scratch").iterdir())
    (refused,) = decode_all([replace(jobs[0], scratch=str(tmp_path / "none"))], workers=1)
    assert refused == Reject("s.tar::a.flac", "No such file or directory", "a.flac")
