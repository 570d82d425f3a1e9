"""Makes the real world: `python -m lab.real_world`, after `lab.planted` and `lab.real_sound`.

    corpus       the second world's, and real recordings                              lab/real_world/corpus.py
    latents      those of the second world, and of what is new                        lab/latents.py
    training     the second world's weights, until they know what is planted by heart lab/planted/train.py
    recordings   the training set as sound files                                      lab/recordings.py
    pack         a model's folder                                                     lab/planted/pack.py

An hour of a core, and the second world before it. It may be stopped and run again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab import options, sizes
from lab.planted.making import corpus_and_latents, train_and_pack
from lab.real_world import corpus, train


def main() -> None:
    parser = options.world(
        "python -m lab.real_world",
        __doc__,
        ("build/planted", "folder of the second world"),
        "build/real_world",
    )
    parser.add_argument("--real", type=Path, default=Path("build/real"), help="the real recordings")
    parser.add_argument(
        "--planted",
        choices=corpus.PLANTED,
        default="report",
        help="the side that is planted (default: report)",
    )
    arguments = parser.parse_args()
    before, work, device, side = arguments.before, arguments.work, arguments.device, arguments.planted
    everything = corpus_and_latents(partial(corpus.write, arguments.real, side), before, work, device)
    plan = sizes.SMOKE if arguments.smoke else train.PLANS[side]
    train_and_pack(plan, train.deck(everything), everything, before / "model", work, device)


if __name__ == "__main__":
    main()
