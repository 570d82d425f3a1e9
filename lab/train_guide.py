"""Trains the guide: `python -m lab.train_guide --size cpu`. Resumes where it stopped.

Trained on symmetric contrastive losses: sound against caption, and sound against an altered copy of itself
(level, equalisation, noise, the autoencoder's reconstruction), where the other takes of the same instrument
in the batch are the hard negatives that teach it to tell takes apart.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lab import options, sizes
from lab.checkpoints import Checkpoint, descend, draws, learning_rate
from lab.clap import altered, build, contrast, embed_all, fill_window, hear, spectrogram
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision
from unheard.embedders.clap import ClapEmbedder

SEED = 1


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


def train(
    size: str,
    corpus: Corpus,
    decoded: np.ndarray | None,
    folder: Path,
    device: str,
    steps: int | None = None,
) -> ClapEmbedder:
    plan = sizes.CLAP[size]
    steps = steps or plan.steps
    torch.manual_seed(SEED)
    model, processor = build("guide", size, corpus.captions)
    model = model.to(device).train()
    mel = spectrogram(processor, device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=0.05, betas=(0.9, 0.98)
    )
    checkpoint = Checkpoint(folder)
    checkpoint.resume(model=model, optimizer=optimizer)
    groups: dict[str, list[int]] = {}
    for position in corpus.training:
        row = corpus.rows[position]
        groups.setdefault(f"{row['family']} {row['program']}", []).append(position)
    tokenizer, started = processor.tokenizer, time.monotonic()

    for step in range(checkpoint.step, steps):
        rng = draws(step, SEED)
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
            sounds = hear(model, mel, altered(waveforms, rng))
            texts = F.normalize(model.get_text_features(**words).pooler_output.float(), dim=-1)
        first, second = sounds.chunk(2)
        one = torch.eye(len(batch), dtype=torch.bool, device=device)
        names = np.array([r["caption"] for r in rows])
        same = torch.from_numpy(names[:, None] == names[None, :]).to(device)
        text_scale = model.logit_scale_t.exp().clamp(max=40)
        audio_scale = model.logit_scale_a.exp().clamp(max=40)
        by_caption = [contrast(text_scale * sound @ texts.T, same) for sound in (first, second)]
        loss = sum(by_caption) / 2 + contrast(audio_scale * first @ second.T, one)
        descend(loss, optimizer)
        done = step + 1
        if done % 100 == 0 or done == steps:
            seconds = round(time.monotonic() - started)
            entry = {"step": done, "loss": round(loss.item(), 3), "seconds": seconds}
            if done % 500 == 0 or done == steps:
                embedder = ClapEmbedder(model, processor.feature_extractor, tokenizer, name="guide")
                entry |= measure(embedder, corpus, decoded)
                model.train().requires_grad_(True)
            checkpoint.record(entry, model=model, optimizer=optimizer)
    model.eval().save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    (folder / "model" / "unheard.json").write_text(json.dumps({"name": "unheard/tiny-guide"}) + "\n")
    return ClapEmbedder(model, processor.feature_extractor, tokenizer, name="guide")


def main() -> None:
    arguments = options.training(__doc__).parse_args()
    work = arguments.work
    file = work / "vae" / "decoded.npy"
    decoded = np.load(file, mmap_mode="r") if file.is_file() else None
    corpus = Corpus(work / "corpus")
    train(arguments.size, corpus, decoded, work / "guide", arguments.device, arguments.steps)


if __name__ == "__main__":
    main()
