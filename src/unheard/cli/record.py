"""`--from`: the options that a recorded sound was made with, and whether the same bytes came out again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from unheard.cli.guidance import given_settings
from unheard.cli.terminal import say
from unheard.generation import provenance


def filled_in(given: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `generate` that were given, and those of a recorded sound where none was."""
    sampling = dict(record["sampling"])
    if sampling.get("schedule") == "model":
        # The levels of the other schedule say nothing there, and are refused where they are given.
        sampling = {name: value for name, value in sampling.items() if not name.startswith("sigma_")}
    recorded = {
        **sampling,
        "no_guidance": True if record["guidance"] is None else None,
        "duration": record["duration"],
        "start": record["start"],
        "seed": record["seed"],
        "negative_prompt": record.get("negative_prompt"),
        "lyrics": record.get("lyrics"),
        "init_audio": (record.get("init_audio") or {}).get("given"),
        "init_noise_level": (record.get("init_audio") or {}).get("noise_level"),
        "model": record["model"]["name"],
        "lora": tuple((lora["path"], lora["weight"]) for lora in provenance.loras(record)) or None,
        "text_encoder": record["model"].get("text_encoder"),
        "embedder": (record["embedder"] or {}).get("given"),
        "index": (record["index"] or {}).get("given"),
        "references": (record.get("recordings") or {}).get("given"),
        "device": record["machine"]["device"],
        "dtype": record["machine"]["dtype"],
        "compile": record["machine"].get("compiled"),
    }
    if given["guidance"] is not None or given["preset"] is not None or given_settings(given):
        recorded["no_guidance"] = None  # what is asked for now decides between guidance and none
    return {name: recorded.get(name) if value is None else value for name, value in given.items()}


def compare(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Say whether the same bytes came out, and if not, what is not as it was."""
    changes = provenance.differences(then, now)
    because = "; ".join(changes)
    if then["result"].get("sha256") == now["result"]["sha256"]:
        say(f"the same bytes as recorded{f', although {because}' if changes else ''}", err=True)
    else:
        warnings.warn(f"not the same bytes as recorded: {because or 'for no recorded reason'}", stacklevel=1)
