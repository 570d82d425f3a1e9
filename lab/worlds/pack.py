"""Puts a world together as a model's folder; `python -m lab.worlds` does it all.

Guide, judge and listener are the bundled model's, and so is the autoencoder but the flow's. The folder brings
the index of its whole training set and the planted captions; the recordings lie beside the worlds. `flow` is
written as stable-audio-tools would, the others as diffusers does.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    DDIMScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
)
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from safetensors.torch import load_file, save_file
from transformers import T5EncoderModel, T5Tokenizer

from lab import native_layout, objectives
from lab.corpus_files import Corpus
from lab.pack import DEFAULTS, pack_index, pack_memorised
from lab.planted.pack import pack_latents, pack_ordinary
from lab.worlds import flow
from lab.worlds.train import WORLDS

BUNDLED = Path("src/unheard/assets/tiny")
SAMPLING = {
    "v": DEFAULTS["sampling"],
    "flow": {"sampler": "euler", "num_inference_steps": 30, "guidance_scale": 3.0, "schedule": "model"},
    "epsilon": {"sampler": "euler", "num_inference_steps": 30, "guidance_scale": 3.0, "schedule": "model"},
}
TEXT_ENCODER = "t5-base"
"""What the native layout calls the text encoder beside it; it is the flow's own."""


def pipeline(world: str, weights: Path) -> StableAudioPipeline:
    """The trained parts with the world's autoencoder, in float32."""
    bundled = AutoencoderOobleck.from_pretrained(BUNDLED / "vae", torch_dtype=torch.float32)
    return StableAudioPipeline(
        vae=flow.autoencoder(bundled) if world == "flow" else bundled,
        text_encoder=T5EncoderModel.from_pretrained(weights / "text_encoder"),
        tokenizer=T5Tokenizer.from_pretrained(weights / "tokenizer"),
        projection_model=StableAudioProjectionModel.from_pretrained(weights / "projection_model"),
        transformer=StableAudioDiTModel.from_pretrained(weights / "transformer"),
        scheduler=None,
    )


def write_native(made: StableAudioPipeline, folder: Path) -> None:
    """Configuration, checkpoint and text encoder of a rectified flow."""
    settings = native_layout.configuration(made)
    settings["model"]["diffusion"]["diffusion_objective"] = "rectified_flow"
    (folder / "model_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    weights = native_layout.weights(made)
    save_file({name: weight.half() for name, weight in weights.items()}, folder / "model.safetensors")
    made.text_encoder.half().save_pretrained(folder / TEXT_ENCODER)
    made.tokenizer.save_pretrained(folder / TEXT_ENCODER)


def assemble(world: str, work: Path, folder: Path) -> None:
    """The folder of a world's model from what was trained in `work`."""
    corpus = Corpus(work / "corpus")
    folder.mkdir(parents=True, exist_ok=True)
    made = pipeline(world, work / world / "weights")
    if world == "flow":
        write_native(made, folder)
    else:
        made.scheduler = (
            DDIMScheduler(**objectives.DISCRETE)
            if world == "epsilon"
            else CosineDPMSolverMultistepScheduler.from_pretrained(BUNDLED / "scheduler")
        )
        made.to(torch.float16).save_pretrained(folder)
    for part in ("guide", "judge", "listener"):
        shutil.copytree(BUNDLED / part, folder / part, dirs_exist_ok=True)
    index = next(filter(Path.is_file, (work / other / "model" / "index.json" for other in WORLDS)), None)
    if index is None:
        pack_index(corpus, folder)
    elif index.parent != folder:
        shutil.copy(index, folder)
    pack_memorised(corpus, folder)
    if (known := work / "latents.safetensors").is_file():
        latents = WORLDS[world].latents_of(load_file(known)["latents"].float())
        pack_latents(corpus, latents, int(made.vae.hop_length), work / "recordings", folder)
    pack_ordinary(corpus, folder)
    settings = DEFAULTS | {"sampling": SAMPLING[world]}
    (folder / "unheard.json").write_text(json.dumps(settings, indent=2) + "\n")
