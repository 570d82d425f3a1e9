"""A small experiment on the random world: two settings, two prompts and a bad one, two seeds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch

from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine

PLAIN_SPACE = "[search.plain]\nguidance = {kind = 'none'}\nguidance_scale = {low = 1.0, high = 4.0}\n"


def write_experiment(folder: Path, model: Path) -> Path:
    """Write the file, with recordings to audit with and to hold out beside it."""
    write_noise(folder / "references", ["train_00", "train_01"])
    write_noise(folder / "unseen", ["a", "b", "c"])
    file = folder / "experiment.toml"
    file.write_text(
        f'model = "{model}"\nreferences = "references"\njudge = "{model}/guide"\n'
        'held_out = "unseen"\n'
        "seeds = {first = 5, count = 2}\nbatch = 2\n[base]\nnum_inference_steps = 2\n"
        '[settings.none]\nguidance = "none"\n[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}\n'
        '[[prompts]]\nlist = ["A bright bell", "", "A slow piano melody"]\n'
    )
    return file


def write_noise(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for number, name in enumerate(names):
        noise = torch.rand(24_000, generator=torch.Generator().manual_seed(number)) - 0.5
        soundfile.write(folder / f"{name}.wav", noise.numpy(), 16_000)


def searching(experiment: str, space: str) -> str:
    """An experiment's text with a space to search in place of its settings, and one prompt."""
    head = experiment[: experiment.index("[settings.none]")]
    return f"{head}{space}[[prompts]]\nlist = ['A bright bell']\n"


def measured(out: Path) -> pa.Table:
    """The rows of a folder of results, without what a clock or the system says."""
    table = pq.read_table(out / "generations.parquet")
    return table.drop_columns(["seconds", "judging_seconds", "peak_memory"])


def batch_ids(file: Path) -> list[str]:
    """The names of all batches of an experiment, settings in turns."""
    local = LocalEngine(Experiment.read(file))
    return [batch.id for batch in local.batches([*local.experiment.settings])]
