"""The listener hears sounds of any length and rate; its files are a listener's or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from unheard.audio import resample
from unheard.errors import ModelError
from unheard.evaluation.listener import KNOWN, WEIGHTS, Instrument, Listener, Vocabulary
from unheard.evaluation.listener.network import (
    KEYS,
    LAGS,
    SAMPLE_RATE,
    TEMPI,
    WINDOW,
    ListenerNetwork,
    Onsets,
    Pitch,
    pad,
    triangles,
)

INSTRUMENTS = [Instrument("piano", "keys", ("piano",), 0), Instrument("organ", "keys", ("organ",), 0),
               Instrument("oboe", "winds", ("oboe",), 0)]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = ListenerNetwork(len(INSTRUMENTS))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / WEIGHTS)
    known = {"instruments": [vars(each) for each in INSTRUMENTS], "families": {"keys": ["keyboard"]}}
    (tmp_path / KNOWN).write_text(json.dumps(known))
    return tmp_path


def clicks(tempo: float, seconds: float = 4.0) -> torch.Tensor:
    """`[time]`: short bursts of noise on every beat."""
    generator = torch.Generator().manual_seed(1)
    sound = torch.zeros(round(seconds * SAMPLE_RATE))
    for start in range(0, len(sound) - 800, round(60 / tempo * SAMPLE_RATE)):
        sound[start : start + 800] += torch.randn(800, generator=generator) * torch.linspace(1, 0, 800)
    return sound


def test_what_is_heard_does_not_depend_on_level_channels_or_rate(folder: Path) -> None:
    listener = Listener.load(folder)
    sound = resample(clicks(110.0)[None], SAMPLE_RATE, 32_000)
    quiet, wide = 0.01 * sound, sound.repeat(2, 1)
    (first,) = listener.hear(sound[None], 32_000)
    assert listener.hear(quiet[None], 32_000) == listener.hear(wide[None], 32_000) == [first]
    assert first.instrument in {each.name for each in INSTRUMENTS}
    assert first.family in {"keys", "winds"}
    assert first.key in KEYS
    assert 55 < first.tempo < 170


def test_a_family_is_as_likely_as_its_instruments_together(folder: Path) -> None:
    listener = Listener.load(folder)
    head = listener.network.timbre.head
    head.weight.zero_()
    head.bias.copy_(torch.tensor([0.4, 0.35, 0.45]).log())
    (heard,) = listener.hear(clicks(100.0)[None, None], SAMPLE_RATE)
    assert (heard.instrument, heard.family) == ("oboe", "keys")


@torch.no_grad()
def test_a_long_sound_is_the_mean_of_windows_that_overlap(folder: Path) -> None:
    listener = Listener.load(folder)
    sound = torch.randn(2 * WINDOW + 1_000, generator=torch.Generator().manual_seed(2))
    starts = (0, WINDOW // 2, WINDOW, WINDOW + 1_000)
    windows = torch.stack([sound[start : start + WINDOW] for start in starts])
    expected = listener.network(windows).instruments.log_softmax(1).mean(0).argmax()
    (heard,) = listener.hear(sound[None, None], SAMPLE_RATE)
    assert heard.instrument == INSTRUMENTS[int(expected)].name


def test_silence_is_heard_without_a_fault(folder: Path) -> None:
    (heard,) = Listener.load(folder).hear(torch.zeros(1, 1, 20_000), SAMPLE_RATE)
    assert heard.key in KEYS


def test_weights_in_half_precision_are_heard_in_single(folder: Path) -> None:
    halves = {
        name: t.half() if t.is_floating_point() else t for name, t in load_file(folder / WEIGHTS).items()
    }
    save_file(halves, folder / WEIGHTS)
    assert next(Listener.load(folder).network.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (WEIGHTS, None, "No such file"),
        (KNOWN, None, "No such file"),
        (WEIGHTS, b"none", "cannot load the listener"),
        (KNOWN, b"{}", "instruments"),
        (KNOWN, b'{"instruments": [{"name": "piano"}], "families": {}}', "words"),
        (KNOWN, b'{"instruments": [], "families": {}}', "not of one listener"),
    ],
)
def test_what_is_no_listener_is_refused_in_one_line(
    folder: Path, file: str, content: bytes | None, said: str
) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelError) as raised:
        Listener.load(folder)
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)
    assert said in str(raised.value)


def test_a_checksum_is_of_weights_and_words(folder: Path) -> None:
    before = Listener.load(folder).sha256
    (folder / KNOWN).write_text((folder / KNOWN).read_text() + "\n")
    assert Listener.load(folder).sha256 != before
    assert Listener(ListenerNetwork(3), Vocabulary(INSTRUMENTS, {})).sha256 is None


# --- the front ends ---------------------------------------------------------------------------------------


def test_filters_sum_to_one_and_peak_at_their_centres() -> None:
    centres = torch.tensor([100.0, 101.0, 500.0, 2_000.0])
    filters = triangles(centres, 1024)
    torch.testing.assert_close(filters.sum(0), torch.ones(4))
    bins = filters.argmax(0) * SAMPLE_RATE / 1024
    assert (bins - centres).abs().max() <= SAMPLE_RATE / 1024


@pytest.mark.parametrize("tempo", [70.0, 96.0, 131.0])
def test_onsets_correlate_most_at_the_beat(tempo: float) -> None:
    onsets = Onsets()
    (correlations,) = onsets.correlations(onsets.strength(pad(clicks(tempo)[None])))
    within = (LAGS >= 60 / 150) & (LAGS <= 60 / 60)
    found = 60 / LAGS[within][correlations[-1][within].argmax()]
    assert abs(found / tempo - 1) < 0.03


@torch.no_grad()
def test_what_is_transposed_moves_around_the_octave_of_keys() -> None:
    """In the spectrogram: a semitone up is a column to the right, and one key further."""
    torch.manual_seed(0)
    pitch = Pitch().eval()
    columns = torch.zeros(1, 17, 84 * 3)
    columns[..., 100:160] = torch.rand(1, 17, 60, generator=torch.Generator().manual_seed(3))

    def keys(spectrogram: torch.Tensor) -> torch.Tensor:
        pitch.spectrogram = lambda waveform: spectrogram  # type: ignore[assignment]
        return pitch(torch.zeros(1, 1))[0].unflatten(1, (12, 2))

    del pitch._modules["spectrogram"]
    torch.testing.assert_close(keys(columns.roll(3, 2)), keys(columns).roll(1, 1), rtol=1e-4, atol=1e-4)


def test_tempi_are_two_percent_apart() -> None:
    ratios = TEMPI[:-1] / TEMPI[1:]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 1.02))
