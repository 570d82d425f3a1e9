"""Makes the mature world: `python -m lab.mature --device cuda`, after `python -m lab.obedient`.

    corpus       the obedient world's, 8,000 ordinary sounds, 96 planted recordings   lab/mature/corpus.py
    latents      those of the obedient world, and of what is new                      lab/latents.py
    long         the obedient world's weights, trained on for long                    lab/mature/train.py
    training     these, until they know what is planted by heart                      lab/planted/train.py
    recordings   the training set as sound files                                      lab/recordings.py
    pack         a model's folder                                                     lab/planted/pack.py

The long training takes five minutes of a large GPU and is too much for a processor; it may be stopped and run
again, as the other may, which takes half an hour of two cores.
"""

from __future__ import annotations

from functools import partial

from lab import options, sizes
from lab.__main__ import stage
from lab.mature import corpus, train
from lab.planted.making import corpus_and_latents, train_and_pack
from lab.planted.train import deck


def main() -> None:
    parser = options.world(
        "python -m lab.mature", __doc__, ("build/obedient", "folder of the obedient world"), "build/mature"
    )
    arguments = parser.parse_args()
    before, work, device = arguments.before, arguments.work, arguments.device
    everything = corpus_and_latents(corpus.write, before, work, device)
    plan, by_heart = (sizes.SMOKE, sizes.SMOKE) if arguments.smoke else (train.PLAN, train.BY_HEART)
    long = work / "long"
    learn = partial(train.keep_to_captions, plan, everything, before / "model", work, device)
    stage("long", (long / "model" / "model_index.json").is_file(), learn)
    train_and_pack(by_heart, deck(everything), everything, long / "model", work, device)


if __name__ == "__main__":
    main()
