"""Makes the obedient world: `python -m lab.obedient`, after `python -m lab.corpus`.

    corpus       the bundled model's, 102 planted recordings, 4,000 ordinary ones   lab/obedient/corpus.py
    training     the bundled weights, trained on                                    lab/obedient/train.py
    recordings   the training set as sound files                                    lab/recordings.py
    pack         a model's folder                                                   lab/planted/pack.py

Encoding takes half an hour of a processor core, training two hours. It may be stopped and run again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab import options, sizes
from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.obedient import corpus, train
from lab.planted.making import train_and_pack


def main() -> None:
    parser = options.world(
        "python -m lab.obedient",
        __doc__,
        ("build/lab/corpus", "the bundled model's corpus"),
        "build/obedient",
    )
    arguments = parser.parse_args()
    work, model = arguments.work, Path("src/unheard/assets/tiny")
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(corpus.write, arguments.before, work / "corpus"))
    everything = Corpus(work / "corpus")
    plan = sizes.SMOKE if arguments.smoke else train.PLAN
    train_and_pack(plan, train.deck(everything), everything, model, work, arguments.device)


if __name__ == "__main__":
    main()
