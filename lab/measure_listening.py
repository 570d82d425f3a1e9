"""How well the packed listener and judge hear: `python -m lab.measure_listening`. Prints JSON.

Both are measured on the report side of `listening.py`, by which nothing was chosen, as rendered and as it
comes back from the autoencoder; the judge also on the model's corpus, of which it heard and read nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lab import listening, sizes, train_judge, train_listener, truth
from lab.clap import embed_all
from lab.corpus_files import Corpus, as_float
from unheard.embedders import load_embedder
from unheard.embedders.clap import ClapEmbedder
from unheard.evaluation.listener import Listener
from unheard.evaluation.metrics import OF_CAPTIONS
from unheard.evaluation.metrics.kept import kept


def of_listener(folder: Path, corpus: Corpus, decoded: np.ndarray) -> dict[str, dict[str, Any]]:
    """See `train_listener.measure`, of rendered and of decoded sounds."""
    listener = Listener.load(folder)
    sides = {"rendered": corpus.sounds, "decoded": decoded}
    return {
        name: train_listener.measure(listener.network, corpus, sounds, "report")
        | {"of captions": of_captions(listener, corpus, sounds)}
        for name, sounds in sides.items()
    }


def of_captions(listener: Listener, corpus: Corpus, sounds: np.ndarray) -> dict[str, list[float]]:
    """What rendered sounds keep of their own captions by `unheard evaluate`: the most that a model can be
    found to keep. Of each metric the share, and of how many sounds.
    """
    rows = [(p, corpus.rows[p]) for p in corpus.positions("report")]
    found = []
    for position, row in rows:
        samples = round(row["duration"] * sizes.SAMPLE_RATE)
        (heard,) = listener.hear(as_float(sounds[position, :samples])[None, None], sizes.SAMPLE_RATE)
        found.append(kept(listener.said(row["caption"]), heard))
    of = {name: [each[name] for each in found if each[name] is not None] for name in OF_CAPTIONS}
    return {name: [float(np.mean(values)), len(values)] for name, values in of.items()}


@torch.no_grad()
def on_training_set(judge: ClapEmbedder, corpus: Corpus) -> dict[str, float]:
    """Whether the best other recording of the model's corpus is of the same instrument.

    Of a sound: the nearest of all ordinary and held-out sounds but itself. Of a caption, of a held-out sound
    or a memorised one: the nearest to it of all sounds but those that it was written for.
    """
    rows = corpus.rows
    embeddings = embed_all(judge, corpus, corpus.sounds, list(range(len(rows))))
    instruments = np.array([truth.instrument(row) for row in rows])
    once = corpus.positions("ordinary", "held out")
    result = {"nearest other sound": train_judge.nearest_other(embeddings[once], instruments[once].tolist())}
    captions = np.array([row["caption"] for row in rows])
    for split in ("held out", "memorised"):
        of = {rows[p]["caption"]: instruments[p] for p in corpus.positions(split)}
        cosines = (judge.embed_text(list(of)).cpu() @ embeddings.T).numpy()
        cosines[captions[None, :] == np.array(list(of))[:, None]] = -2
        right = instruments[cosines.argmax(1)] == np.array(list(of.values()))
        result[f"best other sound of {split} captions"] = float(right.mean())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and other sounds")
    parser.add_argument("--model", type=Path, default="src/unheard/assets/tiny", help="of listener and judge")
    parser.add_argument("--judge", type=Path, help="another judge than the model's")
    arguments = parser.parse_args()
    corpus, decoded = listening.read(arguments.work / "listening")
    judge = load_embedder(arguments.judge or arguments.model / "judge")
    assert decoded is not None
    found = {
        "listener": of_listener(arguments.model / "listener", corpus, decoded),
        "judge": train_judge.measure(judge, corpus, decoded, "report"),
        "judge, training set": on_training_set(judge, Corpus(arguments.work / "corpus")),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
