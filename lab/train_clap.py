"""Trains guide or judge: `python -m lab.train_clap guide --size cpu`. Resumes where it stopped.

Two ClapModels (Wu et al. 2023, arXiv 2211.06687) of different size, seed and spectrogram, so that the judge
does not fail where the guide does. Trained on symmetric contrastive losses: sound against caption, and sound
against an altered copy of itself (level, equalisation, noise, the autoencoder's reconstruction), where the
other takes of the same instrument in the batch are the hard negatives that teach it to tell takes apart.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

from lab import sizes
from lab.checkpoints import Checkpoint, learning_rate, pack, unpack
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision
from lab.vocabulary import roberta_tokenizer
from unheard.embedders.clap import ClapEmbedder
from unheard.embedders.mel import MelSpectrogram

WINDOW = 4  # seconds
SEEDS = {"guide": 1, "judge": 2}
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


def family_batch(
    corpus: Corpus, groups: dict[str, list[int]], batch: int, rng: np.random.Generator
) -> list[int]:
    """Half of the batch at random, half from a few instruments or packs: the hard negatives."""
    chosen = set(rng.choice(corpus.training, batch // 2, replace=False).tolist())
    names = sorted(groups)
    while len(chosen) < batch:
        group = groups[names[rng.integers(len(names))]]
        chosen |= set(rng.choice(group, min(8, len(group)), replace=False).tolist())
    return sorted(chosen) if len(chosen) == batch else rng.permutation(sorted(chosen))[:batch].tolist()


def contrast(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy in which every pair marked `same` counts as right."""
    rows = torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~same, -1e4), 1)
    columns = torch.logsumexp(logits, 0) - torch.logsumexp(logits.masked_fill(~same, -1e4), 0)
    return (rows.mean() + columns.mean()) / 2


def measure(embedder: ClapEmbedder, corpus: Corpus, decoded: np.ndarray | None) -> dict[str, float]:
    """Retrieval of held-out sounds by their captions, and whether takes are told apart.

    The second, on memorised and held-out sounds: how often a reconstruction is nearer to its own original
    than to any other sound of its family.
    """
    held_out = corpus.held_out[:100]
    sounds = embed_all(embedder, corpus, corpus.sounds, held_out)
    with torch.no_grad():
        texts = embedder.embed_text([corpus.rows[p]["caption"] for p in held_out]).cpu()
    ranks = (texts @ sounds.T > (texts * sounds).sum(1, keepdim=True)).sum(1)
    result = {"recall@1": (ranks < 1).float().mean().item(), "recall@5": (ranks < 5).float().mean().item()}
    if decoded is not None:
        chosen = corpus.positions("memorised") + corpus.held_out
        originals = embed_all(embedder, corpus, corpus.sounds, chosen)
        again = embed_all(embedder, corpus, decoded, chosen)
        similarity = again @ originals.T
        families = np.array([corpus.rows[p]["family"] for p in chosen])
        same = torch.from_numpy(families[:, None] == families[None, :])
        own = similarity.diagonal()
        others = similarity.masked_fill(~same, -1).fill_diagonal_(-1).amax(1)
        result |= {"own": own.median().item(), "other": others.median().item()}
        result["told apart"] = (own > others).float().mean().item()
    return result


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


def train(
    role: str,
    size: str,
    corpus: Corpus,
    decoded: np.ndarray | None,
    folder: Path,
    device: str,
    steps: int | None = None,
) -> ClapEmbedder:
    plan = sizes.CLAP[size]
    steps = steps or plan.steps
    torch.manual_seed(SEEDS[role])
    model, processor = build(role, size, corpus.captions)
    model = model.to(device).train()
    mel = MelSpectrogram(processor.feature_extractor, torch.device(device))
    mel._filters, mel._window = mel._filters.float(), mel._window.float()  # no double precision in training
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=0.05, betas=(0.9, 0.98)
    )
    checkpoint = Checkpoint(folder)
    if state := checkpoint.load():
        unpack(state, model=model, optimizer=optimizer)
    groups: dict[str, list[int]] = {}
    for position in corpus.training:
        row = corpus.rows[position]
        groups.setdefault(f"{row['family']} {row['program']}", []).append(position)
    tokenizer, started = processor.tokenizer, time.monotonic()

    def features(waveforms: torch.Tensor) -> torch.Tensor:
        whole = torch.zeros(len(waveforms), 1, dtype=torch.bool)
        output = model.get_audio_features(input_features=mel(waveforms)[:, None], is_longer=whole)
        return F.normalize(output.pooler_output, dim=-1)

    for step in range(checkpoint.step, steps):
        # Drawn from the step, so that a run that was stopped goes on as it would have.
        rng = np.random.default_rng((step, SEEDS[role]))
        torch.manual_seed(int(rng.integers(2**32)))
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps, plan.learning_rate)
        batch = family_batch(corpus, groups, plan.batch, rng)
        rows = [corpus.rows[p] for p in batch]
        windows = []
        for position in batch * 2:
            source = decoded if decoded is not None and rng.random() < 0.5 else corpus.sounds
            windows.append(fill_window(source[position], corpus.rows[position]["duration"]))
        waveforms = as_float(np.stack(windows)).to(device)
        captions = [
            r["caption"].lower() if random.Random(f"{step} {i}").random() < 0.2 else r["caption"]
            for i, r in enumerate(rows)
        ]
        words = tokenizer(captions, padding=True, return_tensors="pt").to(device)
        with mixed_precision(device):
            sounds = features(altered(waveforms, rng)).float()
            texts = F.normalize(model.get_text_features(**words).pooler_output.float(), dim=-1)
        first, second = sounds.chunk(2)
        one = torch.eye(len(batch), dtype=torch.bool, device=device)
        names = np.array([r["caption"] for r in rows])
        same = torch.from_numpy(names[:, None] == names[None, :]).to(device)
        text_scale = model.logit_scale_t.exp().clamp(max=40)
        audio_scale = model.logit_scale_a.exp().clamp(max=40)
        by_caption = [contrast(text_scale * sound @ texts.T, same) for sound in (first, second)]
        loss = sum(by_caption) / 2 + contrast(audio_scale * first @ second.T, one)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        done = step + 1
        if done % 100 == 0 or done == steps:
            seconds = round(time.monotonic() - started)
            entry = {"step": done, "loss": round(loss.item(), 3), "seconds": seconds}
            if done % 500 == 0 or done == steps:
                embedder = ClapEmbedder(model, processor.feature_extractor, tokenizer, name=role)
                entry |= measure(embedder, corpus, decoded)
                model.train().requires_grad_(True)
            checkpoint.log.append(entry)
            print(entry, flush=True)
            checkpoint.save(done, pack(model=model, optimizer=optimizer))
    model.eval().save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    (folder / "model" / "unheard.json").write_text(json.dumps({"name": f"unheard/tiny-{role}"}) + "\n")
    return ClapEmbedder(model, processor.feature_extractor, tokenizer, name=role)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("guide", "judge"), help="the guide steers; the judge only measures")
    parser.add_argument("--size", choices=sizes.NAMES, default="cpu", help="how long to train (default: cpu)")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--steps", type=int, help="train to this step instead of the size's own")
    arguments = parser.parse_args()
    role, work = arguments.role, arguments.work
    file = work / "vae" / "decoded.npy"
    decoded = np.load(file, mmap_mode="r") if file.is_file() else None
    corpus = Corpus(work / "corpus")
    train(role, arguments.size, corpus, decoded, work / role, arguments.device, arguments.steps)


if __name__ == "__main__":
    main()
