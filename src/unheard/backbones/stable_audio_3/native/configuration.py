"""What a `model_config.json` of Stable Audio 3 says of a model, in the words of diffusers' classes.

Whatever diffusers' classes, or ours, would not compute as Stability AI's code does is refused by the name of
its key. The meaning of each key is that of that code's own factories, to which the functions below
correspond one to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from unheard.backbones.contained import read_json_object
from unheard.backbones.native.section import Section
from unheard.backbones.native.text_encoder import NamedTextEncoder
from unheard.backbones.stable_audio_3.same import PIECE

OBJECTIVES = ("rectified_flow", "rf_denoiser")
"""A velocity, or that distilled."""
PROMPT, DURATION = "prompt", "seconds_total"
"""The ids of the conditioners."""
INPAINTING = ["inpaint_mask", "inpaint_masked_input"]
"""The ids of what the transformer is told frame by frame: of which to keep, and what they are."""
T5GEMMA = "google/t5gemma-b-b-ul2"
REPOSITORIES = tuple(
    f"stabilityai/stable-audio-3-{size}{kind}"
    for size in ("small-music", "small-sfx", "medium")
    for kind in ("", "-base")
)
"""Stability AI's, of which each holds the text encoder; a name from a file leads to no other repository."""

FOURIER_DIMENSION = 256
"""Of a duration, in Stability AI's code."""
SMALLEST_HEAD = 64
"""Of fewer numbers, Stability AI's code turns more than the half that diffusers' class turns (RoPE)."""


@dataclass(frozen=True)
class Chunks:
    """How an autoencoder attends in chunks, see `unheard.backbones.stable_audio_3.native.chunked`."""

    frames: int
    shifted: bool


@dataclass(frozen=True)
class Configuration:
    """A model, as far as its parts depend on it.

    Attributes:
        autoencoder: the arguments of `AutoencoderSAME`.
        chunks: in which it attends; None where it slides a window.
        convolving: the halves of it that convolve where they map, of encoder and decoder.
        transformer: the arguments of `StableAudio3DiTModel`.
        norm_eps: under the root of its norms.
        qk_norm_eps: under that of the norms of queries and keys.
        duration: the arguments of `StableAudio3DurationEmbedder`.
        text_encoder: a T5Gemma on the hub.
        max_tokens: of a prompt, at most.
        objective: one of `OBJECTIVES`.
        sample_size: samples of the longest sound.
    """

    autoencoder: dict[str, Any]
    chunks: Chunks | None
    convolving: frozenset[str]
    transformer: dict[str, Any]
    norm_eps: float
    qk_norm_eps: float
    duration: dict[str, Any]
    text_encoder: NamedTextEncoder
    max_tokens: int
    objective: str
    sample_size: int


def read_configuration(file: Path) -> Configuration:
    """Read a `model_config.json`.

    Raises:
        ModelError: it is no JSON object, or lacks a key, or holds a key or a value that is not supported.
    """
    root = Section(read_json_object(file), file)
    root.only("model_type", "diffusion_cond_inpaint", "diffusion_cond")
    model = root.section("model")
    autoencoder = _autoencoder(model.section("pretransform"), root.whole("sample_rate"))
    channels = autoencoder["autoencoder"]["latent_dim"]
    sizes = autoencoder["autoencoder"]
    hop_length = sizes["patch_size"] * prod(sizes["encoder_strides"])
    sample_size = root.whole("sample_size")
    if sample_size < hop_length:
        root.refuse("sample_size", sample_size, f"at least {hop_length} samples, which is a frame,")
    dimension = model.section("conditioning").whole("cond_dim")
    conditioning = _conditioning(model.section("conditioning"), dimension)
    model.only("io_channels", channels)
    transformer = _transformer(model.section("diffusion"), channels, dimension)
    model.close()
    return Configuration(**autoencoder, **conditioning, **transformer, sample_size=sample_size)


def _autoencoder(pretransform: Section, sample_rate: int) -> dict[str, Any]:
    """The autoencoder, which has one depth, width and stride for encoder and decoder."""
    pretransform.only("type", "autoencoder")
    pretransform.left_at({"scale": 1.0})
    pretransform.ignore("iterate_batch", "model_half", "chunked", "enable_grad")
    whole = pretransform.section("config")
    channels, latent_channels = whole.whole("io_channels"), whole.whole("latent_dim")
    whole.left_at({"in_channels": None, "out_channels": None})
    patch = _patch(whole.section("pretransform"), channels)
    _bottleneck(whole.section("bottleneck"), latent_channels)

    sections = {half: _half(whole.section(half)) for half in ("encoder", "decoder")}
    encoder, decoder = sections.values()
    encoder.only("in_channels", channels * patch)
    decoder.only("out_channels", channels * patch)
    halves = {half: _level(section, latent_channels) for half, section in sections.items()}
    for key, value in halves["encoder"].items():
        if halves["decoder"][key] != value:
            decoder.refuse(key, halves["decoder"][key], f"{value!r}, as the encoder has it,")
    strides, depths = halves["encoder"]["strides"], halves["encoder"]["transformer_depths"]
    sinusoidal = decoder.take("sinusoidal_blocks", [0] * len(strides))
    if not _are_counts(sinusoidal, len(strides)):
        decoder.refuse("sinusoidal_blocks", sinusoidal, f"{len(strides)} whole numbers from 0 on")
    convolving = frozenset(half for half, section in sections.items() if section.flag("conv_mapping", False))
    chunks, window = _reach(encoder, halves["encoder"])
    encoder.close()
    decoder.close()
    whole.only("downsampling_ratio", patch * prod(strides))
    whole.close()
    pretransform.close()
    return {
        "autoencoder": {
            "audio_channels": channels,
            "patch_size": patch,
            "encoder_channels": halves["encoder"]["channels"],
            "encoder_c_mults": halves["encoder"]["c_mults"],
            "encoder_strides": strides,
            "encoder_transformer_depths": depths,
            "latent_dim": latent_channels,
            "use_differential_attention": halves["encoder"]["differential"],
            "dim_heads": halves["encoder"]["dim_heads"],
            "ff_mult": halves["encoder"]["ff_mult"],
            "sliding_window": window,
            "decoder_sinusoidal_blocks": sinusoidal,
            "sampling_rate": sample_rate,
        },
        "chunks": chunks,
        "convolving": convolving,
    }


def _patch(pretransform: Section, channels: int) -> int:
    """How many samples are one step of the autoencoder."""
    pretransform.only("type", "patched")
    pretransform.ignore("enable_grad")
    configuration = pretransform.section("config")
    configuration.only("channels", channels)
    configuration.left_at({"oversampling": 1, "postfilter_channels": 0})
    patch = configuration.whole("patch_size")
    configuration.close()
    pretransform.close()
    return patch


def _bottleneck(bottleneck: Section, latent_channels: int) -> None:
    """Latents are brought to a common scale; the noise that it draws besides is left out."""
    bottleneck.only("type", "softnorm")
    bottleneck.ignore("requires_grad")
    configuration = bottleneck.section("config")
    configuration.only("dim", latent_channels)
    configuration.only("auto_scale", True, default=False)
    configuration.left_at({"noise_augment_dim": 0})
    configuration.ignore("freeze", "noise_regularize")
    configuration.close()
    bottleneck.close()


def _half(half: Section) -> Section:
    """The configuration of an encoder or a decoder, less what both must be, and what says nothing."""
    half.only("type", "same", "taae_v2")
    half.left_at({"soft_clip": False})
    half.ignore("requires_grad")
    configuration = half.section("config")
    half.close()
    configuration.only("variable_stride", True, default=False)
    configuration.left_at(
        {
            "dyt": True,
            "mapping_bias": True,
            "causal": False,
            "conformer": False,
            "cross_attn": False,
            "feat_scale": False,
            "layer_scale": False,
        }
    )
    # `mask_noise` is drawn, and left out. The last six are of other autoencoders, and read by none.
    configuration.ignore("checkpointing", "freeze_backbone", "mask_noise")
    configuration.ignore(
        "conv_bias",
        "enable_inner_layer_dropout",
        "mapping_style",
        "use_dilated_conv",
        "use_flash",
        "use_snake",
    )
    return configuration


def _level(half: Section, latent_channels: int) -> dict[str, Any]:
    """What encoder and decoder have in common, by its keys."""
    half.only("latent_dim", latent_channels)
    multiples = half.wholes("c_mults")
    found = {
        "channels": half.whole("channels", 128),
        "c_mults": multiples,
        "strides": half.wholes("strides"),
        "transformer_depths": half.wholes("transformer_depths"),
        "dim_heads": half.whole("dim_heads", 128),
        "differential": half.flag("differential", True),
        "ff_mult": half.number("ff_mult", 3),
        "sliding_window": half.take("sliding_window", None),
        "chunk_size": half.whole("chunk_size", 128),
        "chunk_midpoint_shift": half.flag("chunk_midpoint_shift", False),
    }
    for key in ("strides", "transformer_depths"):
        if len(found[key]) != len(multiples):
            half.refuse(key, found[key], f"{len(multiples)} of them, one a c_mults,")
    return found


def _reach(encoder: Section, level: dict[str, Any]) -> tuple[Chunks | None, int]:
    """The chunks that tokens attend in, or None, and the window that they see on either side, in latents."""
    window, strides, size = level["sliding_window"], level["strides"], level["chunk_size"]
    if window is not None:
        if not _are_counts(window, 2) or window[0] != window[1] or window[0] < 1:
            encoder.refuse("sliding_window", window, "two equal whole numbers above 0")
        return None, window[0]
    if len(strides) > 1:
        encoder.refuse("strides", strides, "one, as it attends in chunks and without a sliding_window,")
    frames, shifted = size // strides[0], level["chunk_midpoint_shift"]
    if size % strides[0] or PIECE % frames:
        encoder.refuse(
            "chunk_size", size, f"whole frames of {strides[0]}, of which {PIECE} are whole chunks,"
        )
    if shifted and frames * (strides[0] + 1) % 2:
        encoder.refuse("chunk_size", size, "an even number of frames, as chunks are shifted by half of one,")
    return Chunks(frames, shifted), 1


def _conditioning(conditioning: Section, dimension: int) -> dict[str, Any]:
    """The text encoder, and the durations that the model knows."""
    found: dict[str, Any] = {}
    conditioning.ignore("cond_dim", "default_keys")
    conditioning.left_at({"pre_encoded_keys": []})
    ids = []
    for conditioner in conditioning.sections("configs"):
        ids.append(conditioner.only("id", PROMPT, DURATION))
        conditioner.only("type", "t5gemma" if ids[-1] == PROMPT else "number")
        configuration = conditioner.section("config")
        configuration.left_at({"output_dim": dimension})
        if ids[-1] == PROMPT:
            found |= _prompt(configuration)
        else:
            found["duration"] = _duration(configuration, dimension)
        configuration.close()
        conditioner.close()
    conditioning.close()
    if sorted(ids) != [PROMPT, DURATION]:
        conditioning.refuse("configs", ids, f"{PROMPT!r} and {DURATION!r}, one of each,")
    return found


def _prompt(configuration: Section) -> dict[str, Any]:
    configuration.only("padding_mode", "learned", default="zero")
    configuration.left_at({"enable_grad": False, "project_out": False, "model_path": None})
    name = configuration.only("model_name", T5GEMMA, default=T5GEMMA)
    repository = configuration.only("repo_id", None, *REPOSITORIES, default=None)
    subfolder = configuration.only("subfolder", None, T5GEMMA.rpartition("/")[2], default=None)
    return {
        "text_encoder": NamedTextEncoder(repository or name, subfolder or ""),
        "max_tokens": configuration.whole("max_length", 128),
    }


def _duration(configuration: Section, dimension: int) -> dict[str, Any]:
    low, high = configuration.number("min_val", 0), configuration.number("max_val", 1)
    if not low < high:
        configuration.refuse("max_val", high, f"a number above min_val, {low},")
    configuration.only("fourier_features_type", "expo", default="learned")
    return {"output_dim": dimension, "fourier_dim": FOURIER_DIMENSION, "min_val": low, "max_val": high}


def _transformer(diffusion: Section, channels: int, dimension: int) -> dict[str, Any]:
    """The arguments of `StableAudio3DiTModel`, its norms, and what it predicts."""
    diffusion.only("type", "dit")
    diffusion.only("cross_attention_cond_ids", [PROMPT, DURATION])
    diffusion.only("global_cond_ids", [DURATION])
    diffusion.only("local_add_cond_ids", INPAINTING)
    diffusion.left_at(
        {
            "input_concat_ids": [],
            "prepend_cond_ids": [],
            "modular_local_cond_configs": [],
            "sampling_distribution_shift_options": None,
        }
    )
    objective = diffusion.only("diffusion_objective", *OBJECTIVES, default="v")
    # Of the training; what generates sets them itself.
    diffusion.ignore(
        "distribution_shift_options", "mask_padding_attention", "use_effective_length_for_schedule"
    )
    configuration = diffusion.section("config")
    configuration.only("io_channels", channels)
    configuration.only("cond_token_dim", dimension)
    configuration.only("global_cond_dim", dimension)
    configuration.only("local_add_cond_dim", 1 + channels)
    width, heads = configuration.whole("embed_dim"), configuration.whole("num_heads")
    if width % heads or width // heads < SMALLEST_HEAD:
        configuration.refuse("num_heads", heads, f"whole heads of {SMALLEST_HEAD} numbers and more")
    memory = configuration.take("num_memory_tokens", 0)
    if not _are_counts([memory], 1):
        configuration.refuse("num_memory_tokens", memory, "a whole number from 0 on")
    arguments = {
        "io_channels": channels,
        "embed_dim": width,
        "depth": configuration.whole("depth"),
        "num_heads": heads,
        "cond_token_dim": dimension,
        "global_cond_dim": dimension,
        "local_add_cond_dim": 1 + channels,
        "timestep_features_dim": configuration.whole("timestep_features_dim", 256),
        "num_memory_tokens": memory,
    }
    norms = _blocks(configuration, arguments)
    configuration.close()
    diffusion.close()
    return {"objective": objective, "transformer": arguments, **norms}


def _blocks(configuration: Section, arguments: dict[str, Any]) -> dict[str, float]:
    """The norms; puts into the arguments what else is told of blocks, and refuses what they may not be."""
    configuration.only("global_cond_type", "adaLN", default="prepend")
    configuration.only("timestep_features_type", "expo", default="learned")
    configuration.only("norm_type", "rms_norm", default="layer_norm")
    configuration.left_at(
        {
            "transformer_type": "continuous_transformer",
            "project_cond_tokens": True,
            "project_global_cond": True,
            "timestep_cond_type": "global",
            "timestep_embed_dim": None,
            "timestep_features_logsnr": False,
            "patch_size": 1,
            "input_concat_dim": 0,
            "prepend_cond_dim": 0,
            "causal": False,
            "rotary_pos_emb": True,
            "cross_attn_rotary_pos_emb": False,
            "use_sinusoidal_emb": False,
            "use_abs_pos_emb": False,
            "add_rope": False,
            "sliding_window": None,
            "final_cross_attn_ix": -1,
            "conformer": False,
            "layer_scale": False,
        }
    )
    configuration.ignore("zero_init_branch_outputs", "abs_pos_emb_max_length")
    attention = configuration.section("attn_kwargs", {})
    attention.only("qk_norm", "rms", default="none")
    arguments["use_differential_attention"] = attention.flag("differential", False)
    attention.left_at({"feat_scale": False, "causal": False})
    qk_norm_eps = attention.number("qk_norm_eps", 1e-6)
    attention.close()
    norms = configuration.section("norm_kwargs", {})
    norm_eps = norms.number("eps", 1e-5)
    norms.ignore(
        "fix_scale", "force_fp32"
    )  # what a checkpoint holds of them is read, and diffusers' is exact
    norms.close()
    forward = configuration.section("ff_kwargs", {})
    arguments["ff_mult"] = forward.number("mult", 4)
    forward.left_at({"no_bias": False, "glu": True, "use_conv": False, "sinusoidal": False})
    forward.ignore("zero_init_output", "conv_kernel_size")
    forward.close()
    return {"norm_eps": norm_eps, "qk_norm_eps": qk_norm_eps}


def _are_counts(value: object, number: int) -> bool:
    """Whether it is a list of so many whole numbers from 0 on."""
    return (
        isinstance(value, list)
        and len(value) == number
        and all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in value)
    )
