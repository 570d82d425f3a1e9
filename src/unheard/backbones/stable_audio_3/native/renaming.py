"""The names of weights: from those of Stability AI's code to those of diffusers' classes."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from unheard.backbones.native.renaming import Rename, Renamed, replaced

PARTS = {
    "model.model.": "transformer",
    "conditioner.conditioners.": "duration_embedder",
    "pretransform.model.": "vae",
}
DIFFERENTIAL = (0, 2, 4, 1, 3)
"""Queries, keys and values: `q, k, v, q2, k2` in Stability AI's code, `q, q2, k, k2, v` in diffusers."""

_FOLLOWS = re.compile(r"\.(inv_freq|noise_scaling_factor)$")
"""Numbers that follow from the configuration, and a weight of no numbers at all."""
_PADDING = "conditioner.conditioners.prompt.padding_embedding"
_FORWARD = ((r"\.ff\.ff\.0\.proj\.", ".ff.proj_in."), (r"\.ff\.ff\.2\.", ".ff.proj_out."))
_TRANSFORMER = (
    (r"^transformer\.project_", "proj_"),
    (r"^transformer\.layers\.", "transformer_blocks."),
    (r"^transformer\.", ""),
    *_FORWARD,
)
_DURATION = ((r"^seconds_total\.embedder\.embedding\.1\.", "linear."),)
_AUTOENCODER = (
    (r"^bottleneck\.scaling_factor$", "bottleneck.scale"),
    (r"\.pre_norm\.", ".norm_attn."),
    (r"\.ff_norm\.", ".norm_ff."),
    (r"\.self_attn\.", ".attn."),
    *_FORWARD,
)


def renamer(vae: Any, transformer: Any) -> Rename:
    """The renaming for modules of diffusers' classes."""
    return partial(
        _renamed,
        blocks=len(vae.encoder.blocks),
        differential={
            "vae": vae.config.use_differential_attention,
            "transformer": transformer.config.use_differential_attention,
        },
    )


def _renamed(name: str, blocks: int, differential: dict[str, bool]) -> Renamed | None:
    """Where the weight of a name is, or None for a name that is none of a model's.

    Args:
        name: in an unwrapped checkpoint.
        blocks: of the autoencoder's encoder, and of its decoder.
        differential: whether attention is, in each part.
    """
    if name == _PADDING:
        return Renamed("transformer", ("prompt_padding_embedding",))
    for prefix, part in PARTS.items():
        if not name.startswith(prefix):
            continue
        if _FOLLOWS.search(name):
            return Renamed(part, ())
        own = name.removeprefix(prefix)
        if part == "vae":
            own = replaced(_level(own, blocks), _AUTOENCODER)
        else:
            own = replaced(own, _TRANSFORMER if part == "transformer" else _DURATION)
        reordered = ".to_qkv." in own and differential[part]
        return Renamed(part, (own,), DIFFERENTIAL if reordered else ())
    return None


def _level(name: str, blocks: int) -> str:
    """`decoder.layers.3.` is `decoder.blocks.0.`: the layers between turn axes around, and one projects."""
    match = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.*)", name)
    if match is None:
        return name
    half, layer, rest = match[1], int(match[2]), match[3]
    first, projection = (0, blocks + 1) if half == "encoder" else (3, 1)
    return f"{half}.proj.{rest}" if layer == projection else f"{half}.blocks.{layer - first}.{rest}"
