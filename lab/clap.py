"""What guide and judge have in common: the networks, what they hear, the contrast that they learn by.

Two ClapModels (Wu et al. 2023, arXiv 2211.06687) of different size, seed and spectrogram, so that the judge
does not fail where the guide does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

from lab import sizes
from lab.corpus_files import Corpus, as_float
from lab.vocabulary import roberta_tokenizer
from unheard.embedders.clap import ClapEmbedder
from unheard.embedders.mel import MelSpectrogram

WINDOW = 4  # seconds
SPECTROGRAMS = {  # 4 s must give at most 256 frames, which the audio tower takes
    "guide": {"fft_window_size": 1024, "hop_length": 256, "frequency_min": 40, "frequency_max": 8_000},
    "judge": {"fft_window_size": 800, "hop_length": 320, "frequency_min": 60, "frequency_max": 7_600},
}
TOWERS = {  # patch, hidden size of the first stage, depths, numbers of an embedding, text width
    "guide": (4, 32, [1, 1, 2, 1], 128, 128),
    "judge": (8, 60, [1, 2, 2], 160, 96),
    "smoke": (4, 16, [1, 1, 1, 1], 32, 32),
}


def build(role: str, size: str, captions: list[str]) -> tuple[ClapModel, ClapProcessor]:
    patch, hidden, depths, dimension, text_width = TOWERS["smoke" if size == "smoke" else role]
    tokenizer = roberta_tokenizer(captions)
    config = ClapConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": text_width,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 2 * text_width,
            "max_position_embeddings": 70,
            "projection_dim": dimension,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        audio_config={
            "spec_size": 128,
            "num_mel_bins": 64,
            "window_size": 4,
            "patch_size": patch,
            "patch_stride": [patch, patch],
            "patch_embeds_hidden_size": hidden,
            "hidden_size": hidden * 2 ** (len(depths) - 1),
            "depths": depths,
            "num_attention_heads": [2, 4, 8, 8][: len(depths)],
            "num_hidden_layers": len(depths),
            "projection_dim": dimension,
            "num_classes": 2,
            "drop_path_rate": 0.0,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        projection_dim=dimension,
    )
    extractor = ClapFeatureExtractor(
        feature_size=64,
        sampling_rate=sizes.SAMPLE_RATE,
        max_length_s=WINDOW,
        truncation="rand_trunc",
        padding="repeatpad",
        **SPECTROGRAMS[role],
    )
    return ClapModel(config), ClapProcessor(extractor, tokenizer)


def spectrogram(processor: ClapProcessor, device: str) -> MelSpectrogram:
    """The front end of the audio tower, in single precision, which is enough for training."""
    mel = MelSpectrogram(processor.feature_extractor, torch.device(device))
    mel._filters, mel._window = mel._filters.float(), mel._window.float()
    return mel


def hear(model: ClapModel, mel: MelSpectrogram, waveforms: torch.Tensor) -> torch.Tensor:
    """Unit embeddings `[sounds, dimension]` of windows `[sounds, time]`."""
    whole = torch.zeros(len(waveforms), 1, dtype=torch.bool)
    output = model.get_audio_features(input_features=mel(waveforms)[:, None], is_longer=whole)
    return F.normalize(output.pooler_output.float(), dim=-1)


def fill_window(sound: np.ndarray, duration: float) -> np.ndarray:
    """The sound repeated whole as often as it fits, then silence: "repeatpad", as CLAP takes short sounds."""
    samples, window = round(duration * sizes.SAMPLE_RATE), WINDOW * sizes.SAMPLE_RATE
    repeated = np.tile(sound[:samples], max(1, window // samples))[:window]
    return np.pad(repeated, (0, window - len(repeated)))


def altered(waveforms: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Each sound as a recording of it may come back: another level, equalised, noisy."""
    batch, time = waveforms.shape
    device = waveforms.device
    frequencies = torch.linspace(0, 1, time // 2 + 1, device=device)

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (batch, 1)).astype(np.float32)).to(device)

    slope, knee = uniform(-8, 4), uniform(0.05, 0.9)
    gain = 10 ** (slope * torch.sigmoid((frequencies - knee) * 12) / 20)
    equalised = torch.fft.irfft(torch.fft.rfft(waveforms) * gain, time)
    level = equalised.square().mean(1, keepdim=True).sqrt()
    noisy = equalised + level * 10 ** (uniform(-55, -18) / 20) * torch.randn_like(equalised)
    return noisy / noisy.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)


def contrast(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy in which every pair marked `same` counts as right."""
    rows = torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~same, -1e4), 1)
    columns = torch.logsumexp(logits, 0) - torch.logsumexp(logits.masked_fill(~same, -1e4), 0)
    return (rows.mean() + columns.mean()) / 2


@torch.no_grad()
def embed_all(
    embedder: ClapEmbedder, corpus: Corpus, sounds: np.ndarray, positions: list[int]
) -> torch.Tensor:
    """`[sounds, dimension]`, each trimmed to its own duration."""
    found = []
    for position in positions:
        samples = round(corpus.rows[position]["duration"] * sizes.SAMPLE_RATE)
        waveform = as_float(sounds[position, :samples])[None, None]
        found.append(embedder.embed_audio(waveform.to(embedder.device), sizes.SAMPLE_RATE).cpu())
    return torch.cat(found)
