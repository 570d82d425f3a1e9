"""Damaged inputs by the ten thousand: whatever a file holds, its reader gives it or says one line, and soon.

python -m benchmarks.mutations                           # 10,000 of each family; minutes
python -m benchmarks.mutations --family tables --first 412 --count 1        # one again

A family is a kind of reader with good files for it. Input number n of a family is always the same: one of
these files, damaged in one to four ways (bits, bytes, lengths, pieces, other values in the place of numbers
and texts). It passes if it is read, or if one of this package's errors is raised. It fails

    traceback   at any other error
    hang        beyond 8 s of processor time, or 60 s by the clock
    memory      if reading it takes the process above 1 GiB
    crash       if the process dies of it

Inputs are read in child processes, many in each, under a limit of address space, so that a failure costs that
input alone. Leaves with exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from unheard.errors import UnheardError

SECONDS, SECONDS_BY_THE_CLOCK = 8, 60
SECONDS_TO_START = 600
MEMORY = 1 << 30
ADDRESS_SPACE = 12 << 30
"""torch alone maps several GiB that it never touches."""
RATE = 16_000


@dataclass(frozen=True)
class Family:
    """A kind of reader.

    Attributes:
        good: content of files that it reads, by name.
        read: reads a file of that name, which lies in a folder of its own.
        text: whether damage is done to values as well as to bytes.
    """

    good: Callable[[], dict[str, bytes]]
    read: Callable[[Path], object]
    text: bool = True


@dataclass(frozen=True)
class Failure:
    """An input that did not pass: its number, how, and the last lines of what was said."""

    number: int
    how: str
    said: str


# Good files


def _samples(channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (3_000, channels)).astype(np.float32)


def _sound(container: str, codec: str, channels: int = 1) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, _samples(channels), RATE, format=container, subtype=codec)
    return file.getvalue()


@cache
def sounds() -> dict[str, bytes]:
    found = {
        "a.wav": _sound("WAV", "PCM_16", 2), "b.wav": _sound("WAV", "FLOAT"),
        "c.wav": _sound("WAV", "GSM610"), "a.flac": _sound("FLAC", "PCM_16", 2),
        "a.ogg": _sound("OGG", "VORBIS"), "a.opus": _sound("OGG", "OPUS"),
        "a.mp3": _sound("MP3", "MPEG_LAYER_III", 2), "a.aiff": _sound("AIFF", "PCM_16"),
        "a.au": _sound("AU", "PCM_16"), "a.caf": _sound("CAF", "ALAC_16"), "a.w64": _sound("W64", "PCM_16"),
        "a.rf64": _sound("RF64", "PCM_16"), "a.voc": _sound("VOC", "PCM_16"),
        "a.nist": _sound("NIST", "PCM_16"),
    }  # fmt: skip
    found["joined.ogg"] = found["a.ogg"] * 2
    with suppress(ImportError):
        import av

        file = io.BytesIO()
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=RATE, layout="mono")
            for start in range(0, 3_000, 1024):
                piece = np.ascontiguousarray(_samples(1).T[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(piece, "fltp", "mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        found["a.m4a"] = file.getvalue()
    return found


ROWS = [
    {
        "path": "a.wav",
        "prompt": "a bell",
        "id": "7",
        "seconds_start": 0.5,
        "seconds_total": 3,
        "licence": "CC0",
    },
    {"path": "drums/b.wav", "caption": "Flügel", "text": ["one", "two"], "seconds_total": None},
    {"file_name": "c.wav", "caption": {"en": "a bell"}, "url": "https://example.org/c"},
]


@cache
def tables() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    def parquet(table: pa.Table) -> bytes:
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file)
        return file.getvalue()

    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    audio = [{"bytes": sounds()["a.flac"][:400], "path": "a.flac"}, {"bytes": None, "path": "b.wav"}]
    text = 'path,caption,seconds_total\na.wav,"a bell, ü",3\nb.wav,,\n"c d.wav",two\n'
    return {
        "a.jsonl": lines.encode(), "a.csv": text.encode(), "b.csv": text.encode("utf-16"),
        "a.parquet": parquet(pa.table({"path": ["a.wav", "b.wav"], "prompt": ["a", None], "id": [1, 2]})),
        "b.parquet": parquet(pa.table({"audio": audio, "text": [["one", "two"], []]})),
    }  # fmt: skip


@cache
def published() -> dict[str, bytes]:
    entries = {
        f"{number}": {
            "embedding": [round(float(value), 4) for value in np.random.default_rng(number).normal(size=8)],
            "conditioning": {"prompt": "a bell", "seconds_start": 0.0, "seconds_total": 2.5},
        }
        for number in range(3)
    }
    sidecar = json.dumps(
        {"text": ["a bell", "ü"], "seconds_total": 3, "tag": ["x"], "deep": {"a": [1, None]}}
    )
    preset = json.dumps({"guidance": {"kind": "amg", "c1": 1.0}, "guidance_scale": 3.0, "sigma_min": 0.3})
    return {
        "index.json": json.dumps(entries).encode(), "sidecar.json": sidecar.encode(),
        "preset.json": preset.encode(),
    }  # fmt: skip


@cache
def experiments() -> dict[str, bytes]:
    text = """
    model = "tiny"
    seeds = {first = 0, count = 2}
    batch = 2
    metrics = ["replication", "clap_score"]
    duration = 2.0
    [[prompts]]
    list = ["a bell", "a drum"]
    half = "report"
    [[prompts]]
    set = "memorised"
    select = "1::2"
    [settings.none]
    guidance_scale = 3.0
    [settings.amg]
    guidance = {kind = "amg", c1 = 1.0}
    """
    return {"experiment.toml": text.encode()}


@cache
def shards() -> dict[str, bytes]:
    members = {
        "a.flac": sounds()["a.flac"][:700], "a.json": b'{"caption": "a bell"}', "a.txt": b"x",
        "b.1 (x).wav": sounds()["a.wav"][:300], "b.1 (x).txt": "ü".encode(), "b.2.wav": b"x",
        "deep/c.npy": b"123", "l" * 120 + ".wav": b"long",
    }  # fmt: skip
    made = {}
    for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz"), ("c.tar", "w")):
        file = io.BytesIO()
        layout = tarfile.PAX_FORMAT if name == "c.tar" else tarfile.GNU_FORMAT
        with tarfile.open(fileobj=file, mode=mode, format=layout) as shard:  # type: ignore[call-overload]
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                if layout == tarfile.PAX_FORMAT:
                    info.pax_headers = {"comment": "ü" * 40, "mtime": "1.5"}
                shard.addfile(info, io.BytesIO(content))
        made[name] = file.getvalue()
    return made


@cache
def records() -> dict[str, bytes]:
    trace = [{"step": 0, "sigma": 80.0, "measure": "cosine", "value": 0.5, "guided": True}]
    record = {
        "unheard": 2, "prompt": "a bell", "negative_prompt": None, "seed": 3, "duration": 2.0, "start": 0.0,
        "guidance": {"kind": "amg", "c1": 1.0, "c2": 2.0, "c3": 3.0},
        "sampling": {"sampler": "dpmpp-3m-sde", "num_inference_steps": 20, "sigma_min": 0.3,
                     "sigma_max": 500.0, "guidance_scale": 3.0},
        "batch": {"position": 0, "prompts": ["a bell"], "seeds": [3]},
        "model": {"name": "tiny", "fingerprint": "sha256:0"},
        "machine": {"device": "cpu", "dtype": "float32"},
        "result": {"encoding": "16-bit", "sha256": "0"}, "trace": trace,
    }  # fmt: skip
    older = {
        **record,
        "unheard": 1,
        "trace": [{"step": 0, "sigma": 80.0, "similarity": 0.5, "way": "x", "share": 1.0}],
    }
    return {
        "new.json": json.dumps(record, indent=1).encode(),
        "old.json": json.dumps(older, indent=1).encode(),
    }


@cache
def models() -> dict[str, bytes]:
    unheard = {
        "sampling": {"num_inference_steps": 20, "sigma_min": 0.3, "sigma_max": 500.0, "guidance_scale": 3.0},
        "guidance": {"kind": "detour", "gate": 0.9}, "duration": 2.0, "embedder": "guide",
        "index": "index.json", "references": "memorised.json",
    }  # fmt: skip
    return {
        "unheard.json": json.dumps(unheard).encode(),
        "model_index.json": b'{"_class_name": "StableAudioPipeline", "vae": ["diffusers", "Oobleck"]}',
        "memorised.json": json.dumps([{"caption": "a bell", "repetitions": 8, "items": ["00001"]}]).encode(),
    }


@cache
def calibrations() -> dict[str, bytes]:
    threshold = {"value": 0.4, "rate": 0.01, "by": "tail", "low": 0.3, "high": None, "captions": 200,
                 "above": 2, "rate_low": 0.0, "rate_high": 0.036}  # fmt: skip
    separation = {"captions": 10, "above": 8, "low": 0.4, "high": 0.9, "area": 0.95, "separates": True}
    statistic = {"threshold": threshold, "ordinary": [0.1, 0.2], "suspected": [0.9], "separation": separation}
    duration = {"duration": 4.0, "high_noise": 9.0, "spread": 1.1,
                "statistics": {"pull": statistic, "excess": {**statistic, "separation": None}}}  # fmt: skip
    proof = {"caption": "A loop", "seed": 0, "plain": "copy", "guided": "clear", "fallback": "Strings",
             "prompt_weight": 0.2}  # fmt: skip
    record = {"unheard_calibration": 1, "model": "a model", "fingerprint": "sha256:0", "index": "0" * 64,
              "items": 2620, "recordings": 60, "sampling": {"sampler": "euler"}, "false_alarms": 0.01,
              "seed": 0, "ordinary": ["A bell", "Strings"], "suspected": ["A loop"], "replayed": [],
              "durations": [duration], "proof": [proof], "made": {"seconds": 1.0}}  # fmt: skip
    return {"calibration.json": json.dumps(record, indent=1).encode()}


@cache
def audits() -> dict[str, bytes]:
    matches = [{"reference": "r", "verdict": "copy", "score": 9.0}, {"reference": "s", "verdict": "similar"}]
    files = [
        {"path": "a.wav", "sha256": "0" * 64, "verdict": "copy", "matches": matches},
        {"path": "b.wav", "sha256": None, "verdict": "clear", "matches": []},
        {"path": "c.wav", "sha256": "1" * 64, "verdict": "not judged", "reason": "silent", "matches": []},
    ]
    return {"audit.json": json.dumps({"files": files, "verdict": "copy"}).encode()}


@cache
def scripts() -> dict[str, bytes]:
    text = """
    import torch
    cfg_scale, seed = 7, -1
    sample_rate, total_duration = 44100, 4.0
    settings = dict(c1=4, c2=2 + 1, c3=10 ** 2)
    def run(prompt="a bell"):
        conditioning = [{"prompt": prompt, "seconds_start": 0, "seconds_total": total_duration}] * 2
        return my_generate_diffusion_cond(
            model, steps=100, cfg_scale=cfg_scale, conditioning=conditioning, sigma_min=0.3, sigma_max=500,
            sampler_type="my-dpmpp-3m-sde", seed=seed, device="cuda", **settings,
        )
    """
    other = "output = generate_diffusion_cond(model, steps=50, cfg_scale=6, init_audio=(44100, x))"
    return {"amg_infer.py": inspect.cleandoc(text).encode(), "other.py": other.encode()}


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


# Readers


def read_sound(path: Path) -> None:
    from unheard import audio
    from unheard.index.building.decoding import Decoded, Job, decode
    from unheard.index.building.recording import Recording

    decoded = decode(Job(Recording("x", str(path)), RATE, None, str(path.parent)))
    if isinstance(decoded, Decoded):
        decoded.close()
    audio.to_mono(audio.read(path)[0])


def read_table(path: Path) -> None:
    from unheard.index.building.ledger import further_json
    from unheard.index.building.manifests import CaptionTable
    from unheard.index.building.recording import Recording
    from unheard.index.building.sources import Sources

    for found in Sources(path):
        if isinstance(found, Recording):
            for text in (found.id, found.source, found.prompt or "", further_json(found.further) or ""):
                text.encode("utf-8")
    CaptionTable(path).describe(Recording("a.wav", "a.wav"), "")


def read_json(path: Path) -> None:
    from unheard.generation.preset import read_preset
    from unheard.index import Index
    from unheard.index.building.sources import Sources

    if path.name == "sidecar.json":
        (path.parent / "sidecar.wav").touch()
        list(Sources(path.parent))
    elif path.name == "preset.json":
        read_preset(path)
    else:
        Index.open(path)


def read_experiment(path: Path) -> None:
    from unheard.evaluation.experiment import Experiment

    Experiment.read(path)


def read_shard(path: Path) -> None:
    from unheard.common.shards import is_available, opened
    from unheard.index.building.recording import Recording
    from unheard.index.building.sources import Sources

    for found in Sources(path):
        if isinstance(found, Recording):
            found.id.encode("utf-8")
            if is_available(found.source):
                opened(found.source).read()


def read_record(path: Path) -> None:
    from unheard.generation.provenance import differences, read

    differences(read(path), json.loads(records()["new.json"]))


def read_model(path: Path) -> None:
    from unheard.auditing.catalogue import Catalogue
    from unheard.backbones.hub import fetch, pipeline_class
    from unheard.generation.defaults import read_defaults

    for name, content in models().items():
        if name != path.name:
            (path.parent / name).write_bytes(content)
    fetch(str(path.parent))
    read_defaults(path.parent)
    pipeline_class(path.parent)
    Catalogue.of_model(path.parent)


def read_calibration(path: Path) -> None:
    from unheard.generation.calibration.record import Calibration

    found = Calibration.read(path)
    found.words(4.0, 60)
    found.detour(4.0, 60)
    json.dumps(found.describe())


def read_audit(path: Path) -> None:
    from unheard.auditing import comparison

    (good := path.with_name("before.json")).write_bytes(audits()["audit.json"])
    found = comparison.compare(comparison.read_audit(good), comparison.read_audit(path))
    assert found.is_worse in (True, False)


def read_script(path: Path) -> None:
    from unheard.cli.published.script import read_script
    from unheard.cli.published.translation import translate

    json.dumps(translate(read_script(path)).preset)


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


FAMILIES = {
    "sounds": Family(sounds, read_sound, text=False),
    "tables": Family(tables, read_table),
    "json": Family(published, read_json),
    "toml": Family(experiments, read_experiment),
    "shards": Family(shards, read_shard, text=False),
    "provenance": Family(records, read_record),
    "models": Family(models, read_model),
    "calibrations": Family(calibrations, read_calibration),
    "audits": Family(audits, read_audit),
    "scripts": Family(scripts, read_script),
    "configurations": Family(configurations, read_native),
    "checkpoints": Family(checkpoints, read_weights, text=False),
}


# Damage

NUMBERS = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    0x8000_0000,
    (1 << 63) - 1,
    (1 << 64) - 1,
]
VALUES = [
    "null", "true", "-1", "0", "1e999", "NaN", "-Infinity", "9" * 400, "9" * 5000, "0.5", '""', '"x"', "[]",
    "{}",
    '"\\ud83d"', '"\\u0000"', '["a", 3]', '{"a": null}', '"../../etc/passwd"', '"s3://bucket/x"',
    '"' + "x" * 5000 + '"', "[" * 3000, "[" * 900 + "]" * 900, '{"a":' * 2000, "\x00", "\u2028", '"',
]  # fmt: skip
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')


def damaged(family: Family, number: int) -> tuple[str, bytes]:
    """Input number n of a family: name and content."""
    chance = random.Random(number)
    name, content = chance.choice(sorted(family.good().items()))
    for _ in range(chance.randint(1, 4)):
        damage = chance.choice([_other_value, _other_value, _other_node, _other_bytes])
        content = (damage if family.text else _other_bytes)(content, chance, family)
    return name, content


def _other_bytes(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Damage that knows nothing of what the bytes mean; more of it near the beginning, where headers are."""
    changed = bytearray(content)
    reach = len(changed) if chance.random() < 0.5 else min(len(changed), 256)
    place = chance.randrange(reach + 1)
    end = min(len(changed), place + int(chance.expovariate(1 / 16)) + 1)
    kind = chance.randrange(8)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            if changed:
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        changed[place:end] = chance.randbytes(end - place)
    elif kind == 2:
        del changed[place:end]
    elif kind == 3:
        changed[place:place] = changed[place:end] * chance.randint(1, 50)
    elif kind == 4:
        width, order = chance.choice([1, 2, 4, 8]), chance.choice(["little", "big"])
        value = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
        changed[place : place + width] = value.to_bytes(width, order)  # type: ignore[arg-type]
    elif kind == 5:
        del changed[chance.randrange(len(changed) + 1) :]
    elif kind == 6:
        other = chance.choice(sorted(family.good().values()))
        changed[place:end] = other[chance.randrange(len(other)) :][: chance.randrange(1, 400)]
    else:
        changed[place:place] = chance.choice([b"\0", b"\xff"]) * chance.randint(1, 300)
    return bytes(changed)


def _other_value(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Another value in the place of a number or a text."""
    tokens = list(TOKENS.finditer(content))
    if not tokens:
        return _other_bytes(content, chance, family)
    token = chance.choice(tokens)
    value = chance.choice([*VALUES, chance.choice(tokens)[0].decode("utf-8", "replace")]).encode()
    return content[: token.start()] + value + content[token.end() :]


NODES = [
    None,
    True,
    -1,
    0,
    2.5,
    10**400,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    ["a", 3],
    {"a": {}},
    [{}],
    "\ud83d\0",
]


def _other_node(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Another value in the place of any part of a JSON document, however much is in it."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _other_value(content, chance, family)
    if not isinstance(document, dict | list):
        return _other_value(content, chance, family)
    parts: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        part = waiting.pop()
        inside = list(part.items()) if isinstance(part, dict) else list(enumerate(part))
        parts += [(part, key) for key, _ in inside]
        waiting += [value for _, value in inside if isinstance(value, dict | list)]
    if not parts:
        return content
    part, key = chance.choice(parts)
    part[key] = chance.choice(NODES)
    return json.dumps(document).encode()


# Children


def attempt(family: Family, number: int, folder: Path) -> str | None:
    """Read one input; the traceback if it raised what it should not, else None."""
    name, content = damaged(family, number)
    path = folder / name
    path.write_bytes(content)
    try:
        family.read(path)
    except UnheardError as error:
        return f"an error of several lines: {error!r}" if "\n" in str(error) else None
    except Exception:
        return traceback.format_exc()
    return None


def _child(name: str, first: int, end: int, memory: int, results: Connection) -> None:
    """Read inputs one after another, telling of each: its number first, then what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with open(os.devnull, "w") as nowhere:  # decoders in C write there as they like
        os.dup2(nowhere.fileno(), 2)
    warnings.simplefilter("ignore")
    family = FAMILIES[name]
    with tempfile.TemporaryDirectory(prefix="unheard-mutations-") as folder:
        for file, content in family.good().items():  # whatever is imported for them is, from here on
            (Path(folder) / file).write_bytes(content)
            with suppress(UnheardError):
                family.read(Path(folder) / file)
    for number in range(first, end):
        results.send((number, None, None))
        said = io.StringIO()
        with tempfile.TemporaryDirectory(prefix="unheard-mutations-") as folder, redirect_stderr(said):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends the process
            raised = attempt(family, number, Path(folder))
            signal.setitimer(signal.ITIMER_PROF, 0)
        peak = _peak()
        if raised is None and "Traceback" in said.getvalue():
            raised = said.getvalue()
        results.send((number, raised, peak))
        if peak > memory:
            return  # another process goes on, whose peak is its own


def _peak() -> int:
    """The most memory that this process has held, in bytes.

    `ru_maxrss` would be at least what the process held that started this one, whatever this one runs.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def failures(name: str, first: int, count: int) -> Iterator[Failure | int]:
    """Read inputs of a family; what failed, and the highest peak of memory in bytes of each process."""
    context = multiprocessing.get_context("spawn")
    end = first + count
    while first < end:
        receiving, sending = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(name, first, end, MEMORY, sending), daemon=True)
        child.start()
        sending.close()
        begun, peak, patience = first, 0, SECONDS_TO_START
        with suppress(EOFError):
            while receiving.poll(patience):
                number, raised, used = receiving.recv()
                begun, patience = number, SECONDS_BY_THE_CLOCK
                if used is None:
                    continue
                first = number + 1
                if raised is not None:
                    yield Failure(number, "traceback", "\n".join(raised.strip().splitlines()[-4:])[-600:])
                if used > MEMORY:
                    yield Failure(number, "memory", f"{used / MEMORY:.2f} GiB")
                else:
                    peak = used
            else:
                child.kill()
        child.join()
        receiving.close()
        if first < end and begun == first and child.exitcode != 0:
            late = child.exitcode in (-signal.SIGPROF, -signal.SIGKILL)
            yield Failure(first, "hang" if late else "crash", f"exit code {child.exitcode}")
            first += 1
        yield peak


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=FAMILIES, action="append", help="one alone; may be repeated")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each family")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="write the inputs that failed into this folder")
    options = parser.parse_args()
    print(
        f"{'family':12}{'inputs':>8}{'tracebacks':>12}{'hangs':>7}{'crashes':>9}{'memory':>8}"
        f"{'peak GiB':>10}{'s':>7}"
    )
    failed = 0
    for name in options.family or FAMILIES:
        begun, found, peak = time.monotonic(), list[Failure](), 0
        for each in failures(name, options.first, options.count):
            if isinstance(each, int):
                peak = max(peak, each)
                continue
            found.append(each)
            print(f"  {name} {each.number}: {each.how}\n    {each.said}", file=sys.stderr)
            if options.keep is not None:
                file, content = damaged(FAMILIES[name], each.number)
                (options.keep / f"{name}-{each.number}").mkdir(parents=True, exist_ok=True)
                (options.keep / f"{name}-{each.number}" / file).write_bytes(content)
        counted = Counter(each.how for each in found)
        print(
            f"{name:12}{options.count:8,}{counted['traceback']:12}{counted['hang']:7}{counted['crash']:9}"
            f"{counted['memory']:8}{peak / MEMORY:10.2f}{time.monotonic() - begun:7.0f}",
            flush=True,
        )
        failed += len(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
