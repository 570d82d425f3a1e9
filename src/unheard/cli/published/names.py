"""What the names of the published scripts and of stable-audio-tools are called here."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Name:
    """A name of the published code.

    Attributes:
        name: as it stands there.
        option: ours for it; None where it has no meaning here.
        note: what else there is to know, or why it has no meaning.
        setting: what a preset calls it; None for what no preset holds.
    """

    name: str
    option: str | None
    note: str = ""
    setting: str | None = None


NAMES = (
    Name("cfg_scale", "--guidance-scale", setting="guidance_scale"),
    Name("steps", "--num-inference-steps", setting="num_inference_steps"),
    Name("denoising_steps", "--num-inference-steps", setting="num_inference_steps"),
    Name("sampler_type", "--sampler", "my-dpmpp-3m-sde is dpmpp_3m_sde", "sampler"),
    Name("sigma_min", "--sigma-min", setting="sigma_min"),
    Name("sigma_max", "--sigma-max", setting="sigma_max"),
    Name("rho", None, "noise levels are spaced with rho 1, as published; leave it out"),
    Name("c1", "--c1", setting="c1"),
    Name("c2", "--c2", setting="c2"),
    Name("c3", "--c3", setting="c3"),
    Name("lambda_min", "--lambda-min", setting="lambda_min"),
    Name("lambda_max", "--lambda-max", setting="lambda_max"),
    Name("conditioning", None, "the prompt stands behind `unheard generate`; the times are options"),
    Name("prompt", None, "it stands behind `unheard generate`"),
    Name("seconds_start", "--start"),
    Name("seconds_total", "--duration", "the seconds from --start on"),
    Name("total_duration", "--duration"),
    Name("negative_conditioning", "--negative-prompt", "its times are always the sound's", "negative_prompt"),
    Name("seed", "--seed", "-1 is `--seed random`"),
    Name("batch_size", "--count", "how many of them at once is --batch"),
    Name("init_audio", "--init-audio", "a file, of any rate"),
    Name("init_noise_level", "--init-noise-level"),
    Name("return_latents", "--save-latents", "beside the sound"),
    Name("device", "--device"),
    Name("sample_size", None, "the model's own; seconds are asked for by --duration"),
    Name("sample_rate", None, "the model's own"),
    Name("embeddings_new", "--index", "the file itself, or what `unheard index import` makes of it"),
)
"""The table of names, in the order of the page `docs/from-the-published-code.md`."""
BY_NAME = {name.name: name for name in NAMES}

NOT_NEEDED = {
    "laion_clap": "the same CLAP weights come from transformers",
    "CLAP": "the same CLAP weights come from transformers",
    "torchaudio": "sounds are read and written by soundfile, and resampled by julius",
    "stable_audio_tools": "the model comes from diffusers, or from its native checkpoint",
    "k_diffusion": "the samplers are unheard's own",
    "einops": "nothing takes its place",
    "sklearn": "nothing takes its place",
}
"""Packages of the published environment that unheard does without, and why."""


def answer(error: click.NoSuchOption) -> str | None:
    """What to say of an option that has a name of the published code; None for any other."""
    given = error.option_name.lstrip("-")
    name = BY_NAME.get(given.replace("-", "_").removesuffix(".json"))
    if name is None:
        return None
    if name.option is None:
        return f"there is no --{given}: {name.note}"
    command = None if error.ctx is None else error.ctx.command
    has_it = command is not None and any(name.option in each.opts for each in command.params)
    where = "here" if has_it else "of `unheard generate`"
    note = f"; {name.note}" if name.note else ""
    return f"there is no --{given}: it is called {name.option} {where}{note}"
