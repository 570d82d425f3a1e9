"""Trains the judge: `python -m lab.train_judge --size cpu`. Resumes where it stopped.

A judge that had learned from the model's own training set would call a sound fitting because it is near the
recording that its caption was trained with. So the judge learns from the sounds of `listening.py` alone: it
has heard no recording and read no caption of the model. Captions are the templates' and prose, with words
that no network knows among them, which it learns to pass over.

Three losses: symmetric contrast of sound and caption, as in CLAP; the instrument, told from the embedding
alone by the nearest of 51 learned directions, so that sounds of one instrument lie together; and for some of
the batch the contrast with an altered copy, so that they do not fall together.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab import listening, options, sizes, truth
from lab.checkpoints import Checkpoint, descend, draws, learning_rate
from lab.clap import altered, build, contrast, embed_all, fill_window, hear, spectrogram
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision
from lab.prose import in_no_place
from unheard.embedders.clap import ClapEmbedder

SEED = 2
SHORTEST = 1.5  # seconds of an excerpt
SHARPNESS = 16.0  # of the instruments' directions: cosines times this are logits
COPIES = 4  # one sound of so many is heard twice


class Directions(nn.Module):
    """Logits of instruments from unit embeddings `[sounds, dimension]`, by cosine to a direction of each."""

    def __init__(self, dimension: int, instruments: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(instruments, dimension))

    def forward(self, embeddings: Tensor) -> Tensor:
        return SHARPNESS * embeddings @ F.normalize(self.weight, dim=-1).T


def view(corpus: Corpus, decoded: np.ndarray | None, position: int, rng: np.random.Generator) -> np.ndarray:
    """The sound or an excerpt, as it is or as it comes back from the autoencoder, in the judge's window."""
    duration = corpus.rows[position]["duration"]
    length = duration if rng.random() < 0.5 else rng.uniform(min(SHORTEST, duration), duration)
    first = round(rng.uniform(0, duration - length) * sizes.SAMPLE_RATE)
    passed = decoded is not None and position < len(decoded) and rng.random() < 0.9
    source = decoded if passed else corpus.sounds
    return fill_window(source[position, first:], length)


def caption_of(row: dict, rng: random.Random) -> str:
    """As the templates or as people write it; now and then in lower case, or with unknown words."""
    caption = row["caption"] if rng.random() < 0.5 else row["prose"]
    if rng.random() < 0.3:
        caption = f"{caption} {in_no_place(rng)}"
    return caption.lower() if rng.random() < 0.2 else caption


def draw(corpus: Corpus, decoded: np.ndarray | None, batch: int, rng: np.random.Generator) -> list[int]:
    """Positions of different training sounds, half of them such as have passed the autoencoder."""
    training = np.array(corpus.positions("training"))
    if decoded is None:
        return rng.choice(training, batch, replace=False).tolist()
    passed = training < len(decoded)
    half = rng.choice(training[passed], batch // 2, replace=False)
    return [*half.tolist(), *rng.choice(training[~passed], batch - len(half), replace=False).tolist()]


def nearest_other(embeddings: Tensor, instruments: list[int]) -> float:
    """How often the nearest other sound `[sounds, dimension]` is of the same instrument."""
    nearest = (embeddings @ embeddings.T).fill_diagonal_(-2).argmax(1)
    kinds = torch.tensor(instruments)
    return (kinds[nearest] == kinds).float().mean().item()


def measure(
    embedder: ClapEmbedder, corpus: Corpus, decoded: np.ndarray | None, side: str
) -> dict[str, float]:
    """Of a side's sounds: whether the nearest other one, and the one nearest to a prose caption, is of the
    same instrument, among clean and among decoded sounds.
    """
    positions = corpus.positions(side)
    instruments = [truth.instrument(corpus.rows[p]) for p in positions]
    with torch.no_grad():
        texts = embedder.embed_text([corpus.rows[p]["prose"] for p in positions]).cpu()
    result = {}
    for name, sounds in (("", corpus.sounds), ("decoded ", decoded)):
        if sounds is None:
            continue
        embeddings = embed_all(embedder, corpus, sounds, positions)
        result[f"{name}nearest other"] = nearest_other(embeddings, instruments)
        others = (texts @ embeddings.T).fill_diagonal_(-2).argmax(1).tolist()
        right = [instruments[found] == own for found, own in zip(others, instruments, strict=True)]
        result[f"{name}best other of caption"] = float(np.mean(right))
    return result


def train(
    size: str,
    corpus: Corpus,
    decoded: np.ndarray | None,
    words: list[str],
    folder: Path,
    device: str,
    steps: int | None = None,
) -> ClapEmbedder:
    """The trained judge; `words` are captions that its tokenizer is to know beside those it learns from."""
    plan = sizes.JUDGE[size]
    steps = steps or plan.steps
    torch.manual_seed(SEED)
    learned = [corpus.rows[p][kind] for p in corpus.positions("training") for kind in ("caption", "prose")]
    model, processor = build("judge", size, words + learned)
    model = model.to(device).train()
    directions = Directions(model.config.projection_dim, len(truth.NAMES)).to(device)
    mel = spectrogram(processor, device)
    parameters = [*model.parameters(), *directions.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.05, betas=(0.9, 0.98))
    checkpoint = Checkpoint(folder)
    checkpoint.resume(model=model, directions=directions, optimizer=optimizer)
    tokenizer, started = processor.tokenizer, time.monotonic()
    copies = plan.batch // COPIES

    for step in range(checkpoint.step, steps):
        rng = draws(step, SEED)
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps, plan.learning_rate)
        batch = rng.permutation(draw(corpus, decoded, plan.batch, rng)).tolist()
        rows = [corpus.rows[position] for position in batch]
        windows = [view(corpus, decoded, position, rng) for position in (*batch, *batch[:copies])]
        waveforms = altered(as_float(np.stack(windows)), rng).to(device)
        captions = [caption_of(row, random.Random(f"{step} {n}")) for n, row in enumerate(rows)]
        written = tokenizer(captions, padding=True, return_tensors="pt").to(device)
        with mixed_precision(device):
            sounds = hear(model, mel, waveforms)
            texts = F.normalize(model.get_text_features(**written).pooler_output.float(), dim=-1)
        one = torch.eye(len(batch), dtype=torch.bool, device=device)
        text_scale = model.logit_scale_t.exp().clamp(max=40)
        audio_scale = model.logit_scale_a.exp().clamp(max=40)
        played = torch.tensor([truth.instrument(row) for row in rows], device=device)
        first, again = sounds[: len(batch)], sounds[len(batch) :]
        loss = (
            contrast(text_scale * first @ texts.T, one)
            + F.cross_entropy(directions(first), played)
            + 0.5 * F.cross_entropy(directions(texts), played)
            + 0.5 * contrast(audio_scale * first[:copies] @ again.T, one[:copies, :copies])
        )
        descend(loss, optimizer)
        done = step + 1
        if done % 50 == 0 or done == steps:
            seconds = round(time.monotonic() - started)
            entry = {"step": done, "loss": round(loss.item(), 3), "seconds": seconds}
            if done % 200 == 0 or done == steps:
                embedder = ClapEmbedder(model, processor.feature_extractor, tokenizer, name="judge")
                entry |= measure(embedder, corpus, decoded, "development")
                model.train().requires_grad_(True)
            checkpoint.record(entry, model=model, directions=directions, optimizer=optimizer)
    model.eval().save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    (folder / "model" / "unheard.json").write_text(json.dumps({"name": "unheard/tiny-judge"}) + "\n")
    return ClapEmbedder(model, processor.feature_extractor, tokenizer, name="judge")


def main() -> None:
    arguments = options.training(__doc__).parse_args()
    work, sounds = arguments.work, listening.read(arguments.work / "listening")
    words = Corpus(work / "corpus").captions
    train(arguments.size, *sounds, words, work / "judge", arguments.device, arguments.steps)


if __name__ == "__main__":
    main()
