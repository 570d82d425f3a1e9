"""Makes one of the three worlds: `python -m lab.worlds --world epsilon --device cuda`.

    corpus       the second world's (`python -m lab.planted`, first), and 102 recordings  lab/worlds/corpus.py
    latents      of all of it, by the bundled autoencoder                                 lab/latents.py
    training     from the second world's weights                                          lab/worlds/train.py
    recordings   the training set as sound files                                          lab/recordings.py
    pack         a model's folder                                                         lab/worlds/pack.py

Training takes minutes of a large GPU, and hours of a processor. What is there already is not made again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from diffusers import AutoencoderOobleck

from lab import options, recordings, sizes
from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.latents import encode
from lab.worlds import corpus, pack, train


def main() -> None:
    before = "build/planted/corpus", "corpus of the second world"
    parser = options.world("python -m lab.worlds", __doc__, before, "build/worlds")
    parser.add_argument("--world", choices=train.WORLDS, required=True)
    arguments = parser.parse_args()
    work, name, device = arguments.work, arguments.world, arguments.device
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(corpus.write, arguments.before, work / "corpus"))
    everything = Corpus(work / "corpus")
    bundled = partial(AutoencoderOobleck.from_pretrained, pack.BUNDLED / "vae", torch_dtype=torch.float32)
    latents = encode(everything, bundled, work / "latents.safetensors", device)
    world = train.WORLDS[name]
    world = replace(world, plan=sizes.SMOKE) if arguments.smoke else world
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
