"""What models are read from: their JSON, weights and configurations."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import unheard
from benchmarks.mutations.family import Family
from unheard.errors import UnheardError

CLAP = Path(unheard.__file__).parent / "assets/tiny/guide"


@cache
def models() -> dict[str, bytes]:
    unheard = {
        "sampling": {"num_inference_steps": 20, "sigma_min": 0.3, "sigma_max": 500.0, "guidance_scale": 3.0},
        "guidance": {"kind": "detour", "threshold": 0.9}, "duration": 2.0, "embedder": "guide",
        "index": "index.json", "references": "memorised.json",
    }  # fmt: skip
    return {
        "unheard.json": json.dumps(unheard).encode(),
        "model_index.json": b'{"_class_name": "StableAudioPipeline", "vae": ["diffusers", "Oobleck"]}',
        "memorised.json": json.dumps([{"caption": "a bell", "repetitions": 8, "items": ["00001"]}]).encode(),
    }


@cache
def checkpoints() -> dict[str, bytes]:
    import torch
    from safetensors.torch import save

    weights = {"model.model.a.weight": torch.ones(4, 3), "pretransform.b.bias": torch.zeros(5)}
    layer = "model.a.parametrizations.weight.0."
    changes = {f"{layer}lora_A": torch.ones(2, 3), f"{layer}lora_B": torch.ones(4, 2)}
    told = {"lora_config": json.dumps({"rank": 2, "alpha": 2.0, "adapter_type": "lora"})}
    made = {"model.safetensors": save(weights), "lora.safetensors": save(changes, metadata=told)}
    for name, content in (
        ("model.ckpt", {"state_dict": weights, "epoch": 3}),
        ("lora.ckpt", {"state_dict": changes, "lora_config": {"rank": 2, "alpha": 2.0}}),
    ):
        file = io.BytesIO()
        torch.save(content, file)
        made[name] = file.getvalue()
    return made


@cache
def configurations() -> dict[str, bytes]:
    half = {"channels": 16, "c_mults": [1, 2], "strides": [2, 4], "use_snake": True, "latent_dim": 8}
    seconds = {"min_val": 0, "max_val": 8}
    configuration = {
        "model_type": "diffusion_cond", "sample_size": 16384, "sample_rate": 16000, "audio_channels": 2,
        "model": {
            "pretransform": {"type": "autoencoder", "iterate_batch": True, "config": {
                "encoder": {"type": "oobleck", "config": {**half, "in_channels": 2, "latent_dim": 16}},
                "decoder": {"type": "oobleck", "config": {**half, "out_channels": 2, "final_tanh": False}},
                "bottleneck": {"type": "vae"}, "latent_dim": 8, "downsampling_ratio": 8, "io_channels": 2}},
            "conditioning": {"cond_dim": 64, "configs": [
                {"id": "prompt", "type": "t5", "config": {"t5_model_name": "t5-base", "max_length": 16}},
                {"id": "seconds_total", "type": "number", "config": seconds}]},
            "diffusion": {"type": "dit", "cross_attention_cond_ids": ["prompt", "seconds_total"],
                          "global_cond_ids": ["seconds_total"], "config": {
                "io_channels": 8, "embed_dim": 128, "depth": 2, "num_heads": 2, "cond_token_dim": 64,
                "global_cond_dim": 64, "project_cond_tokens": False, "transformer_type":
                "continuous_transformer"}},
            "io_channels": 8},
    }  # fmt: skip
    return {"model_config.json": json.dumps(configuration).encode()}


def read_model(path: Path) -> None:
    from unheard.auditing.catalogue import Catalogue
    from unheard.backbones.hub import fetch, pipeline_class
    from unheard.generation.defaults import read_defaults

    for name, content in models().items():
        if name != path.name:
            (path.parent / name).write_bytes(content)
    (path.parent / "index.json").write_text("{}")
    (path.parent / "memorised").mkdir()
    shutil.copy(CLAP.parent / "memorised/00001.flac", path.parent / "memorised")
    fetch(str(path.parent))
    read_defaults(path.parent)
    pipeline_class(path.parent)
    with tempfile.TemporaryDirectory() as cache:
        Catalogue.of_model(path.parent, cache=Path(cache))


def read_weights(path: Path) -> None:
    from unheard.backbones.low_rank import read_changes
    from unheard.backbones.native.checkpoint import read_checkpoint

    (read_changes if path.stem == "lora" else read_checkpoint)(path)


def read_native(path: Path) -> None:
    from unheard.backbones.native.layout import pipeline_of
    from unheard.backbones.stable_audio.native.configuration import read_configuration
    from unheard.backbones.stable_audio_3.native.configuration import read_configuration as read_3

    pipeline_of(path.with_name("model.ckpt"))
    with suppress(UnheardError):
        read_3(path)
    read_configuration(path)


@cache
def claps() -> dict[str, bytes]:
    """The CLAP that comes with the package, without its weights."""
    names = ("config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json")
    return {name: (CLAP / name).read_bytes() for name in names}


def read_clap(path: Path) -> None:
    from unheard.embedders.clap import ClapEmbedder

    for name in {*claps(), "model.safetensors"} - {path.name}:
        (path.parent / name).symlink_to(CLAP / name)
    embedder = ClapEmbedder.load(path.parent)
    embedder.embed_text(["a bell, ü"])


@cache
def gate_heads() -> dict[str, bytes]:
    from unheard.guidance.amg import gate_head

    fit = gate_head.Fit("a model", "sha256:0", "0" * 64, 8, 4, 2.0, 0.1, 30, 10, 10, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.safetensors"
        gate_head.write(path, gate_head.GateHead(fit.features, fit.dimension), fit)
        return {path.name: path.read_bytes()}


def read_gate_head(path: Path) -> None:
    import torch

    from unheard.guidance.amg import gate_head

    head, fit = gate_head.read(path, torch.device("cpu"))
    head(torch.zeros(1, fit.features, 4))


FAMILIES = {
    "models": Family(models, read_model),
    "configurations": Family(configurations, read_native),
    "checkpoints": Family(checkpoints, read_weights, text=False),
    "claps": Family(claps, read_clap),
    "gate heads": Family(gate_heads, read_gate_head),
}
