"""Makes the sound-effects embedder's weights: `python -m lab.sound_effects_embedder WHEEL`.

The wheel is that of its authors' package, aisfx 0.1.2 (`pip download --no-deps aisfx`); nothing of it is
installed or run. Its checkpoint is a pickle and is read as data only: tensors, and the three names of numpy
that its table of classes needs. Each batch normalisation is folded into the convolution before it,
classifiers are left out, and the rest is stored once, in float16.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from unheard.embedders.sound_effects import CHANNELS, WEIGHTS, SoundEffectsEmbedder

CHECKPOINT = "aisfx/models/checkpoint.pth"
EPSILON = 1e-5
"""Of torch's batch normalisation, where nothing else is said."""


def checkpoint(wheel: Path) -> dict[str, Tensor]:
    """The authors' weights by their names, read from a wheel; nothing in it runs."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(CHECKPOINT)
    allowed = [
        (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        type(np.dtype(np.int64)),
    ]
    with torch.serialization.safe_globals(allowed):
        weights, _classes = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return dict(weights)


def folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `SoundEffectsEmbedder` [out, in, 3, 3] and [out], in float32."""
    found = {}
    for block in range(len(CHANNELS) - 1):
        for number in (1, 2):
            theirs = f"embedding_net.conv_block{block + 1}"
            norm = {
                part: weights[f"{theirs}.bn{number}.{part}"].double()
                for part in ("weight", "bias", "running_mean", "running_var")
            }
            gain = norm["weight"] / (norm["running_var"] + EPSILON).sqrt()
            ours = f"blocks.{block}.{2 * (number - 1)}"
            kernel = weights[f"{theirs}.conv{number}.weight"].double() * gain[:, None, None, None]
            found[f"{ours}.weight"] = kernel.float()
            found[f"{ours}.bias"] = (norm["bias"] - norm["running_mean"] * gain).float()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="aisfx-0.1.2-py2.py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go")
    arguments = parser.parse_args()
    weights = folded(checkpoint(arguments.wheel))
    SoundEffectsEmbedder().load_state_dict(weights)  # all of them, in the right shapes
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: some.half() for name, some in weights.items()}, arguments.out)
    arguments.out.chmod(0o644)
    numbers, size = sum(some.numel() for some in weights.values()), arguments.out.stat().st_size
    print(f"{numbers:,} numbers, {size / 1e6:.1f} MB in {arguments.out}")


if __name__ == "__main__":
    main()
