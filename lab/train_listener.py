"""Trains the listener: `python -m lab.train_listener --size cpu`. Resumes where it stopped.

It learns from excerpts of the sounds of `listening.py` at any level, equalised and noisy, three of four as
they come back from the autoencoder.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lab import listening, options, sizes, truth
from lab.checkpoints import Checkpoint, descend, draws, learning_rate
from lab.clap import altered
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision
from lab.words import FAMILY_WORDS, WORDS
from unheard.evaluation.listener import KNOWN, WEIGHTS, Instrument, Vocabulary
from unheard.evaluation.listener.network import MODES, TEMPI, ListenerNetwork, Logits, pad

SHORTEST = 1.5  # seconds of an excerpt
BATCH = 50  # sounds measured at once
PART = 2  # tempo and key are learned from one excerpt of so many: they need fewer
WEIGHT_DECAY = 0.02
TEMPO_SPREAD = 0.02  # deviation of the target, natural logarithm of the tempo
TOLERANCE = 0.04  # of a tempo, as in Gouyon et al. 2006 (doi:10.1109/TSA.2005.858509)
INSTRUMENTS = [
    Instrument(name, family, WORDS[name], written_c_sounds)
    for name, family, written_c_sounds in zip(truth.NAMES, truth.FAMILIES, truth.WRITTEN_C, strict=True)
]
FAMILIES = sorted(set(truth.FAMILIES))


def family_logits(instruments: torch.Tensor) -> torch.Tensor:
    """Logits of `FAMILIES`, `[sounds, families]`: a family is as likely as its instruments together."""
    members = torch.tensor([FAMILIES.index(family) for family in truth.FAMILIES])
    columns = [instruments[:, members == number].logsumexp(1) for number in range(len(FAMILIES))]
    return torch.stack(columns, 1)


def excerpts(
    corpus: Corpus, decoded: np.ndarray | None, batch: int, rng: np.random.Generator
) -> tuple[torch.Tensor, list[dict], list[tuple[float, float]]]:
    """Waveforms `[batch, WINDOW]`, three of four decoded, their rows, and where they begin and end (s)."""
    training = corpus.positions("training")
    passed = [] if decoded is None else [p for p in training if p < len(decoded)]
    waveforms, rows, bounds = [], [], []
    for number in range(batch):
        own = decoded is not None and number % 4 > 0
        position = int(rng.choice(passed if own else training))
        row = corpus.rows[position]
        duration = row["duration"]
        length = duration if rng.random() < 0.5 else rng.uniform(min(SHORTEST, duration), duration)
        start = rng.uniform(0, duration - length)
        first, last = round(start * sizes.SAMPLE_RATE), round((start + length) * sizes.SAMPLE_RATE)
        source = decoded if own else corpus.sounds
        waveforms.append(pad(as_float(source[position, first:last])[None])[0])
        rows.append(row)
        bounds.append((start, start + length))
    return torch.stack(waveforms), rows, bounds


def loss_of(logits: Logits, rows: list[dict], bounds: list[tuple[float, float]]) -> torch.Tensor:
    """What is heard against what is true: instruments of all rows; of the first, whose tempi and keys were
    heard, these where there is a beat or a key.
    """
    device = logits.instruments.device
    instruments = torch.tensor([truth.instrument(row) for row in rows])
    families = torch.tensor([FAMILIES.index(row["family"]) for row in rows])
    loss = F.cross_entropy(logits.instruments, instruments.to(device))
    loss = loss + 0.5 * F.cross_entropy(family_logits(logits.instruments), families.to(device))
    rows, bounds = rows[: len(logits.keys)], bounds[: len(logits.keys)]
    classes = [truth.pitch_classes(row, *where) for row, where in zip(rows, bounds, strict=True)]
    pitched = torch.tensor([not row["drums"] for row in rows])
    if pitched.any():
        present = torch.tensor([[float(tone in some) for tone in range(12)] for some in classes])
        loss = loss + 2 * F.binary_cross_entropy_with_logits(
            logits.pitch_classes[pitched], present[pitched].to(device)
        )
    keyed = [n for n, some in enumerate(classes) if truth.has_key(some)]
    if keyed:
        keys = torch.tensor([key_number(rows[n]) for n in keyed])
        loss = loss + F.cross_entropy(logits.keys[keyed], keys.to(device))
    beats = [n for n, row in enumerate(rows) if truth.has_beat(row, *bounds[n])]
    if beats:
        tempi = torch.tensor([float(rows[n]["tempo"]) for n in beats])
        distance = (TEMPI.log() - tempi[:, None].log()) / TEMPO_SPREAD
        loss = loss + F.cross_entropy(logits.tempi[beats], (-0.5 * distance.square()).softmax(1).to(device))
    return loss


def key_number(row: dict) -> int:
    """The position among `KEYS` of the key that a row sounds in."""
    tonic, mode = truth.sounding_key(row) or (0, "major")
    return tonic * len(MODES) + MODES.index(mode)


def tempo_within(heard: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Whether each tempo is right to `TOLERANCE`, 1, by an octave, 2, or neither, 0."""
    right = np.abs(heard / true - 1) <= TOLERANCE
    octave = (np.abs(heard / (2 * true) - 1) <= TOLERANCE) | (np.abs(2 * heard / true - 1) <= TOLERANCE)
    return np.where(right, 1, np.where(octave, 2, 0))


@torch.no_grad()
def measure(network: ListenerNetwork, corpus: Corpus, sounds: np.ndarray, side: str) -> dict[str, float]:
    """Shares that are heard right of the whole sounds of a side: of tempi where there is a beat (also by an
    octave, whose share stands beside), of keys where there is one (also the relative key).
    """
    learning = network.training
    network.eval()
    device = next(network.parameters()).device
    positions = corpus.positions(side)
    rows = [corpus.rows[p] for p in positions]
    firsts = range(positions[0], positions[-1] + 1, BATCH)
    pieces = [network(as_float(sounds[first : first + BATCH]).to(device)) for first in firsts]
    count = len(rows)
    instruments, tempi, keys = (
        torch.cat([getattr(piece, name) for piece in pieces])[:count].cpu()
        for name in ("instruments", "tempi", "keys")
    )
    right = instruments.argmax(1) == torch.tensor([truth.instrument(row) for row in rows])
    family = family_logits(instruments).argmax(1) == torch.tensor([FAMILIES.index(r["family"]) for r in rows])
    beats = [n for n, row in enumerate(rows) if truth.has_beat(row, 0, row["duration"])]
    heard = TEMPI[tempi.argmax(1)].numpy()
    tempo = tempo_within(heard[beats], np.array([float(rows[n]["tempo"]) for n in beats]))
    keyed = [n for n, r in enumerate(rows) if truth.has_key(truth.pitch_classes(r, 0, r["duration"]))]
    true_keys = [key_number(rows[n]) for n in keyed]
    found = keys.argmax(1)[keyed].tolist()
    relatives = [relative(key) for key in true_keys]
    same = [a == b for a, b in zip(found, true_keys, strict=True)]
    related = [a == b for a, b in zip(found, relatives, strict=True)]
    network.train(learning)
    return {
        "family": family.float().mean().item(),
        "instrument": right.float().mean().item(),
        "tempo": float((tempo > 0).mean()),
        "tempo octave": float((tempo == 2).mean()),
        "key": float(np.mean(same)),
        "key relative": float(np.mean(related)),
        "beats": len(beats),
        "keys": len(keyed),
    }


def relative(key: int) -> int:
    """The key of the same pitch classes in the other mode."""
    tonic, mode = divmod(key, len(MODES))
    return ((tonic + 9) % 12 * 2 + 1) if MODES[mode] == "major" else ((tonic + 3) % 12 * 2)


def train(
    size: str, corpus: Corpus, decoded: np.ndarray | None, folder: Path, device: str, steps: int | None = None
) -> ListenerNetwork:
    """The trained network; `folder` gets checkpoints and, at the end, `model/`."""
    plan = sizes.LISTENER[size]
    steps = steps or plan.steps
    torch.manual_seed(0)
    network = ListenerNetwork(len(truth.NAMES)).to(device).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=WEIGHT_DECAY, betas=(0.9, 0.98)
    )
    checkpoint = Checkpoint(folder)
    checkpoint.resume(network=network, optimizer=optimizer)
    started = time.monotonic()
    for step in range(checkpoint.step, steps):
        rng = draws(step, 3)
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps, plan.learning_rate)
        waveforms, rows, bounds = excerpts(corpus, decoded, plan.batch, rng)
        waveforms = altered(waveforms, rng).to(device)
        part = slice(0, plan.batch // PART)
        with mixed_precision(device):
            instruments = network.timbre(waveforms).float()
            tempi = network.onsets(waveforms[part]).float()
            keys, pitch_classes = (logits.float() for logits in network.pitch(waveforms[part]))
        loss = loss_of(Logits(instruments, tempi, keys, pitch_classes), rows, bounds)
        descend(loss, optimizer)
        done = step + 1
        if done % 50 == 0 or done == steps:
            seconds = round(time.monotonic() - started)
            entry = {"step": done, "loss": round(loss.item(), 3), "seconds": seconds}
            if done % 200 == 0 or done == steps:
                entry |= measure(network, corpus, corpus.sounds, "development")
                if decoded is not None:
                    again = measure(network, corpus, decoded, "development")
                    entry |= {f"decoded {name}": value for name, value in again.items()}
            checkpoint.record(entry, network=network, optimizer=optimizer)
    save(network, folder / "model")
    return network.eval()


def save(network: ListenerNetwork, folder: Path) -> None:
    """Weights in half precision, and `listener.json`: what the listener knows, and its words in captions."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, folder / WEIGHTS)
    known = {"instruments": [vars(each) for each in INSTRUMENTS], "families": FAMILY_WORDS}
    (folder / KNOWN).write_text(json.dumps(known, indent=1) + "\n")


def vocabulary() -> Vocabulary:
    """The words of what it learns to hear, as `listener.json` has them."""
    return Vocabulary(INSTRUMENTS, FAMILY_WORDS)


def main() -> None:
    arguments = options.training(__doc__).parse_args()
    work, sounds = arguments.work, listening.read(arguments.work / "listening")
    train(arguments.size, *sounds, work / "listener", arguments.device, arguments.steps)


if __name__ == "__main__":
    main()
