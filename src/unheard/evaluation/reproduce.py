"""Reproduces a row of results, and says why it may have become another sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unheard.errors import InputError
from unheard.evaluation import columns
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator, audio_hash, open_index
from unheard.evaluation.identity import by_present_names
from unheard.evaluation.results_folder import GENERATIONS, ResultsFolder, read_metadata, read_rows
from unheard.generation import provenance


@dataclass(frozen=True)
class Reproduction:
    """A sound and the same one made again.

    Attributes:
        then, now: SHA-256 of the float32 samples, as recorded and as made again.
        differences: what else is other than it was, one phrase each, and may have changed the sound.
    """

    then: str
    now: str
    differences: list[str]

    @property
    def same(self) -> bool:
        return self.then == self.now


def reproduce(out: Path, row: int) -> Reproduction:
    """Make a row's batch again, from the experiment that the rows of a folder of results belong to.

    Raises:
        InputError: no results there, no such row, a row without a sound, or one whose part is gone.
    """
    wanted, then, experiment = recorded(out, row)
    known = {prompt.text: prompt for prompt in experiment.prompts}
    setting = experiment.settings[wanted["setting"]]
    generator = Generator.of(experiment, setting["model"], open_index(experiment))
    generator.add(wanted["setting"], setting)
    together = [known[text] for text in wanted["batch_prompts"]]
    batch = generator.batch(wanted["setting"], together, wanted["batch_seeds"])
    sound = generator.sounds(batch)[wanted["position"]]
    differences = compare(then, generator.origin(wanted["setting"]))
    return Reproduction(wanted["audio_sha256"], audio_hash(sound), differences)


def recorded(out: Path, row: int) -> tuple[dict[str, Any], dict[str, Any], Experiment]:
    """A row of results, what its batch was made of and on, and the experiment; raises as `reproduce`."""
    stored = read_metadata(out / GENERATIONS, columns.EXPERIMENT)
    rows = read_rows(out / GENERATIONS, columns.ROWS)
    if not 0 <= row < len(rows):
        raise InputError(f"row is {row}: {out} has rows 0 to {len(rows) - 1}, give one of them")
    wanted = rows[row]
    if wanted["error"] is not None:
        raise InputError(f"row {row} has no sound to make again: {wanted['error']}")
    then = ResultsFolder(out).origin(wanted["batch"])
    return wanted, then, Experiment.from_json(stored)


def compare(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the origins of two batches, see `Generator.origin`, one phrase each."""
    found = provenance.differences(_record(then), _record(now))
    if then.get("code") not in (None, now["code"]):
        found.append("the code that makes sounds is another")
    if then["recordings"] != now["recordings"]:
        found.append("the recordings that the guidance compares with have other contents")
    for part, named in (("sampling", dict), ("guidance", by_present_names)):
        was, is_now = (named(origin[part] or {}) for origin in (then, now))
        found += [
            f"{part}.{key} was {was.get(key)}, is {is_now.get(key)}"
            for key in {**was, **is_now}
            if was.get(key) != is_now.get(key)
        ]
    return found


def _record(origin: Mapping[str, Any]) -> dict[str, Any]:
    """An origin as `provenance.differences` takes it."""
    return {
        "model": {"fingerprint": origin["model"]},
        "embedder": {"sha256": origin["embedder"]},
        "index": {"sha256": origin["index"]},
        "machine": origin["machine"],
    }
