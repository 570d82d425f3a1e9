"""`--from`: the options that a recorded sound was made with, and whether the same bytes came out again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import click

from unheard.cli.guidance import given_settings
from unheard.cli.prompts import repeated
from unheard.cli.terminal import say
from unheard.generation import provenance
from unheard.generation.request import check_prompts


@dataclass(frozen=True)
class Asked:
    """What `generate` is asked for: by its options, and by a recorded sound where these say nothing.

    Attributes:
        prompts: one a sound.
        given: the other options, None for what nobody says.
        as_float: whether samples are written as floats.
        recorded: the record; None without `--from`.
        again: whether the very same sound is asked for, with all that was made together with it: a batch of
            another size may round otherwise.
    """

    prompts: Sequence[str]
    given: Mapping[str, Any]
    as_float: bool
    recorded: Mapping[str, Any] | None
    again: bool

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        count: int | None,
        as_float: bool | None,
        given: Mapping[str, Any],
        recorded: Mapping[str, Any] | None,
    ) -> Self:
        """Fill in what was not given.

        Raises:
            UsageError: there is no prompt.
            InputError: a prompt or a count that is none.
        """
        overridden = bool(texts) or count is not None or any(value is not None for value in given.values())
        again = recorded is not None and not overridden
        if recorded is not None:
            given = filled_in(given, recorded)
            texts = texts or [recorded["prompt"]]
            as_float = recorded["result"].get("encoding") == "float" if as_float is None else as_float
            if again:
                batch = recorded["batch"]
                texts = batch["prompts"]
                given |= {"seed": batch["seeds"], "batch": len(texts)}
        if not texts:
            raise click.UsageError("no prompt: give one, or --prompts-file FILE, or --from JSON")
        prompts = repeated(check_prompts(texts), "count", 1 if count is None else count)
        return cls(prompts, given, bool(as_float), recorded, again)

    @property
    def numbers(self) -> Sequence[int]:
        """The sounds that are to be written: of a batch that is made again, the recorded one."""
        if self.recorded is not None and self.again:
            return [self.recorded["batch"]["position"]]
        return range(len(self.prompts))

    @property
    def ending(self) -> str:
        """That of a sound's file where none is named."""
        named = "" if self.recorded is None else self.recorded["result"].get("file", "")
        return Path(named).suffix or ".wav"

    @property
    def guidance(self) -> Mapping[str, Any] | None:
        """That of the recorded sound; None without one."""
        return None if self.recorded is None else self.recorded["guidance"]


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
