"""The JSON beside a sound's file: what it takes to make the same sound again, and what happened on the way.

The record is written in the order in which one reads it: what was asked for, with which models, on which
machine, what came out, and at the end the trace with one entry a denoising step. Numbers that are not finite
are written as null, so that every JSON reader takes the file. A record can be read without torch.
"""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard import __version__
from unheard.common.files import write_whole
from unheard.common.structured_files import read_json
from unheard.common.texts import json_bytes
from unheard.diffusion.settings import STOCHASTIC
from unheard.errors import InputError, said
from unheard.guidance import Detour, describe_guidance, with_present_names

if TYPE_CHECKING:
    from unheard.backbones import Backbone
    from unheard.generation.request import Batch, Request

FORMAT = 3
READABLE = (1, 2, 3)
_TRACE_OF_FORMAT_1 = {"similarity": "value", "way": "fallback", "share": "prompt_weight"}
_NEEDED = {
    "sampling": ("sampler", "num_inference_steps", "sigma_min", "sigma_max", "guidance_scale"),
    "batch": ("position", "prompts", "seeds"),
    "model": ("name",),
    "machine": ("device", "dtype"),
    "result": ("encoding", "sha256"),
}

PACKAGES = ("torch", "diffusers", "transformers", "torchsde", "julius", "numpy")
"""The packages whose versions may change a sound."""


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as UTF-8 JSON, indented, every trace entry on one line."""
    write_whole(path, json_bytes(f"{_as_json(record)}\n"))


def is_record(path: str | Path) -> bool:
    """Whether a file begins as every record does that `write` wrote; its content is not read."""
    try:
        with open(path, "rb") as file:
            return re.match(rb'\s*\{\s*"unheard"\s*:', file.read(256)) is not None
    except OSError:
        return False


def read(path: str | Path) -> dict[str, Any]:
    """Read a record that `write` wrote, now or before.

    One of an older format comes as the present one would have it. Until format 2 the noise of stochastic
    samplers was torchsde's, and its record says so: the same sound can be made again.

    Raises:
        InputError: the file is missing, is not JSON, or is no such record.
    """
    try:
        record = read_json(path)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {said(error)}; give the .json written beside the sound"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): give the .json written beside the sound") from error
    if not isinstance(record, dict) or "unheard" not in record:
        raise InputError(f"{path} does not describe a sound: give the .json written beside the sound")
    if record["unheard"] not in READABLE:
        raise InputError(
            f"{path} has format {record['unheard']!r}, this version reads formats 1 to {FORMAT}: "
            f"use the version of unheard named under machine.packages in it"
        )
    lacking = [key for key in ("prompt", "seed", "duration", "start", "guidance") if key not in record]
    for name, keys in _NEEDED.items():
        lacking += [f"{name}.{key}" for key in keys if key not in _part(record, name)]
    if lacking:
        raise InputError(f"{path} lacks {', '.join(lacking)}: give the .json as it was written")
    guidance, trace = record["guidance"], record.get("trace", [])
    if not isinstance(guidance, Mapping | None) or not isinstance(trace, list):
        raise InputError(f"{path} has a guidance or a trace that is none: give the .json as it was written")
    if not all(
        isinstance(lora, Mapping) and {"path", "weight", "sha256"} <= lora.keys() for lora in loras(record)
    ):
        raise InputError(f"{path} has a LoRA that is none: give the .json as it was written")
    if not all(isinstance(step, Mapping) for step in trace):
        raise InputError(f"{path} has a step that is none in its trace: give the .json as it was written")
    if record["unheard"] == 1:
        record = _of_format_1(record)
    return record if record["unheard"] == FORMAT else _of_format_2(record)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records of the same request and may change the sound.

    Returns:
        One phrase a difference, such as "torch was 2.13.0, is 2.14.0"; empty if nothing does.
    """
    by_sha256 = ("embedder", "index", "init_audio", "gate_head")
    hashes = {"model": "fingerprint"} | dict.fromkeys(by_sha256, "sha256")
    found = []
    kinds = [Path(_part(each, "result").get("file", "")).suffix.lower() for each in (then, now)]
    if kinds[0] != kinds[1]:
        found.append(f"the file was {kinds[0]}, is {kinds[1]}")
    found += [
        f"the {part.replace('_', ' ')} has other contents"
        for part, key in hashes.items()
        if _part(then, part).get(key) != _part(now, part).get(key)
    ]
    if [lora["sha256"] for lora in loras(then)] != [lora["sha256"] for lora in loras(now)]:
        found.append("a LoRA has other contents")
    for key, how in (("items", "available"), ("encoded", "encoded beforehand")):
        had, have = (_part(record, "recordings").get(key, 0) for record in (then, now))
        if had != have:
            found.append(f"the number of recordings {how} was {had}, is {have}")
    for key in ("device_name", "dtype", "compiled", "threads"):
        was, now_is = (_part(record, "machine").get(key) for record in (then, now))
        if was != now_is:
            found.append(f"{key} was {was}, is {now_is}")
    versions_then, versions_now = (_part(_part(record, "machine"), "packages") for record in (then, now))
    return found + [
        f"{package} was {versions_then.get(package)}, is {version_now}"
        for package, version_now in versions_now.items()
        if versions_then.get(package) != version_now
    ]


def is_same_request(record: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a record says that a sound was made from what another does, on such a device.

    A sound that came after rejected attempts, or that was made in the place of others, was asked for with the
    seed and the guidance of the first, which may have been in another batch.

    Args:
        record: as `read` gives it.
        expected: as `record` gives it, not yet written.
    """
    told = json.loads(_as_json(expected))
    for before in (record.get("instead_of"), _part(record, "audit").get("rejected")):
        if isinstance(before, list) and before and isinstance(before[0], Mapping):
            asked = {name: before[0].get(name, record.get(name)) for name in ("seed", "guidance")}
            record = {**record, **asked, "batch": told["batch"]}
    machines = [[_part(each, "machine").get(key) for key in ("device", "dtype")] for each in (record, told)]
    of_request = told.keys() - {"unheard", "machine", "seconds"}
    optional = {"lyrics", "init_audio"}
    return machines[0] == machines[1] and all(
        record.get(key) == told.get(key) for key in of_request | optional
    )


def loras(record: Mapping[str, Any]) -> list[Any]:
    """The LoRAs that a record's model was changed by, each with path, weight and SHA-256."""
    found = _part(record, "model").get("lora", [])
    return found if isinstance(found, list) else [found]


def package_versions() -> dict[str, str]:
    """The versions of this package and of those that can change a sound."""
    return {"unheard": __version__, **{package: _installed(package) for package in PACKAGES}}


@cache
def _installed(package: str) -> str:
    """Its version; looked for once, since a sound has one record, and a search takes milliseconds."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def record(
    request: Request,
    batch: Batch,
    position: int,
    sources: Mapping[str, Any],
    machine: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The record of one sound but for what came out, which `unheard.generation.sound.Sound` adds.

    The whole batch is in it: arithmetic on a batch of another size may round the last bits differently, and
    the same bytes need the same batch.

    Args:
        request: what was asked for.
        batch: the sounds that were made together, of which this is number `position`.
        sources: model, embedder and index, each with its hash, and the recordings that were available.
        machine: see `machine`.
        seconds: what the parts of the batch took.
    """
    return {
        "unheard": FORMAT,
        "prompt": batch.prompts[position],
        "negative_prompt": request.negative_prompt,
        **({} if request.lyrics is None else {"lyrics": request.lyrics}),
        "seed": batch.seeds[position],
        "duration": request.duration,
        "start": request.start,
        "sampling": request.sampling.described(),
        "guidance": None if request.guidance is None else describe_guidance(request.guidance),
        "batch": {"position": position, "prompts": list(batch.prompts), "seeds": list(batch.seeds)},
        **sources,
        "machine": dict(machine),
        "seconds": dict(seconds),
    }


def machine(backbone: Backbone) -> dict[str, Any]:
    """What a sound of a model is made on and with: what else than the request may change its bytes."""
    import torch

    device = backbone.device
    processor = platform.processor() or platform.machine()
    return {
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else processor,
        "dtype": str(backbone.dtype).removeprefix("torch."),
        **({"compiled": True} if backbone.compiled else {}),
        "threads": torch.get_num_threads(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def _of_format_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of format 1 under the names of format 2; what its guidance measured it did not say."""
    guidance = record["guidance"]
    trace = [
        {_TRACE_OF_FORMAT_1.get(name, name): value for name, value in step.items()}
        for step in record.get("trace", [])
    ]
    return {
        **record,
        "unheard": 2,
        "guidance": None if guidance is None else with_present_names(guidance),
        "trace": trace,
    }


def _of_format_2(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of format 2 with the noise that there was then, where the sampler adds any.

    Blends of a detour had to stay below the whole threshold then.
    """
    sampling, guidance = record["sampling"], record["guidance"]
    noise = {"noise": "torchsde"} if sampling["sampler"] in STOCHASTIC else {}
    if guidance is not None and guidance.get("kind") == Detour.kind:
        guidance = {"blend_threshold": 1.0, **guidance}
    return {**record, "unheard": FORMAT, "sampling": {**sampling, **noise}, "guidance": guidance}


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a record, empty where there is none, such as the embedder of a sound without an index."""
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _as_json(record: Mapping[str, Any]) -> str:
    parts = []
    for key, value in _finite(record).items():
        if key == "trace":
            steps = (json.dumps(step, ensure_ascii=False, allow_nan=False) for step in value)
            text = "[" + ",".join(f"\n    {step}" for step in steps) + "\n  ]"
        else:
            text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key, ensure_ascii=False)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}"


def _finite(value: Any) -> Any:
    """The value with None for every number that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
