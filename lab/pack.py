"""Puts the trained parts together as the bundled model: `python -m lab.pack`.

Writes `src/unheard/assets/tiny/`: StableAudioPipeline's folder layout in float16 safetensors, guide and judge
as ClapModels, the listener, the index of the training set by the guide, the audio of the memorised items, the
evaluation's prompts, and the settings that travel with the model.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile
import torch
from diffusers import AutoencoderOobleck, CosineDPMSolverMultistepScheduler, StableAudioPipeline
from safetensors.torch import save_file
from transformers import AutoProcessor, ClapModel

from lab import sizes
from lab.checkpoints import Checkpoint, unpack
from lab.clap import embed_all
from lab.corpus_files import Corpus
from lab.train_diffusion import Generator
from unheard.backbones import load_backbone
from unheard.common.files import sha256
from unheard.embedders import load_embedder
from unheard.guidance.detour.recording_latents import PACKED, RecordingLatents

LOOKED_AT = 100  # held-out sounds
ORDINARY_PROMPTS = 60
DEFAULTS = {
    "sampling": {
        "sampler": "dpmpp_3m_sde",
        "num_inference_steps": 30,
        "sigma_min": 0.1,
        "sigma_max": 100.0,
        "guidance_scale": 3.0,
    },
    "guidance": {"kind": "detour", "threshold": 0.3, "pull": 0.54, "prompt_weight": 0.5, "candidates": 64},
    "duration": 4.0,
    "embedder": "guide",
    "index": "index.json",
    "references": "memorised.json",
}


def pack_pipeline(size: str, corpus: Corpus, work: Path, folder: Path) -> None:
    generator = Generator(size, corpus.captions)
    state = Checkpoint(work / "diffusion").load()
    if state is None:
        raise SystemExit(f"no transformer in {work / 'diffusion'}: run python -m lab.train_diffusion first")
    unpack(state, average=generator)
    pipeline = StableAudioPipeline(
        vae=AutoencoderOobleck.from_pretrained(work / "vae" / "model"),
        text_encoder=generator.text_encoder,
        tokenizer=generator.tokenizer,
        projection_model=generator.projection_model,
        transformer=generator.transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_min=0.1, sigma_max=100.0),
    )
    pipeline.to(torch.float16).save_pretrained(folder)


def pack_clap(source: Path, folder: Path) -> None:
    ClapModel.from_pretrained(source).half().save_pretrained(folder)
    AutoProcessor.from_pretrained(source).save_pretrained(folder)
    shutil.copy(source / "unheard.json", folder)


def pack_index(corpus: Corpus, folder: Path) -> None:
    """One entry a training sound, in the published format; how often it repeats stands beside."""
    guide = load_embedder(folder / "guide")
    embeddings = embed_all(guide, corpus, corpus.sounds, corpus.training).double().numpy()
    entries = {}
    for position, embedding in zip(corpus.training, embeddings, strict=True):
        row = corpus.rows[position]
        entries[row["id"]] = {
            "embedding": [round(float(number), 4) for number in embedding],
            "conditioning": {
                "prompt": row["caption"],
                "seconds_start": 0.0,
                "seconds_total": row["duration"],
            },
            "embedder": guide.name,
            "repetitions": row["repetitions"],
        }
    (folder / "index.json").write_text(json.dumps(entries, separators=(",", ":")))


def pack_memorised(corpus: Corpus, folder: Path) -> None:
    """The memorised recordings, and `memorised.json`: each caption's repetitions and recordings."""
    shutil.rmtree(folder / "memorised", ignore_errors=True)
    (folder / "memorised").mkdir()
    captions: dict[str, dict] = {}
    for position in corpus.positions("memorised"):
        row = corpus.rows[position]
        sound = corpus.sounds[position, : round(row["duration"] * sizes.SAMPLE_RATE)]
        file = folder / "memorised" / f"{row['id']}.flac"
        soundfile.write(file, sound, sizes.SAMPLE_RATE, subtype="PCM_16")
        entry = captions.setdefault(
            row["caption"], {"caption": row["caption"], "repetitions": 0, "items": []}
        )
        entry["repetitions"] += row["repetitions"]
        entry["items"].append(row["id"])
    (folder / "memorised.json").write_text(json.dumps(list(captions.values()), indent=1) + "\n")


def pack_latents(folder: Path) -> None:
    """The memorised recordings as the packed autoencoder sees them, so that a detour need not encode them."""
    recordings = RecordingLatents(load_backbone(folder))
    files = sorted((folder / "memorised").glob("*.flac"))
    save_file({sha256(file): recordings.encoded(file).half() for file in files}, folder / PACKED)


def pack_prompts(corpus: Corpus, folder: Path) -> None:
    """Captions that the model never saw: those to evaluate on, and the pool to find the right one in.

    Not among the held-out sounds that were looked at while the networks were designed, unless there are no
    others, as in the smoke size.
    """
    rng = np.random.default_rng(0)
    unseen = [corpus.rows[p] for p in corpus.held_out[LOOKED_AT:] or corpus.held_out]
    chosen = rng.permutation(len(unseen))[: sizes.RETRIEVAL_POOL]
    rows = [{"caption": unseen[i]["caption"], "duration": unseen[i]["duration"]} for i in chosen]
    prompts = {"ordinary": rows[:ORDINARY_PROMPTS], "pool": [row["caption"] for row in rows]}
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1) + "\n")


def assemble(size: str, work: Path, folder: Path) -> None:
    """The model's `folder` from what was trained in `work`; settings that it has already stay."""
    corpus = Corpus(work / "corpus")
    folder.mkdir(parents=True, exist_ok=True)
    pack_pipeline(size, corpus, work, folder)
    for role in ("guide", "judge"):
        pack_clap(work / role / "model", folder / role)
    shutil.copytree(work / "listener" / "model", folder / "listener", dirs_exist_ok=True)
    pack_index(corpus, folder)
    pack_memorised(corpus, folder)
    pack_latents(folder)
    pack_prompts(corpus, folder)
    if not (folder / "unheard.json").is_file():
        (folder / "unheard.json").write_text(json.dumps(DEFAULTS, indent=2) + "\n")
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {total / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sizes.NAMES, default="cpu", help="of the networks (default: cpu)")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and checkpoints")
    parser.add_argument("--out", type=Path, default="src/unheard/assets/tiny", help="folder to write to")
    arguments = parser.parse_args()
    assemble(arguments.size, arguments.work, arguments.out)


if __name__ == "__main__":
    main()
