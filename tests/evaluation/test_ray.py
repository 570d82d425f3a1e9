"""Evaluating with Ray: the rows of the local engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner
from needed import need
from tiny_world import build_index

from unheard.cli import main
from unheard.evaluation.generator import Generator
from unheard.evaluation.judges import Judges

need("ray")


@pytest.mark.usefixtures("cluster")
def test_the_rows_of_the_local_engine(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "references").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 24_000)
    soundfile.write(tmp_path / "references" / "train_00.wav", noise, 16_000)
    file, local, on_ray = tmp_path / "experiment.toml", tmp_path / "local", tmp_path / "ray"
    build_index(tmp_path / "index.json", seed=9)
    file.write_text(
        'index = "index.json"\nduration = 1.01\n'
        f'model = "{tiny_model_folder}"\nreferences = "references"\njudge = "{tiny_model_folder}/guide"\n'
        "seeds = [5]\nbatch = 1\nbase = {num_inference_steps = 2}\n"
        '[settings.none]\nguidance = "none"\n[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}\n'
        '[[prompts]]\nlist = ["A bright bell", "A slow piano melody"]\n'
    )
    evaluate = ["evaluate", str(file), "--out"]
    here = CliRunner().invoke(main, [*evaluate, str(local)])
    assert here.exit_code == 0, here.output

    def work(*of: object) -> None:
        raise AssertionError("this process generates or judges")

    monkeypatch.setattr(Generator, "generate", work)
    monkeypatch.setattr(Judges, "judge", work)
    import ray

    there_are = ray.cluster_resources()
    # Those of a node that was just lost are still counted: for one actor there is no room.
    monkeypatch.setattr(ray, "cluster_resources", lambda: {**there_are, "CPU": there_are["CPU"] + 1})
    there = CliRunner().invoke(main, [*evaluate, str(on_ray), "--engine", "ray"])
    assert there.exit_code == 0, there.output
    clocks = ["seconds", "judging_seconds", "peak_memory"]
    rows = [pq.read_table(out / "generations.parquet").drop_columns(clocks) for out in (local, on_ray)]
    assert rows[0].num_rows == 4
    assert rows[0].equals(rows[1])
    assert all(
        (on_ray / path).read_bytes() == (local / path).read_bytes() for path in rows[1]["audio"].to_pylist()
    )
