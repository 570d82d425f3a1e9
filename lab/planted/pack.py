"""Puts the second world together as a model's folder: `python -m lab.planted.pack`.

Autoencoder, guide, judge and listener are the bundled model's: none has heard a planted recording. The folder
brings the index of its whole training set and the planted captions; the recordings lie beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lab import sizes
from lab.checkpoints import Checkpoint, unpack
from lab.corpus_files import Corpus
from lab.pack import DEFAULTS, pack_index, pack_memorised
from lab.planted.train import begin, captions_of
from lab.train_diffusion import TRAINED
from unheard.common.files import sha256
from unheard.guidance.detour.recording_latents import PACKED

KEPT = ("vae", "scheduler", "guide", "judge", "listener")
WEIGHTS = Path(__file__).parent / "weights"
"""What a whole training came to, in half precision: that of the numbers in docs/results.md."""


def pack_trained(corpus: Corpus, model: Path, work: Path, folder: Path) -> None:
    """The averaged weights that training in `work` reached, in half precision; else those that lie here."""
    state = Checkpoint(work / "diffusion").load()
    if state is None:
        for part in TRAINED:
            shutil.copytree(WEIGHTS / part, folder / part, dirs_exist_ok=True)
        return
    generator = begin(model, captions_of(corpus))
    unpack(state, average=generator)
    generator.write(folder)


def take_over(model: Path, folder: Path) -> None:
    """What another `model` has that was not trained here; `model_index.json` comes last."""
    for part in KEPT:
        shutil.copytree(model / part, folder / part, dirs_exist_ok=True)
    shutil.copy(model / "model_index.json", folder)


def pack_latents(corpus: Corpus, latents: torch.Tensor, hop: int, recordings: Path, folder: Path) -> None:
    """Of the whole training set as a model learned it, so that a detour need not encode it.

    `latents` are `[sounds, channels, frames]`, each frame of `hop` samples. They are of sounds padded with
    silence: the last frames differ a little from those of the recordings.
    """
    packed = {}
    for position in corpus.training:
        row = corpus.rows[position]
        frames = -(-round(row["duration"] * sizes.SAMPLE_RATE) // hop)
        file = recordings / "training" / f"{row['id']}.flac"
        packed[sha256(file)] = latents[position, :, :frames].half().contiguous()
    save_file(packed, folder / PACKED)


def pack_ordinary(corpus: Corpus, folder: Path) -> None:
    """Prose captions that the model never saw."""
    rows = [corpus.rows[position] for position in corpus.held_out]
    unseen = [
        {"caption": row["caption"], "duration": row["duration"]} for row in rows if row.get("prose", False)
    ]
    prompts = {"ordinary": unseen, "pool": [row["caption"] for row in unseen]}
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1) + "\n")


def assemble(model: Path, work: Path, folder: Path) -> None:
    """The folder of the second world's model, from the bundled `model` and what was trained in `work`."""
    corpus = Corpus(work / "corpus")
    folder.mkdir(parents=True, exist_ok=True)
    take_over(model, folder)
    pack_trained(corpus, model, work, folder)
    pack_index(corpus, folder)
    pack_memorised(corpus, folder)
    # Nothing, if nothing was trained here: then a detour encodes what it compares with.
    if (known := work / "diffusion" / "latents.safetensors").is_file():
        pack_latents(corpus, load_file(known)["latents"], sizes.HOP, work / "recordings", folder)
    pack_ordinary(corpus, folder)
    (folder / "unheard.json").write_text(json.dumps(DEFAULTS, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, default=Path("src/unheard/assets/tiny"), help="folder of the bundled model"
    )
    parser.add_argument("--work", type=Path, default=Path("build/planted"), help="corpus and checkpoints")
    parser.add_argument("--out", type=Path, default=Path("build/planted/model"), help="folder to write to")
    arguments = parser.parse_args()
    assemble(arguments.model, arguments.work, arguments.out)


if __name__ == "__main__":
    main()
