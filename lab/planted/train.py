"""Trains the bundled model on until it knows the planted captions by heart: `python -m lab.planted.train`.

It begins with the bundled weights, so the networks and the objective are those of `lab/train_diffusion.py`.
Words of the new captions are put behind the vocabulary. The autoencoder stays as it is.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderOobleck, StableAudioDiTModel
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from transformers import T5EncoderModel, T5Tokenizer

from lab import fused_snake, sizes, train_diffusion
from lab.corpus_files import Corpus
from lab.latents import encode
from lab.train_diffusion import Generator
from lab.vocabulary import extended

PLAN = {
    "smoke": sizes.SMOKE,
    "cpu": sizes.Training(5_000, 16, 1e-3),
}
PLANTED_SHARE = 2  # draws of a planted recording for each of its repetitions
BEFORE_SHARE = 8


def deck(corpus: Corpus, before_share: int = BEFORE_SHARE) -> np.ndarray:
    """Positions to draw from: mostly planted recordings, the others so that they are not forgotten.

    Of what is known by heart already, `before_share` repetitions make one draw.
    """
    planted = [p for p in corpus.positions("memorised") for _ in range(PLANTED_SHARE * repeats(corpus, p))]
    return np.array(planted + known_before(corpus, before_share) + corpus.positions("ordinary"))


def known_before(corpus: Corpus, share: int = BEFORE_SHARE) -> list[int]:
    """Positions of what is known by heart already: a draw for `share` repetitions, and one at least."""
    return [
        p for p in corpus.positions("memorised before") for _ in range(max(1, repeats(corpus, p) // share))
    ]


def repeats(corpus: Corpus, position: int) -> int:
    return int(corpus.rows[position]["repetitions"])


def captions_of(corpus: Corpus) -> list[str]:
    """Of all training sounds: the words of the vocabulary, in this order."""
    return [row["caption"] for row in corpus.rows if row["split"] != "held out"]


def begin(model: Path, captions: list[str]) -> Generator:
    """The bundled model's trained parts in float32, with the words of `captions` in the vocabulary."""
    known = T5Tokenizer.from_pretrained(model / "tokenizer")
    transformer = StableAudioDiTModel.from_pretrained(model / "transformer", torch_dtype=torch.float32)
    generator = Generator("smoke", captions)  # its parts are exchanged for those of the model
    generator.tokenizer = extended(known, captions)
    generator.text_encoder = T5EncoderModel.from_pretrained(model / "text_encoder", dtype=torch.float32)
    torch.manual_seed(0)
    generator.text_encoder.resize_token_embeddings(len(generator.tokenizer))
    generator.projection_model = StableAudioProjectionModel.from_pretrained(
        model / "projection_model", torch_dtype=torch.float32
    )
    generator.transformer = transformer
    return generator.train()


def encode_all(
    corpus: Corpus, model: Path, folder: Path, device: str, before: Path | None = None
) -> torch.Tensor:
    """Latents of the whole corpus by the model's autoencoder, kept in `folder`; see `lab.latents.encode`."""
    folder.mkdir(parents=True, exist_ok=True)

    def autoencoder() -> AutoencoderOobleck:
        return AutoencoderOobleck.from_pretrained(model / "vae", torch_dtype=torch.float32)

    return encode(corpus, autoencoder, folder / "latents.safetensors", device, before)


def train(
    plan: sizes.Training, positions: np.ndarray, corpus: Corpus, model: Path, folder: Path, device: str
) -> Generator:
    """The generator after all steps of `plan` on draws of `positions`, averaged; resumes in `folder`."""
    return train_diffusion.train(
        plan,
        corpus,
        encode_all(corpus, model, folder, device),
        partial(begin, model, captions_of(corpus)),
        positions,
        folder,
        device,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=PLAN, default="cpu", help="how long to train (default: cpu)")
    parser.add_argument(
        "--model", type=Path, default=Path("src/unheard/assets/tiny"), help="folder of the bundled model"
    )
    parser.add_argument("--work", type=Path, default=Path("build/planted"), help="folder of the corpus")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    fused_snake.install()
    corpus = Corpus(arguments.work / "corpus")
    plan, diffusion = PLAN[arguments.size], arguments.work / "diffusion"
    train(plan, deck(corpus), corpus, arguments.model, diffusion, arguments.device)


if __name__ == "__main__":
    main()
