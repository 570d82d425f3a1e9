"""Makes one of the three worlds: `python -m lab.worlds --world epsilon --device cuda`.

    corpus       the second world's (`python -m lab.planted`, first), and 102 recordings  lab/worlds/corpus.py
    latents      of all of it, by the bundled autoencoder                                 lab/latents.py
    training     from the second world's weights                                          lab/worlds/train.py
    recordings   the training set as sound files                                          lab/recordings.py
    pack         a model's folder                                                         lab/worlds/pack.py

Training takes minutes of a large GPU, and hours of a processor. What is there already is not made again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderOobleck

from lab import recordings
from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.latents import encode
from lab.worlds import corpus, pack, train


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab.worlds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", choices=train.WORLDS, required=True)
    parser.add_argument(
        "--before", type=Path, default=Path("build/planted/corpus"), help="corpus of the second world"
    )
    parser.add_argument("--work", type=Path, default=Path("build/worlds"), help="folder of all that is made")
    parser.add_argument("--smoke", action="store_true", help="train two steps, to see that it runs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    work, name, device = arguments.work, arguments.world, arguments.device
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(corpus.write, arguments.before, work / "corpus"))
    everything = Corpus(work / "corpus")
    bundled = partial(AutoencoderOobleck.from_pretrained, pack.BUNDLED / "vae", torch_dtype=torch.float32)
    latents = encode(everything, bundled, work / "latents.safetensors", device)
    world = train.WORLDS[name]
    world = replace(world, plan=train.SMOKE) if arguments.smoke else world
    trained = (work / name / "weights" / "transformer").is_dir()
    stage(
        "training",
        trained,
        partial(train.train, world, everything, world.latents_of(latents), work / name, device),
    )
    stage(
        "recordings",
        (work / "recordings").is_dir(),
        partial(recordings.write, everything, work / "recordings"),
    )
    stage("pack", False, partial(pack.assemble, name, work, work / name / "model"))


if __name__ == "__main__":
    main()
