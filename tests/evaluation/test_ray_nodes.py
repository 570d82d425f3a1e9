"""Evaluating on a cluster of three nodes, of which one is lost: the rows of the local engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner
from local_ray import three_nodes
from needed import need
from tiny_world import build_index

from unheard.cli import main

need("ray")
pytestmark = pytest.mark.drill

SEEDS = 12


@pytest.fixture
def nodes() -> Iterator[Any]:
    """A head that works, too, and two nodes."""
    with three_nodes(1) as cluster:
        yield cluster


@pytest.mark.parametrize("after", [1, SEEDS - 2])
def test_a_node_that_is_lost_in_mid_evaluation_loses_no_row(
    nodes: Any, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Lost late, its processors are still counted when judging begins, and nothing waits for them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "references").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 24_000)
    soundfile.write(tmp_path / "references" / "train_00.wav", noise, 16_000)
    build_index(tmp_path / "index.json", seed=9)
    file, local, on_ray = tmp_path / "experiment.toml", tmp_path / "local", tmp_path / "ray"
    file.write_text(
        'index = "index.json"\nduration = 1.01\n'
        f'model = "{tiny_model_folder}"\nreferences = "references"\njudge = "{tiny_model_folder}/guide"\n'
        f"seeds = {{ first = 5, count = {SEEDS} }}\nbatch = 1\nbase = {{num_inference_steps = 4}}\n"
        '[settings.none]\nguidance = "none"\n[[prompts]]\nlist = ["A bright bell"]\n'
    )
    done_when_killed: list[int] = []

    def kill_a_node() -> None:
        """As soon as so many batches are done, with all that works on the node."""
        while len(made := [*on_ray.glob("parts/**/*.*")]) < after:
            time.sleep(0.05)
        done_when_killed.append(len(made))
        nodes.remove_node(nodes.list_all_nodes()[-1], allow_graceful=False)

    killer = threading.Thread(target=kill_a_node, daemon=True)
    killer.start()
    there = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(on_ray), "--engine", "ray"])
    killer.join(60)
    assert there.exit_code == 0, there.output
    assert after <= done_when_killed[0] < SEEDS
    here = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(local)])
    assert here.exit_code == 0, here.output
    clocks = ["seconds", "judging_seconds", "peak_memory"]
    tables = [pq.read_table(out / "generations.parquet").drop_columns(clocks) for out in (local, on_ray)]
    assert tables[0].num_rows == SEEDS
    assert tables[0].equals(tables[1])
