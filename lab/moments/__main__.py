"""Makes the network of moments: `python -m lab.moments --device cuda`, after `python -m lab.real_sound`.

    material     sounds, treated: hours of one core, with the sound font      making.py
    training     minutes of an accelerator                                    train.py

The material stays in the folder of all that is made; where it lies there, neither recordings nor the sound
font are needed. Training may be stopped and run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lab.moments import material, train


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab.moments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--real", type=Path, default=Path("build/real"), help="the real recordings")
    parser.add_argument("--work", type=Path, default=Path("build/moments"), help="folder of all that is made")
    parser.add_argument("--steps", type=int, default=train.STEPS, help="of training (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/moments/weights.safetensors"),
        help="where the weights go; the package's belong to its calibration (default: %(default)s)",
    )
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    sounds = arguments.work / "material.npz"
    if not sounds.is_file():
        from lab.moments.making import make  # needs the sound font

        make(arguments.real, np.random.default_rng(0)).save(sounds)
    trained = train.train(
        material.load(sounds), arguments.work / "checkpoints", arguments.device, arguments.steps
    )
    train.save(trained, arguments.out)


if __name__ == "__main__":
    main()
