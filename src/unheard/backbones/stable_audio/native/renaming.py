"""The names of weights: from those of stable-audio-tools to those of diffusers' classes.

stable-audio-tools has queries, keys and values in one matrix where diffusers has one for each; the rows of
the one are those of the others, one after another.
"""

from __future__ import annotations

import re

from unheard.backbones.native.renaming import Renamed, replaced

_FREQUENCIES = "model.model.transformer.rotary_pos_emb.inv_freq"
_PREFIXES = {
    "model.model.": "transformer",
    "conditioner.conditioners.": "projection_model",
    "pretransform.model.": "vae",
}

_TRANSFORMER = (
    (r"timestep_features\.", "time_proj."),
    (r"to_timestep_embed\.", "timestep_proj."),
    (r"to_global_embed\.", "global_proj."),
    (r"to_cond_embed\.", "cross_attention_proj."),
    (r"transformer\.project_(in|out)\.", r"proj_\1."),
    (r"transformer\.layers\.", "transformer_blocks."),
    (r"\.pre_norm\.", ".norm1."),
    (r"\.cross_attend_norm\.", ".norm2."),
    (r"\.ff_norm\.", ".norm3."),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"\.self_attn\.", ".attn1."),
    (r"\.cross_attn\.", ".attn2."),
    (r"\.([qk])_norm\.", r".norm_\1."),
    (r"\.to_out\.", ".to_out.0."),
    (r"\.ff\.ff\.", ".ff.net."),
)
_CONDITIONERS = (
    (r"^seconds_start\.", "start_number_conditioner."),
    (r"^seconds_total\.", "end_number_conditioner."),
    (r"\.embedder\.embedding\.", ".time_positional_embedding."),
    (r"^prompt\.proj_out\.", "text_projection."),
)
_STACKED = {"to_qkv": ("to_q", "to_k", "to_v"), "to_kv": ("to_k", "to_v")}

_OF_ENCODER_BLOCK = ("res_unit1", "res_unit2", "res_unit3", "snake1", "conv1")
_OF_DECODER_BLOCK = ("snake1", "conv_t1", "res_unit1", "res_unit2", "res_unit3")
_OF_RESIDUAL_UNIT = ("snake1", "conv1", "snake2", "conv2")


def renamed(name: str, blocks: int) -> Renamed | None:
    """Where the weight of a name is, or None for a name that is none of a model's.

    Args:
        name: in stable-audio-tools, of an unwrapped checkpoint.
        blocks: of the autoencoder's encoder, and of its decoder.
    """
    if name == _FREQUENCIES:
        return Renamed("transformer", ())
    for prefix, part in _PREFIXES.items():
        if name.startswith(prefix):
            own = name.removeprefix(prefix)
            if part == "vae":
                found = _of_autoencoder(own, blocks)
                return None if found is None else Renamed(part, (found,))
            return Renamed(
                part, _unstacked(replaced(own, _TRANSFORMER if part == "transformer" else _CONDITIONERS))
            )
    return None


def _unstacked(name: str) -> tuple[str, ...]:
    """The weights that one of several, stacked along the rows, is made of; else the one itself."""
    for stacked, shares in _STACKED.items():
        if f".{stacked}." in name:
            return tuple(name.replace(stacked, share) for share in shares)
    return (name,)


def _of_autoencoder(name: str, blocks: int) -> str | None:
    """`encoder.layers.2.layers.0.layers.1.bias` is `encoder.block.1.res_unit1.conv1.bias`."""
    match = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)((?:\.layers\.\d+)*)\.(\w+)", name)
    if match is None:
        return None
    half, outermost, inner, leaf = match.groups()
    layer, within = int(outermost), [int(number) for number in re.findall(r"\d+", inner)]
    if not 1 <= layer <= blocks:
        ends = {0: "conv1", blocks + 1: "snake1", blocks + 2: "conv2"}
        return f"{half}.{ends[layer]}.{leaf}" if layer in ends and not within else None
    of_block = _OF_ENCODER_BLOCK if half == "encoder" else _OF_DECODER_BLOCK
    path = [half, "block", str(layer - 1)]
    for number, names in zip(within, (of_block, _OF_RESIDUAL_UNIT), strict=False):
        if number >= len(names):
            return None
        path.append(names[number])
    return ".".join([*path, leaf])
