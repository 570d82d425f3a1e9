"""CLAP from the waveform on: transformers' own feature extractor and model are the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel

from unheard.embedders.clap import ClapEmbedder, window_starts
from unheard.embedders.mel import MelSpectrogram, pad_to_window
from unheard.errors import InputError
from unheard.index import Index, add_sounds

CPU = torch.device("cpu")
WINDOW = 16_000  # the tiny model's, in samples: one second


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model(tiny_clap_folder: Path) -> ClapModel:
    return ClapModel.from_pretrained(tiny_clap_folder).eval()


@pytest.fixture(scope="module")
def extractor(tiny_clap_folder: Path) -> ClapFeatureExtractor:
    return ClapFeatureExtractor.from_pretrained(tiny_clap_folder)


@pytest.fixture(scope="module")
def embedder(tiny_clap_folder: Path) -> ClapEmbedder:
    return ClapEmbedder.load(tiny_clap_folder)


def with_settings(extractor: ClapFeatureExtractor, **changes: object) -> ClapFeatureExtractor:
    return ClapFeatureExtractor.from_dict({**extractor.to_dict(), **changes})


def at_peak(sound: Tensor) -> np.ndarray:
    return (sound / sound.abs().max()).numpy()


# Parity


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
@pytest.mark.parametrize("samples", [WINDOW, 15_999, 9000, 8000, 5000, 200, 1])
def test_spectrogram_equals_the_feature_extractor(
    extractor: ClapFeatureExtractor, truncation: str, padding: str, samples: int
) -> None:
    extractor = with_settings(extractor, truncation=truncation, padding=padding)
    sound = noise(1, samples)
    ours = MelSpectrogram(extractor, CPU)(pad_to_window(sound, WINDOW, padding))  # type: ignore[arg-type]
    theirs = extractor(sound[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_features[:, 0]
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs.float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
@pytest.mark.parametrize("samples", [WINDOW, 12_345, 3000])
def test_audio_embeddings_equal_transformers(
    model: ClapModel, extractor: ClapFeatureExtractor, embedder: ClapEmbedder, padding: str, samples: int
) -> None:
    extractor = with_settings(extractor, padding=padding)
    ours = ClapEmbedder(model, extractor, embedder.tokenizer, name="tiny")
    sounds = 3 * noise(2, 1, samples)
    inputs = extractor([at_peak(sound[0]) for sound in sounds], sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        theirs = model.get_audio_features(**inputs).pooler_output
    torch.testing.assert_close(ours.embed_audio(sounds, 16_000), theirs, atol=1e-4, rtol=0)


def test_the_settings_of_the_published_model_give_the_feature_extractors_spectrogram() -> None:
    """48 kHz, 10 s, 64 mels from 50 Hz to 14 kHz: what laion/clap-htsat-unfused is configured with."""
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000, truncation="rand_trunc")
    sound = noise(480_000).numpy() * np.linspace(0, 1, 480_000, dtype=np.float32)
    ours = MelSpectrogram(extractor, CPU)(torch.from_numpy(sound)[None])
    theirs = extractor(sound, sampling_rate=48_000, return_tensors="pt").input_features[:, 0]
    assert ours.shape == (1, 1001, 64)
    torch.testing.assert_close(ours, theirs.float(), atol=1e-3, rtol=0)


def test_the_spectrogram_of_a_pure_tone_is_right_between_its_partials(
    extractor: ClapFeatureExtractor,
) -> None:
    sound = torch.sin(2 * torch.pi * 1000 * torch.arange(WINDOW) / 16_000)
    ours = MelSpectrogram(extractor, CPU)(sound[None])
    theirs = extractor(sound.numpy(), sampling_rate=16_000, truncation="rand_trunc", return_tensors="pt")
    assert (ours < -80).float().mean() > 0.1
    torch.testing.assert_close(ours, theirs.input_features[:, 0].float(), atol=1e-3, rtol=0)


def test_a_model_with_fusion_hears_short_sounds_as_transformers_does(
    model: ClapModel, extractor: ClapFeatureExtractor, embedder: ClapEmbedder
) -> None:
    settings = model.config.to_dict()
    settings["audio_config"].update(enable_fusion=True, fusion_type="aff_2d")
    torch.manual_seed(0)
    fused = ClapModel(ClapConfig(**settings)).eval()
    extractor = with_settings(extractor, truncation="fusion")
    sounds = noise(3, 1, 7000)
    inputs = extractor([at_peak(sound[0]) for sound in sounds], sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        # Left to itself, the extractor calls one sound of the batch, drawn by chance, a long one.
        nothing_longer = torch.zeros(3, 1, dtype=torch.bool)
        theirs = fused.get_audio_features(inputs.input_features, is_longer=nothing_longer).pooler_output
    ours = ClapEmbedder(fused, extractor, embedder.tokenizer, name="fused").embed_audio(sounds, 16_000)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_text_embeddings_equal_transformers(
    model: ClapModel, tiny_clap_folder: Path, embedder: ClapEmbedder
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_clap_folder)
    texts = ["an acoustic drum loop, 110 bpm", "bell", "", "Glöckchen 鐘"]
    ours = embedder.embed_text(texts)
    torch.testing.assert_close(ours.norm(dim=-1), torch.ones(4))
    for text, embedding in zip(texts, ours, strict=True):
        with torch.no_grad():
            theirs = model.get_text_features(**tokenizer(text, return_tensors="pt")).pooler_output[0]
        torch.testing.assert_close(embedding, theirs, atol=1e-5, rtol=0)


def test_many_and_long_texts(embedder: ClapEmbedder) -> None:
    texts = [f"sound number {n} " * 40 for n in range(70)] + ["x" * 10_000]
    embeddings = embedder.embed_text(texts)
    assert embeddings.shape == (71, 16)
    torch.testing.assert_close(embeddings[3:4], embedder.embed_text(texts[3:4]), atol=1e-5, rtol=0)
    assert embedder.embed_text([]).shape == (0, 16)
    assert not embeddings.requires_grad


# Properties


def test_a_batch_gives_what_each_sound_gives_alone(embedder: ClapEmbedder) -> None:
    for samples in (9000, 40_000):
        sounds = noise(5, 2, samples) * torch.tensor([1e-3, 0.1, 1.0, 10.0, 1e-4])[:, None, None]
        together = embedder.embed_audio(sounds, 16_000)
        alone = torch.cat([embedder.embed_audio(sound[None], 16_000) for sound in sounds])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(together.norm(dim=-1), torch.ones(5))


def test_level_panning_and_sample_rate_do_not_count(embedder: ClapEmbedder) -> None:
    # A chord well below both Nyquist frequencies.
    def chord(rate: int) -> Tensor:
        time = torch.arange(rate, dtype=torch.float64) / rate
        frequencies = torch.tensor([220.0, 330.0, 1000.0, 2500.0], dtype=torch.float64)
        return torch.sin(2 * torch.pi * frequencies[:, None] * time).sum(dim=0).float()

    plain = embedder.embed_audio(chord(16_000)[None, None], 16_000)
    sides = torch.stack([2 * chord(16_000), torch.zeros(16_000)])[None]
    torch.testing.assert_close(embedder.embed_audio(0.01 * sides, 16_000), plain, atol=1e-4, rtol=0)
    resampled = embedder.embed_audio(chord(44_100)[None, None], 44_100)
    assert (resampled * plain).sum() > 0.999


@given(length=st.integers(1, 10**7), window=st.integers(100, 10**6))
def test_windows_cover_the_sound_and_overlap_by_half(length: int, window: int) -> None:
    starts = window_starts(length, window)
    assert starts[0] == 0
    if length <= window * 1.01:
        assert starts == [0]
    else:
        assert starts[-1] + window == length
        steps = np.diff(starts)
        assert steps.max() <= window / 2 + 1
        assert steps.max() - steps.min() <= 1
        assert len(starts) == 1 + -(-2 * (length - window) // window)  # no more than it takes


def test_a_long_sound_is_the_mean_of_its_windows(embedder: ClapEmbedder) -> None:
    sound = noise(2, 40_000)
    starts, windows = embedder.embed_windows(sound, 16_000)
    assert starts.tolist() == [0.0, 0.5, 1.0, 1.5]
    peak = sound.mean(dim=0).abs().max()
    for start, window in zip(starts, windows, strict=True):
        first = int(start * 16_000)
        # Each window is heard at the level it has in the whole sound: give it the whole sound's peak.
        part = (sound.mean(dim=0) / peak)[first : first + WINDOW]
        expected = embedder._embed(part[None])
        torch.testing.assert_close(window[None], expected, atol=1e-5, rtol=0)
    mean = torch.nn.functional.normalize(windows.mean(dim=0), dim=0)
    torch.testing.assert_close(embedder.embed_audio(sound[None], 16_000)[0], mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        embedder.embed_audio(sound[None], 16_000), embedder.embed_audio(sound[None], 16_000), atol=0, rtol=0
    )


def test_a_sound_longer_by_a_block_of_samples_is_heard_once(embedder: ClapEmbedder) -> None:
    sound = noise(1, WINDOW + 100)
    sound[:, WINDOW:] *= 0.1
    starts, windows = embedder.embed_windows(sound, 16_000)
    assert starts.tolist() == [0.0]
    torch.testing.assert_close(windows, embedder.embed_audio(sound[None, :, :WINDOW], 16_000))


@pytest.mark.parametrize(
    ("samples", "rate"), [(6000, 8000), (9000, 8000), (30_000, 16_000)], ids=["short", "over", "long"]
)
def test_the_gradient_agrees_with_finite_differences(tiny_clap_folder: Path, samples: int, rate: int) -> None:
    """From a stereo waveform through resampling, peak, spectrogram and tower, in float64."""
    embedder = ClapEmbedder.load(tiny_clap_folder, dtype=torch.float64)
    waveform = noise(2, 2, samples).double().requires_grad_()
    direction = noise(2, 16, seed=1).double()

    def similarity(sounds: Tensor) -> Tensor:
        return (embedder.embed_audio(sounds, rate) * direction).sum()

    value = similarity(waveform)
    assert value.dtype == torch.float64
    (gradient,) = torch.autograd.grad(value, waveform)
    assert gradient.abs().amax(dim=(1, 2)).min() > 0
    with torch.no_grad():
        for seed in range(3):
            step = noise(2, 2, samples, seed=seed + 2).double()
            epsilon = 1e-6
            numerical = (similarity(waveform + epsilon * step) - similarity(waveform - epsilon * step)) / (
                2 * epsilon
            )
            torch.testing.assert_close((gradient * step).sum(), numerical, rtol=1e-5, atol=1e-9)


def test_silence_has_a_unit_embedding_and_a_finite_gradient(embedder: ClapEmbedder) -> None:
    waveform = torch.zeros(1, 2, 8000, requires_grad=True)
    embedding = embedder.embed_audio(waveform, 16_000)
    embedding.sum().backward()
    torch.testing.assert_close(embedding.norm(), torch.tensor(1.0))
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close_and_gives_float32(
    tiny_clap_folder: Path, embedder: ClapEmbedder, dtype: torch.dtype
) -> None:
    half = ClapEmbedder.load(tiny_clap_folder, dtype=dtype)
    sounds = noise(2, 1, WINDOW)
    embedding = half.embed_audio(sounds.to(dtype), 16_000)
    assert embedding.dtype == half.embed_text(["a bell"]).dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(2))
    assert (embedding * embedder.embed_audio(sounds, 16_000)).sum(dim=-1).min() > 0.99


def test_nothing_but_the_waveform_takes_a_gradient(embedder: ClapEmbedder) -> None:
    assert not any(parameter.requires_grad for parameter in embedder.model.parameters())
    assert not embedder.model.training
    assert not embedder.embed_audio(noise(1, 1, 800), 16_000).requires_grad


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 100), r"\[batch, channels, time\], not \[1, 100\]"), ((1, 1, 2), "too short")]
)
def test_a_waveform_that_cannot_be_embedded_is_refused(
    embedder: ClapEmbedder, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        embedder.embed_audio(noise(*shape), 48_000)


def test_sounds_added_to_an_index_are_found_again(embedder: ClapEmbedder, tmp_path: Path) -> None:
    from unheard import audio

    for number in range(3):
        audio.write_wav(tmp_path / f"{number}.wav", noise(2, 12_000, seed=number), 44_100)
    add_sounds(tmp_path / "index.json", sorted(tmp_path.glob("*.wav")), "noise", embedder)
    index = Index.open(tmp_path / "index.json")
    index.check_embedder(embedder)
    [(item, similarity)] = index.nearest(embedder.embed_audio(noise(1, 2, 12_000, seed=1), 44_100)[0])
    assert item.id == "1.wav"
    assert similarity == pytest.approx(1, abs=1e-4)  # but for the 16 bits
