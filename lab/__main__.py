"""Makes the bundled model from nothing: `python -m lab --size cpu`.

    corpus       2,860 sounds from a sound font, with captions       lab/corpus.py
    autoencoder  waveforms to latents and back                       lab/train_vae.py
    latents      the corpus as latents, and how it sounds decoded    lab/latents.py
    guide        the CLAP that the guidance measures with            lab/train_guide.py
    listening    other sounds, that the model never learns from      lab/listening.py
    judge        another CLAP, which only measures                   lab/train_judge.py
    listener     hears instrument, family, tempo and key             lab/train_listener.py
    diffusion    text to latents                                     lab/train_diffusion.py
    pack         all of it in one folder, in half precision          lab/pack.py

It may be stopped at any moment: run again, it skips what is finished and goes on with what is not.
`--size smoke` makes a toy of the same shape, for the tests, in folders of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import (
    fused_snake,
    listening,
    pack,
    sizes,
    train_diffusion,
    train_guide,
    train_judge,
    train_listener,
    train_vae,
)
from lab.checkpoints import Checkpoint
from lab.corpus_files import Corpus
from lab.latents import decode_corpus, encode_corpus
from unheard.evaluation.listener import KNOWN


def stage(name: str, finished: bool, make: Callable[[], object]) -> None:
    if finished:
        print(f"{name}: finished before", flush=True)
        return
    print(f"{name} ...", flush=True)
    started = time.monotonic()
    make()
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def render(size: str, folder: Path) -> None:
    from lab import corpus  # here, so that a machine given a corpus needs neither renderer nor sound font

    corpus.write(size, folder)


def reproduce(size: str, work: Path, out: Path, device: str) -> None:
    """All stages in order; what tells that one is finished is the last file that it writes."""
    stage("corpus", (work / "corpus" / "corpus.json").is_file(), partial(render, size, work / "corpus"))
    corpus = Corpus(work / "corpus")

    vae = work / "vae"
    weights = vae / "model" / "diffusion_pytorch_model.safetensors"
    stage("autoencoder", weights.is_file(), partial(train_vae.train, size, corpus, vae, device))
    if size != "smoke":  # where compiling would take longer than it saves
        fused_snake.install()
    latents, decoded = vae / "latents.safetensors", vae / "decoded.npy"
    stage("latents", latents.is_file(), partial(encode_corpus, corpus, vae, device))
    stage("reconstructions", decoded.is_file(), partial(decode_corpus, corpus, vae, device))

    reconstructions = decode_corpus(corpus, vae, device)
    guide, judge, listener = (work / name for name in ("guide", "judge", "listener"))
    train = partial(train_guide.train, size, corpus, reconstructions, guide, device)
    stage("guide", (guide / "model" / "unheard.json").is_file(), train)

    other = work / "listening"
    stage("listening", (other / "corpus.json").is_file(), partial(listening.write, size, other))
    decoded = partial(listening.decode, size, other, vae / "model", device)
    stage("listening decoded", (other / "decoded.npy").is_file(), decoded)
    sounds = listening.read(other)
    train = partial(train_judge.train, size, *sounds, corpus.captions, judge, device)
    stage("judge", (judge / "model" / "unheard.json").is_file(), train)
    train = partial(train_listener.train, size, *sounds, listener, device)
    stage("listener", (listener / "model" / KNOWN).is_file(), train)

    diffusion = Checkpoint(work / "diffusion")
    diffusion.load()
    trained = diffusion.step >= sizes.DIFFUSION[size].steps
    stage("diffusion", trained, partial(train_diffusion.from_nothing, size, corpus, work, device))
    stage("pack", False, partial(pack.assemble, size, work, out))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sizes.NAMES, required=True, help="of corpus, networks and training")
    parser.add_argument(
        "--work", type=Path, help="folder of corpus and checkpoints (build/lab, for smoke build/lab-smoke)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the model (src/unheard/assets/tiny, for smoke WORK/tiny)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    size, smoke = arguments.size, arguments.size == "smoke"
    work = arguments.work or Path("build/lab-smoke" if smoke else "build/lab")
    out = arguments.out or (work / "tiny" if smoke else Path("src/unheard/assets/tiny"))
    reproduce(size, work, out, arguments.device)


if __name__ == "__main__":
    main()
