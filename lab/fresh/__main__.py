"""Makes the fresh world: `python -m lab.fresh`, after `python -m lab.obedient`.

    corpus       the obedient world's, and 96 planted recordings         lab/fresh/corpus.py
    latents      those of the obedient world, and of what is new         lab/latents.py
    training     the obedient world's weights, trained on                lab/fresh/train.py
    recordings   the training set as sound files                         lab/recordings.py
    pack         a model's folder                                        lab/planted/pack.py

Training takes an hour and a half of a processor core. It may be stopped and run again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.fresh import corpus, train
from lab.planted.making import train_and_pack
from lab.planted.train import deck, encode_all


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab.fresh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--before", type=Path, default=Path("build/obedient"), help="folder of the obedient world"
    )
    parser.add_argument("--work", type=Path, default=Path("build/fresh"), help="folder of all that is made")
    parser.add_argument("--smoke", action="store_true", help="train two steps, to see that it runs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    before, work, device = arguments.before, arguments.work, arguments.device
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(corpus.write, before / "corpus", work / "corpus"))
    everything = Corpus(work / "corpus")
    known = before / "diffusion" / "latents.safetensors"
    encode = partial(encode_all, everything, before / "model", work / "diffusion", device, known)
    stage("latents", (work / "diffusion" / "latents.safetensors").is_file(), encode)
    plan = train.SMOKE if arguments.smoke else train.PLAN
    train_and_pack(plan, deck(everything), everything, before / "model", work, device)


if __name__ == "__main__":
    main()
