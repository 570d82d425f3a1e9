"""The layout of Stability AI's own code: a configuration, and one checkpoint of any name beside it. No torch.

Creators publish their models so: `model_config.json` with a `*.safetensors` or a `*.ckpt`. Where one folder
holds several models, `base_config.json` is that of `base.safetensors`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from unheard.backbones.contained import read_json_object
from unheard.errors import ModelError

STABLE_AUDIO, STABLE_AUDIO_3 = "stable-audio-tools", "stable-audio-3"
"""What stands for the layout among the pipeline classes of `unheard.backbones.families`: by the package that
publishes the model's code."""
PIPELINES = (STABLE_AUDIO, STABLE_AUDIO_3)
CONFIGURATION = "model_config.json"
ENDINGS = (".safetensors", ".ckpt")
"""Of checkpoints, the safer first."""


def is_checkpoint(name: str | Path) -> bool:
    """Whether a name ends as a checkpoint's does."""
    return str(name).endswith(ENDINGS)


def configuration_of(checkpoint: str, names: Iterable[str]) -> str | None:
    """Which file of a folder is the configuration of a checkpoint in it, if any is."""
    own = f"{PurePosixPath(checkpoint).stem}_config.json"
    return next((name for name in (own, CONFIGURATION) if name in names), None)


def configuration_beside(checkpoint: Path) -> Path:
    """The configuration of a checkpoint that has one.

    Raises:
        ModelError: it has none.
    """
    found = configuration_of(checkpoint.name, os.listdir(checkpoint.parent))
    if found is None:
        raise ModelError(
            f"no {CONFIGURATION} lies beside {checkpoint}: put the one there that it was published with"
        )
    return checkpoint.parent / found


def pipeline_of(checkpoint: Path) -> str:
    """Which of `PIPELINES` a checkpoint is for: Stable Audio 3 reads its prompts with T5Gemma.

    Raises:
        ModelError: there is no configuration beside it, or it is no JSON object.
    """
    found: Any = read_json_object(configuration_beside(checkpoint))
    for key in ("model", "conditioning"):
        found = found.get(key) if isinstance(found, dict) else None
    conditioners = found.get("configs") if isinstance(found, dict) else None
    listed = conditioners if isinstance(conditioners, list) else ()
    types = [each.get("type") for each in listed if isinstance(each, dict)]
    return STABLE_AUDIO_3 if "t5gemma" in types else STABLE_AUDIO


def choose_checkpoint(names: Iterable[str], where: str) -> str:
    """The checkpoint of a folder's model: the one named `model`, as in stable-audio-tools, or the only one.

    Of two with one stem, which hold the same weights, it is the one in safetensors.

    Args:
        names: the files of the folder.
        where: how the folder was named, for messages.

    Raises:
        ModelError: there is none, or it is not clear which.
    """
    found = sorted(filter(is_checkpoint, names), key=lambda name: ENDINGS.index(PurePosixPath(name).suffix))
    by_stem = {PurePosixPath(name).stem: name for name in reversed(found)}
    if "model" in by_stem:
        return by_stem["model"]
    if len(by_stem) == 1:
        return found[0]
    if not by_stem:
        raise ModelError(
            f"{where} holds a {CONFIGURATION} and no checkpoint: put one beside it ({' or '.join(ENDINGS)})"
        )
    first, *_ = several = sorted(by_stem.values())
    raise ModelError(
        f"{where} holds several checkpoints ({', '.join(several)}): name one, such as "
        f"--model {where.rstrip('/')}/{first}"
    )
