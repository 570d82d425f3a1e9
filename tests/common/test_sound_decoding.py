"""Sounds decoded block by block: all of them or a word why not, never more than the limits, no other file."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unheard.common import sound_decoding
from unheard.common.sound_decoding import EncodedSound
from unheard.common.sound_endings import CONTAINERS, SOUNDS, is_sound
from unheard.common.sound_limits import SoundLimits, current_limits, sound_limits
from unheard.errors import InputError

FORMATS = {
    "wav": ("WAV", "PCM_16"), "float.wav": ("WAV", "FLOAT"), "gsm.wav": ("WAV", "GSM610"),
    "rf64": ("RF64", "PCM_16"), "w64": ("W64", "PCM_24"), "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"), "alac.caf": ("CAF", "ALAC_16"), "svx": ("SVX", "PCM_16"),
    "nist": ("NIST", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
RATE = 16_000


def encoded(ending: str, frames: int = 24_000, seed: int = 0, rate: int = RATE) -> bytes:
    """A mono sound in a format."""
    file = io.BytesIO()
    container, codec = FORMATS[ending]
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, frames).astype(np.float32)
    soundfile.write(file, samples, rate, format=container, subtype=codec)
    return file.getvalue()


def decoded(content: bytes, name: str = "a.wav", limits: SoundLimits | None = None) -> np.ndarray:
    return np.concatenate(list(EncodedSound(io.BytesIO(content), name, limits).blocks()))


@pytest.mark.parametrize("ending", FORMATS)
def test_what_libsndfile_gives_of_the_whole_file(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(ending)
    expected, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    monkeypatch.setattr(sound_decoding, "BLOCK", 5_000)
    sound = EncodedSound(io.BytesIO(content), f"a.{ending}")
    assert (sound.sample_rate, sound.channels) == (rate, 1)
    for _ in range(2):  # it may be decoded again
        # An MP3 decoded from its start, or after a seek to its start, differs in its last bits.
        np.testing.assert_allclose(np.concatenate(list(sound.blocks())), expected, atol=2e-7, rtol=0)


@pytest.mark.parametrize("ending", FORMATS)
def test_joined_files_are_read_to_the_last_end(ending: str) -> None:
    pieces = [encoded(ending, seed=seed) for seed in range(3)]
    whole = decoded(b"".join(pieces))
    assert np.array_equal(whole, np.concatenate([decoded(piece) for piece in pieces]))
    other = encoded(ending, rate=8_000)
    if decoded(other).shape and EncodedSound(io.BytesIO(other), "a").sample_rate != RATE:
        with pytest.raises(InputError, match="different formats are joined"):
            decoded(pieces[0] + other)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_file_that_is_cut_short_is_told(ending: str, share: float) -> None:
    content = encoded(ending)
    with pytest.raises(InputError, match=r"truncated|no sound that can be read"):
        decoded(content[: int(len(content) * share)])


def test_an_mp3_with_tags_is_one_sound_and_two_with_tags_are_two() -> None:
    alone = encoded("mp3")
    tag = b"ID3\4\0\0\0\0\0\x0a" + b"\0" * 10
    tagged = tag + alone + b"TAG" + b" " * 125
    assert len(decoded(tagged)) == len(decoded(alone))
    assert len(decoded(tagged + tagged)) == 2 * len(decoded(alone))


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "caf"])
def test_a_length_that_nobody_knew_and_bytes_behind_the_sound_are_no_fault(ending: str) -> None:
    content = bytearray(encoded(ending) + b"LIST\0\0\0\4note")
    assert len(decoded(bytes(content))) == 24_000
    if ending == "wav":
        place = content.index(b"data") + 4
        content[place : place + 4] = b"\xff" * 4
        assert len(decoded(bytes(content))) >= 24_000


def wav(rate: int, channels: int = 1, content: bytes = b"\1\2" * 2_000) -> bytes:
    header = struct.pack("<HHIIHH", 1, channels, rate, min(rate * channels * 2, 1 << 31), channels * 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(content)) + b"WAVEfmt \x10\0\0\0" + header
        + b"data" + struct.pack("<I", len(content)) + content
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "limits", "message"),
    [
        (wav(1), SoundLimits(), "sample rate is 1 Hz: only 1,000 to 1,000,000"),
        (wav(2_000_000), SoundLimits(), "sample rate"),
        (wav(8_000, 1000), SoundLimits(), "1,000 channels"),
        (wav(8_000), SoundLimits(read_seconds=0.1), "lasts 0 s, more than the 0 s .*--longest"),
        (wav(8_000), SoundLimits(read_samples=100), "2,000 samples .*more than the 100"),
        (b"", SoundLimits(), "empty"),
        (b"RIFF", SoundLimits(), "truncated"),
        (b"no sound at all" * 9, SoundLimits(), "no sound that can be read"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(content: bytes, limits: SoundLimits, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        decoded(content, limits=limits)
    assert "\n" not in str(raised.value)


def test_a_header_that_speaks_of_terabytes_costs_nothing() -> None:
    content = bytearray(encoded("mp3"))
    place = content.index(b"Info" if b"Info" in content else b"Xing") + 8
    content[place : place + 4] = b"\x7f\xff\xff\xff"  # frames
    with pytest.raises(InputError, match=r"lasts|truncated|damaged"):
        decoded(bytes(content))


def test_limits_hold_in_their_block_and_not_behind_it() -> None:
    before = current_limits()
    with sound_limits(seconds=2), sound_limits(samples=7) as inner:
        assert (inner.seconds, inner.samples) == (2, 7)
        assert current_limits() == inner
    assert current_limits() == before
    for wrong in (
        {"seconds": 0},
        {"samples": 0},
        {"samples": 1.5},
        {"read_seconds": -1},
        {"read_samples": -1},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))), sound_limits(**wrong):  # type: ignore[arg-type]
            pass


def test_what_is_held_whole_may_last_less_than_what_is_read_in_blocks() -> None:
    frames = 3 * 3600 * 8_000
    current_limits().check(frames, 8_000, 1, held=False)
    with pytest.raises(InputError, match=r"lasts 10,800 s, more than the 7,200 s"):
        current_limits().check(frames, 8_000, 1, held=True)


def test_one_list_of_endings() -> None:
    known = {ending.lower() for ending in soundfile.available_formats()} - {"raw"}
    assert known - {ending.lower() for ending in SOUNDS} == set()
    assert not SOUNDS & CONTAINERS.keys()
    assert all(is_sound(f"a.{ending.upper()}") for ending in SOUNDS | CONTAINERS.keys())
    assert not is_sound("wav")


def write_m4a(path: Path, samples: np.ndarray, rate: int) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("alac", rate=rate, layout="mono")
        for start in range(0, len(samples), 4096):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 4096], "s16p", "mono")
            frame.sample_rate, frame.pts = rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def test_m4a_by_ffmpeg(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-9_000, 9_000, 20_000).astype(np.int16)
    write_m4a(tmp_path / "a.m4a", samples, RATE)
    content = (tmp_path / "a.m4a").read_bytes()
    found = decoded(content, "a.m4a")
    np.testing.assert_allclose(found[:, 0], samples / 32_768, atol=1e-6)
    with pytest.raises(InputError, match=r"no sound that can be read|truncated"):
        decoded(content[: len(content) // 2], "a.m4a")


def test_without_ffmpeg_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r'reading \.m4a takes FFmpeg: pip install "unheard\[av\]"'):
        decoded(b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom", "a.m4a")


def test_a_list_of_other_files_is_no_sound(tmp_path: Path) -> None:
    """FFmpeg would guess a playlist from its content, and open what it names."""
    pytest.importorskip("av")
    (tmp_path / "secret.wav").write_bytes(encoded("wav"))
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.wav\n".encode()
    for ending in CONTAINERS:
        with pytest.raises(InputError):
            decoded(playlist, f"a.{ending}")
