"""An experiment on the random small world: matched, resumable, made again, with one bad prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from click.testing import CliRunner

from unheard.cli import main
from unheard.errors import InputError
from unheard.evaluation import run
from unheard.evaluation.experiment import Experiment

SECONDS = 1.0


@pytest.fixture
def file(tmp_path: Path, tiny_model_folder: Path) -> Path:
    references = tmp_path / "references"
    references.mkdir()
    for number in range(2):
        noise = torch.rand(24_000, generator=torch.Generator().manual_seed(number)) - 0.5
        soundfile.write(references / f"train_{number:02d}.wav", noise.numpy(), 16_000)
    path = tmp_path / "experiment.toml"
    path.write_text(
        f'model = "{tiny_model_folder}"\nreferences = "references"\njudge = "{tiny_model_folder}/guide"\n'
        "seeds = {first = 5, count = 2}\nbatch = 2\n[base]\nnum_inference_steps = 2\n"
        '[settings.none]\nguidance = "none"\n[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}\n'
        '[[prompts]]\nlist = ["A bright bell", "", "A slow piano melody"]\n'
    )
    return path


def test_an_experiment_resumes_and_is_made_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, other = file.parent / "out", file.parent / "other"
    arguments = ["evaluate", str(file), "--out"]
    whole = CliRunner().invoke(main, [*arguments, str(out)])
    assert whole.exit_code == 2  # one prompt is empty; the others are there
    assert "1 prompts refused" in whole.output
    assert "prompt is empty" in (out / "summary.md").read_text()
    table = run.pq.read_table(out / "generations.parquet")
    asked = [(row["setting"], row["prompt"], row["seed"]) for row in table.to_pylist()]
    assert len(asked) == 8
    assert {each[1:] for each in asked if each[0] == "none"} == {
        each[1:] for each in asked if each[0] == "c1"
    }
    assert all((out / place).is_file() for place in table["audio"].to_pylist())

    rows, calls = run.Bench.rows, []

    def interrupted(self: run.Bench, batch: run.Batch, place: Path) -> list:
        if len(calls) == 2:
            calls.append("stop")
            raise KeyboardInterrupt
        calls.append(batch.id)
        return rows(self, batch, place)

    monkeypatch.setattr(run.Bench, "rows", interrupted)
    assert CliRunner().invoke(main, [*arguments, str(other)]).exit_code == 130
    assert CliRunner().invoke(main, [*arguments, str(other)]).exit_code == 2
    assert len(calls) == 5  # four batches, each made once, and one stop
    resumed = run.pq.read_table(other / "generations.parquet")
    measured = [name for name in table.column_names if "seconds" not in name]
    assert resumed.select(measured) == table.select(measured)
    assert "the same audio" in CliRunner().invoke(main, ["evaluate", "--again", str(out), "3"]).output


@pytest.mark.parametrize(
    ("wrong", "right"), [("seedz = [1]", "seeds"), ("[base]\nguidence = 'none'", "guidance"),
                         ("[settings.a]\nguidance = {kind = 'amg', c4 = 1}", "c")],
)  # fmt: skip
def test_a_misspelt_key_names_the_nearest(tmp_path: Path, wrong: str, right: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"{wrong}\n[settings.none]\n[[prompts]]\nlist = ['A bell']\n")
    with pytest.raises(InputError, match=f"did you mean '{right}"):
        Experiment.read(path)
