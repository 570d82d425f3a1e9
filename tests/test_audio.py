"""Reading, writing, resampling and judging sounds; libsndfile, numpy and scipy are the oracles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import wavfile

from unheard import audio
from unheard.errors import InputError


def tone(frequency: float, rate: int, seconds: float = 0.2) -> torch.Tensor:
    time = torch.arange(int(rate * seconds), dtype=torch.float64) / rate
    return torch.sin(2 * torch.pi * frequency * time).float()[None]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Files


@pytest.mark.parametrize(
    ("ending", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24"), ("aiff", "PCM_16")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_read_gives_what_was_written(tmp_path: Path, ending: str, subtype: str, channels: int) -> None:
    samples = noise(1000, channels).clamp(-1, 1).numpy() * 0.5
    path = tmp_path / f"sound.{ending}"
    soundfile.write(path, samples, 22_050, subtype=subtype)
    waveform, rate = audio.read(path)
    assert rate == 22_050
    assert waveform.shape == (channels, 1000)
    assert waveform.dtype == torch.float32
    np.testing.assert_allclose(waveform.T, samples, atol=1 / 32_000)


@pytest.mark.parametrize("channels", [1, 2])
def test_16_bit_is_at_full_scale_and_readable_elsewhere(tmp_path: Path, channels: int) -> None:
    waveform = 0.2 * noise(channels, 999)
    audio.write_wav(tmp_path / "a.wav", waveform, 16_000)
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert rate == 16_000
    assert samples.dtype == np.int16
    assert np.abs(samples).max() == 32_767
    expected = (waveform / waveform.abs().max() * 32_767).round().T.numpy()
    np.testing.assert_array_equal(samples.reshape(999, channels), expected)
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"


@settings(max_examples=30, deadline=None)
@given(
    samples=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=st.floats(-4, 4, width=32)
    )
)
def test_float_keeps_every_bit(tmp_path_factory: pytest.TempPathFactory, samples: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("float") / "a.wav"
    audio.write_wav(path, torch.from_numpy(samples), 44_100, float32=True)
    read, rate = audio.read(path)
    assert rate == 44_100
    np.testing.assert_array_equal(read.numpy(), samples)
    np.testing.assert_array_equal(wavfile.read(path)[1].reshape(samples.shape[1], -1).T, samples)
    info = soundfile.info(path)
    assert (info.subtype, info.frames) == ("FLOAT", samples.shape[1])


@pytest.mark.parametrize("float32", [False, True])
def test_the_same_sound_gives_the_same_bytes_and_nothing_stays_beside(tmp_path: Path, float32: bool) -> None:
    for name in ("a.wav", "b.wav"):
        audio.write_wav(tmp_path / name, noise(2, 300), 16_000, float32=float32)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_silence_is_written_as_silence(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "a.wav", torch.zeros(1, 50), 16_000)
    assert not wavfile.read(tmp_path / "a.wav")[1].any()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="NaN"):
        audio.write_wav(path, torch.full((1, 10), torch.nan), 16_000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["missing/a.wav", "file/a.wav"])
def test_an_output_folder_that_does_not_exist_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*a\.wav: the folder .* does not exist"):
        audio.write_wav(tmp_path / place, noise(1, 10), 16_000)


@pytest.mark.parametrize("shape", [(10,), (1, 1, 10), (0, 10), (1, 0)])
def test_only_channels_by_time_is_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="channels, time"):
        audio.write_wav(tmp_path / "a.wav", torch.zeros(shape), 16_000)


def test_sounds_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    text, empty, holed = tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "holed.wav"
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.array([1.0, 0.0, -1e30], dtype=np.float32), 16_000, subtype="FLOAT")
    text.write_text("not a sound")
    soundfile.write(empty, np.zeros((0, 1)), 16_000)
    soundfile.write(holed, np.array([0.0, np.nan, 0.0], dtype=np.float32), 16_000, subtype="FLOAT")
    for path, message in [
        (tmp_path / "missing.wav", "does not exist"),
        (tmp_path, "is a folder"),
        (text, "text.wav: it is no sound that can be read .format not recognised.; convert"),
        (empty, "empty.wav: it is empty"),
        (holed, "holed.wav: it holds NaN or infinity at sample 1"),
        (loud, r"loud.wav: it reaches 1.0e\+30 at sample 2: scale it"),
    ]:
        with pytest.raises(InputError, match=message) as raised:
            audio.read(path)
        assert "\n" not in str(raised.value)


# Resampling


@pytest.mark.parametrize(
    ("old", "new"), [(44_100, 48_000), (48_000, 16_000), (16_000, 44_100), (11_025, 8_000)]
)
def test_resampling_keeps_a_tone(old: int, new: int) -> None:
    resampled = audio.resample(tone(1000, old), old, new)
    expected = tone(1000, new)
    assert resampled.shape == expected.shape
    inside = slice(new // 100, -new // 100)
    torch.testing.assert_close(resampled[:, inside], expected[:, inside], atol=2e-3, rtol=0)


def test_resampling_removes_what_would_alias() -> None:
    resampled = audio.resample(tone(11_000, 48_000), 48_000, 16_000)
    assert resampled[:, 100:-100].abs().max() < 1e-3


def test_both_ways_of_resampling_agree() -> None:
    waveform = noise(2, 3, 500)
    for old, new in [(147, 160), (3, 1), (160, 441), (7, 5)]:
        length = 500 * new // old
        polyphase = audio.resample(waveform, old, new)
        one_by_one = audio._interpolate(waveform, old, new, length)
        assert polyphase.shape == one_by_one.shape == (2, 3, length)
        torch.testing.assert_close(polyphase, one_by_one, atol=1e-4, rtol=0)  # float32 kernels


@pytest.mark.parametrize(("old", "new"), [(147, 160), (3, 1), (1, 2), (160, 441), (7, 5)])
def test_a_long_sound_is_resampled_in_pieces_to_the_same(
    monkeypatch: pytest.MonkeyPatch, old: int, new: int
) -> None:
    waveform = noise(2, 9_001)
    at_once = audio.resample(waveform, old, new)
    monkeypatch.setattr(audio, "RESAMPLED_AT_ONCE", 1_000)
    torch.testing.assert_close(audio.resample(waveform, old, new), at_once, atol=1e-6, rtol=0)


def test_rates_without_common_divisor_need_little_memory() -> None:
    """A polyphase kernel for these rates would take 9 GB."""
    waveform = tone(440, 47_999)
    resampled = audio.resample(waveform, 47_999, 48_000)
    torch.testing.assert_close(resampled[:, 500:9_100], tone(440, 48_000)[:, 500:9_100], atol=2e-3, rtol=0)


@settings(max_examples=40, deadline=None)
@given(old=st.integers(1, 400), new=st.integers(1, 400), length=st.integers(1, 300))
def test_the_length_is_exact_and_a_constant_stays(old: int, new: int, length: int) -> None:
    resampled = audio.resample(torch.full((1, length), 0.7), old, new)
    assert resampled.shape == (1, length * new // old)
    torch.testing.assert_close(resampled, torch.full_like(resampled, 0.7), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("old", "new"), [(3, 2), (47_999, 48_000)])
def test_nothing_stays_nothing(old: int, new: int) -> None:
    assert audio.resample(torch.zeros(2, 0), old, new).shape == (2, 0)


@pytest.mark.parametrize(("old", "new"), [(3, 2), (47_999, 48_000)])
def test_resampling_is_differentiable(old: int, new: int) -> None:
    waveform = noise(2, 40).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: audio.resample(w, old, new), waveform)


def test_resampling_first_in_inference_mode_does_not_spoil_gradients() -> None:
    audio._resampler.cache_clear()
    with torch.inference_mode():
        audio.resample(noise(1, 100), 5, 3)
    waveform = noise(1, 100).requires_grad_()
    audio.resample(waveform, 5, 3).square().sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.abs().sum() > 0


@pytest.mark.parametrize("rate", [0, -1, 44_100.0, True, "44100"])
def test_a_rate_that_is_no_positive_integer_is_refused(rate: object) -> None:
    with pytest.raises(InputError, match="sample rate"):
        audio.resample(noise(1, 10), rate, 16_000)  # type: ignore[arg-type]


# Peak and faults


def test_each_sound_of_a_batch_gets_its_own_peak() -> None:
    batch = noise(3, 2, 100) * torch.tensor([1e-3, 1.0, 50.0])[:, None, None]
    normalised = audio.peak_normalise(batch)
    torch.testing.assert_close(normalised.abs().amax(dim=(1, 2)), torch.ones(3))
    for one, alone in zip(normalised, batch, strict=True):
        torch.testing.assert_close(one, audio.peak_normalise(alone))


def test_silence_stays_silent_with_a_finite_gradient() -> None:
    silence = torch.zeros(1, 2, 10, requires_grad=True)
    normalised = audio.peak_normalise(silence)
    normalised.sum().backward()
    assert not normalised.any()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize(
    ("waveform", "words"),
    [
        (torch.zeros(2, 1000), "silent"),
        (1e-6 * noise(2, 1000), "silent"),
        (torch.full((2, 1000), 0.3), "constant"),
        (noise(2, 1000).clamp(-0.5, 0.5), "clipped"),
        ((3 * tone(220, 16_000)).clamp(-1, 1), "clipped"),
        (torch.full((1, 10), torch.nan), "NaN"),
    ],
)
def test_a_fault_is_named_with_its_usual_cause(waveform: torch.Tensor, words: str) -> None:
    (fault,) = audio.find_faults(waveform)
    assert words in fault
    assert "usually" in fault


@pytest.mark.parametrize(
    "waveform",
    [
        noise(2, 5000),
        tone(20, 48_000, 1.0),
        tone(1000, 16_000),
        30 * noise(1, 100),
        0.3 + 0.1 * noise(1, 100),
    ],
)
def test_a_sound_one_has_no_faults(waveform: torch.Tensor) -> None:
    assert audio.find_faults(waveform) == []
