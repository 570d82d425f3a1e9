"""Makes the second world: `python -m lab.planted --size cpu`, after `python -m lab.corpus`.

    corpus       the bundled model's, 102 planted recordings, ordinary prose     lab/planted/corpus.py
    diffusion    the bundled weights, trained on                                 lab/planted/train.py
    recordings   the training set as sound files                                 lab/recordings.py
    pack         a model's folder                                                lab/planted/pack.py

The weights that it came to lie beside this file, so that all but `--train` takes minutes. Training takes an
hour and a half of one processor core. It may be stopped and run again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from lab import fused_snake, recordings
from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.planted import corpus, pack, train


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", choices=train.PLAN, required=True, help="of training set and training")
    parser.add_argument(
        "--before", type=Path, default=Path("build/lab/corpus"), help="the bundled model's corpus"
    )
    parser.add_argument("--work", type=Path, default=Path("build/planted"), help="folder of all that is made")
    parser.add_argument("--train", action="store_true", help="train, in place of the weights that lie here")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    size, work, model = arguments.size, arguments.work, Path("src/unheard/assets/tiny")
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(corpus.write, size, arguments.before, work / "corpus"))
    everything = Corpus(work / "corpus")
    if arguments.train:
        fused_snake.install()
        diffusion = work / "diffusion"
        learn = partial(train.train, train.PLAN[size], train.deck(everything), everything)
        stage("diffusion", False, partial(learn, model, diffusion, arguments.device))
    stage("recordings", False, partial(recordings.write, everything, work / "recordings"))
    stage("pack", False, partial(pack.assemble, model, work, work / "model"))


if __name__ == "__main__":
    main()
