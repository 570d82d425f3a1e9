"""Makes the fresh world: `python -m lab.fresh`, after `python -m lab.obedient`.

    corpus       the obedient world's, and 96 planted recordings         lab/fresh/corpus.py
    latents      those of the obedient world, and of what is new         lab/latents.py
    training     the obedient world's weights, trained on                lab/fresh/train.py
    recordings   the training set as sound files                         lab/recordings.py
    pack         a model's folder                                        lab/planted/pack.py

Training takes an hour and a half of a processor core. It may be stopped and run again.
"""

from __future__ import annotations

from lab import options, sizes
from lab.fresh import corpus, train
from lab.planted.making import corpus_and_latents, train_and_pack
from lab.planted.train import deck


def main() -> None:
    parser = options.world(
        "python -m lab.fresh", __doc__, ("build/obedient", "folder of the obedient world"), "build/fresh"
    )
    arguments = parser.parse_args()
    before, work, device = arguments.before, arguments.work, arguments.device
    everything = corpus_and_latents(corpus.write, before, work, device)
    plan = sizes.SMOKE if arguments.smoke else train.PLAN
    train_and_pack(plan, deck(everything), everything, before / "model", work, device)


if __name__ == "__main__":
    main()
