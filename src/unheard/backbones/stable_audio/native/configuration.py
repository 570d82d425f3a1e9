"""What a `model_config.json` of stable-audio-tools says of a model, in the words of diffusers' classes.

Whatever diffusers' classes, or ours, would not compute as stable-audio-tools does is refused by the name of
its key. The meaning of each key is that of stable-audio-tools' own factories, to which the functions below
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

OBJECTIVES = ("v", "rectified_flow", "rf_denoiser")
"""What a transformer may have been trained to predict: v, or a velocity, then perhaps distilled."""
PROMPT = "prompt"
TIMES = ("seconds_start", "seconds_total")
"""The ids of the conditioners that unheard knows, besides the prompt's."""
T5 = (
    *(f"t5-{size}" for size in ("small", "base", "large", "3b", "11b")),
    *(f"google/flan-t5-{size}" for size in ("small", "base", "large", "xl", "xxl")),
    "google/t5-v1_1-xl",
    "google/t5-v1_1-xxl",
)
"""The text encoders that stable-audio-tools knows; a name from a file leads to no other repository."""

SMALLEST_HEAD = 64
"""Of fewer numbers, stable-audio-tools turns more than the half that diffusers' class turns (RoPE)."""


@dataclass(frozen=True)
class Configuration:
    """A model, as far as its parts depend on it.

    Attributes:
        autoencoder: the arguments of `AutoencoderOobleck`.
        transformer: the arguments of `StableAudioDiTModel`.
        qk_norm: whether its queries and keys are normalised.
        text_encoder: a T5 on the hub.
        max_tokens: of a prompt, at most.
        conditioning_dimension: of the text's states and of each time, as the transformer sees them.
        text_projection: whether a linear layer leads from the text's states there, even where it need not.
        times: the range in seconds of each time that the model knows, by its id.
        objective: one of `OBJECTIVES`.
    """

    autoencoder: dict[str, Any]
    transformer: dict[str, Any]
    qk_norm: bool
    text_encoder: NamedTextEncoder
    max_tokens: int
    conditioning_dimension: int
    text_projection: bool
    times: dict[str, tuple[float, float]]
    objective: str


def read_configuration(file: Path) -> Configuration:
    """Read a `model_config.json`.

    Raises:
        ModelError: it is no JSON object, or lacks a key, or holds a key or a value that is not supported.
    """
    root = Section(read_json_object(file), file)
    root.only("model_type", "diffusion_cond")
    model = root.section("model")
    autoencoder = _autoencoder(model.section("pretransform"), root.whole("sample_rate"))
    conditioning = _conditioning(model.section("conditioning"))
    hop_length = prod(autoencoder["downsampling_ratios"])
    frames = root.whole("sample_size") // hop_length
    if frames < 1:
        root.refuse(
            "sample_size", root.take("sample_size"), f"at least {hop_length} samples, which is a frame,"
        )
    model.only("io_channels", autoencoder["decoder_input_channels"])
    transformer = _transformer(
        model.section("diffusion"),
        frames,
        autoencoder["decoder_input_channels"],
        conditioning["conditioning_dimension"],
        conditioning["times"],
    )
    model.close()
    return Configuration(autoencoder=autoencoder, **conditioning, **transformer)


def _autoencoder(pretransform: Section, sample_rate: int) -> dict[str, Any]:
    """The arguments of `AutoencoderOobleck`, which has one width and stride for encoder and decoder."""
    pretransform.only("type", "autoencoder")
    pretransform.left_at({"scale": 1.0})
    pretransform.ignore("iterate_batch", "model_half", "chunked", "enable_grad")
    whole = pretransform.section("config")
    latent_channels, audio_channels = whole.whole("latent_dim"), whole.whole("io_channels")
    whole.left_at({"in_channels": None, "out_channels": None, "pretransform": None})
    whole.section("bottleneck").only("type", "vae")

    encoder = _oobleck(whole.section("encoder"))
    encoder.only("in_channels", audio_channels)
    width = encoder.whole("channels")
    multiples, strides = encoder.wholes("c_mults"), encoder.wholes("strides")
    # diffusers' encoder ends as wide as it begins: mean and scale of the latents together.
    encoder.only("latent_dim", width)
    if width != 2 * latent_channels:
        encoder.refuse("channels", width, f"{2 * latent_channels}, twice the latent_dim,")
    if len(strides) != len(multiples):
        encoder.refuse("strides", strides, f"{len(multiples)} of them, one a c_mults,")
    encoder.close()

    decoder = _oobleck(whole.section("decoder"))
    decoder.only("out_channels", audio_channels)
    decoder.only("latent_dim", latent_channels)
    decoder.only("c_mults", multiples)
    decoder.only("strides", strides)
    decoder.only("final_tanh", False, default=True)
    decoder.left_at({"use_nearest_upsample": False})
    decoder_channels = decoder.whole("channels")
    decoder.close()

    whole.only("downsampling_ratio", prod(strides))
    whole.close()
    pretransform.close()
    return {
        "encoder_hidden_size": width,
        "downsampling_ratios": strides,
        "channel_multiples": multiples,
        "decoder_channels": decoder_channels,
        "decoder_input_channels": latent_channels,
        "audio_channels": audio_channels,
        "sampling_rate": sample_rate,
    }


def _oobleck(half: Section) -> Section:
    """The configuration of an Oobleck encoder or decoder, less what both must be."""
    half.only("type", "oobleck")
    half.left_at({"soft_clip": False})
    half.ignore("requires_grad")
    configuration = half.section("config")
    configuration.only("use_snake", True, default=False)
    configuration.left_at({"antialias_activation": False})
    half.close()
    return configuration


def _conditioning(conditioning: Section) -> dict[str, Any]:
    """The prompt's encoder, and the times that the model knows."""
    dimension = conditioning.whole("cond_dim")
    found: dict[str, Any] = {"conditioning_dimension": dimension, "times": {}}
    for conditioner in conditioning.sections("configs"):
        id = conditioner.only("id", PROMPT, *TIMES)
        conditioner.only("type", "t5" if id == PROMPT else "number")
        configuration = conditioner.section("config")
        configuration.left_at({"output_dim": dimension})
        if id == PROMPT:
            found["text_encoder"] = NamedTextEncoder(
                configuration.only("t5_model_name", *T5, default="t5-base")
            )
            found["max_tokens"] = configuration.whole("max_length", 128)
            found["text_projection"] = configuration.flag("project_out", False)
            configuration.left_at({"enable_grad": False})
        else:
            low, high = configuration.number("min_val", 0), configuration.number("max_val", 1)
            if not low < high:
                configuration.refuse("max_val", high, f"a number above min_val, {low},")
            found["times"][id] = (low, high)
        configuration.close()
        conditioner.close()
    conditioning.ignore("default_keys")
    conditioning.left_at({"pre_encoded_keys": []})
    conditioning.close()
    found["times"] = {id: found["times"][id] for id in TIMES if id in found["times"]}
    ids = [PROMPT] * ("text_encoder" in found) + list(found["times"])
    if PROMPT not in ids or TIMES[-1] not in ids:
        conditioning.refuse("configs", ids, f"{PROMPT!r} and {TIMES[-1]!r}, with or without {TIMES[0]!r},")
    return found


def _transformer(
    diffusion: Section,
    frames: int,
    latent_channels: int,
    conditioning_dimension: int,
    times: dict[str, tuple[float, float]],
) -> dict[str, Any]:
    """The arguments of `StableAudioDiTModel`, whether it has norms besides, and what it predicts."""
    known = list(times)
    diffusion.only("type", "dit")
    diffusion.only("cross_attention_cond_ids", [PROMPT, *known])
    diffusion.only("global_cond_ids", known)
    diffusion.left_at({"input_concat_ids": [], "prepend_cond_ids": []})
    objective = diffusion.only("diffusion_objective", *OBJECTIVES, default="v")
    diffusion.ignore("distribution_shift_options")  # of the schedule that stable-audio-tools samples with
    configuration = diffusion.section("config")
    configuration.only("io_channels", latent_channels)
    configuration.only("cond_token_dim", conditioning_dimension)
    configuration.only("global_cond_dim", len(known) * conditioning_dimension)
    width, heads = configuration.whole("embed_dim"), configuration.whole("num_heads")
    head = width // heads
    if width % heads or head < SMALLEST_HEAD:
        configuration.refuse("num_heads", heads, f"whole heads of {SMALLEST_HEAD} numbers and more")
    attended = width if configuration.flag("project_cond_tokens", True) else conditioning_dimension
    key_value_heads = attended // head
    if attended % head or heads % key_value_heads:
        configuration.refuse("num_heads", heads, f"heads that divide cond_token_dim, {attended}, evenly")
    layers = configuration.whole("depth")
    qk_norm = _attention(configuration)
    configuration.close()
    diffusion.close()
    return {
        "qk_norm": qk_norm,
        "objective": objective,
        "transformer": {
            "sample_size": frames,
            "in_channels": latent_channels,
            "num_layers": layers,
            "attention_head_dim": head,
            "num_attention_heads": heads,
            "num_key_value_attention_heads": key_value_heads,
            "out_channels": latent_channels,
            "cross_attention_dim": attended,
            "time_proj_dim": 256,
            "global_states_input_dim": len(known) * conditioning_dimension,
            "cross_attention_input_dim": conditioning_dimension,
        },
    }


def _attention(configuration: Section) -> bool:
    """Whether queries and keys are normalised; refuses what else a continuous transformer may be."""
    configuration.left_at(
        {
            "transformer_type": "continuous_transformer",
            "project_global_cond": True,
            "global_cond_type": "prepend",
            "timestep_cond_type": "global",
            "timestep_embed_dim": None,
            "patch_size": 1,
            "input_concat_dim": 0,
            "prepend_cond_dim": 0,
            "causal": False,
            "rotary_pos_emb": True,
            "use_sinusoidal_emb": False,
            "use_abs_pos_emb": False,
            "add_rope": False,
            "num_memory_tokens": 0,
            "sliding_window": None,
            "final_cross_attn_ix": -1,
            "conformer": False,
            "layer_scale": False,
            "remove_norms": False,
        }
    )
    configuration.ignore("zero_init_branch_outputs", "abs_pos_emb_max_length")
    attention = configuration.section("attn_kwargs", {})
    qk_norm = attention.only("qk_norm", "none", "ln", default="none")
    attention.left_at({"differential": False, "feat_scale": False, "causal": False})
    attention.close()
    norms = configuration.section("norm_kwargs", {})
    norms.left_at({"eps": 1e-5})
    norms.ignore("bias", "fix_scale", "force_fp32")  # all that a checkpoint holds of them is read
    norms.close()
    forward = configuration.section("ff_kwargs", {})
    forward.left_at({"mult": 4, "no_bias": False, "glu": True, "use_conv": False})
    forward.close()
    return bool(qk_norm == "ln")
