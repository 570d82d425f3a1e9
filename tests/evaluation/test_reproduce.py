"""A row is made again to the last bit, whatever has happened to its folder; or it is said why it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from unheard.cli import main
from unheard.evaluation import reproduce, run
from unheard.evaluation.batch import Batch
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator


def part_of(out: Path, row: int) -> Path:
    batch = pq.read_table(out / "generations.parquet")["batch"][row].as_py()
    return out / "parts" / f"{batch}.parquet"


def test_a_row_is_the_same_audio_again(finished: Any) -> None:
    again = ["evaluate", "--again", str(finished.out)]
    assert "the same audio" in CliRunner().invoke(main, [*again, "3"]).output
    assert "has rows 0 to 7" in CliRunner().invoke(main, [*again, "8"]).output


def test_other_audio_has_reasons(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = part_of(out, 3)
    stored = pq.read_table(part)
    origin = json.loads(stored.schema.metadata[b"origin"])
    origin["machine"]["packages"]["torch"] = "1.0"
    origin["sampling"]["num_inference_steps"] = 7
    pq.write_table(stored.replace_schema_metadata({"origin": json.dumps(origin)}), part)
    monkeypatch.setattr(reproduce, "audio_hash", lambda sound: "another")
    told = CliRunner().invoke(main, ["evaluate", "--again", str(out), "3"])
    assert told.exit_code == 2
    assert "torch was 1.0, is " in told.output
    assert "sampling.num_inference_steps was 7, is 2" in told.output


def test_a_setting_of_another_name_than_once_is_no_difference() -> None:
    origin = {
        "model": "m", "embedder": None, "index": None, "machine": {}, "code": "c", "recordings": None,
        "sampling": {}, "guidance": {"kind": "detour", "prompt_share": 0.5},
    }  # fmt: skip
    now = origin | {"guidance": {"kind": "detour", "prompt_weight": 0.5}}
    assert reproduce.compare(origin, now) == []
    weaker = origin | {"guidance": {"kind": "detour", "prompt_weight": 0.4}}
    assert reproduce.compare(origin, weaker) == ["guidance.prompt_weight was 0.5, is 0.4"]


def test_rows_are_made_again_whatever_another_run_has_begun(
    file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = ["evaluate", "--again", str(out), "3"]
    rows, said = out / "generations.parquet", (out / "manifest.json").read_text()

    def stopped(self: Generator, batch: Batch) -> None:
        raise KeyboardInterrupt

    file.write_text(
        file.read_text().replace("settings.c1", "settings.other").replace('"A bright bell", ', "")
    )
    with monkeypatch.context() as patch:
        patch.setattr(Generator, "generate", stopped)
        with pytest.raises(KeyboardInterrupt):
            run.evaluate(Experiment.read(file), out)
    assert (out / "manifest.json").read_text() == said
    assert "the same audio" in CliRunner().invoke(main, again).output
    part = part_of(out, 3)
    part.unlink()
    told = CliRunner().invoke(main, again)
    assert (told.exit_code, part.name in told.output) == (2, True)
    pq.write_table(pq.read_table(rows).replace_schema_metadata(None), rows)
    told = CliRunner().invoke(main, again)
    assert told.exit_code == 2
    assert "does not say what made its rows" in told.output


def test_only_results_are_made_again(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["evaluate", "--again", str(tmp_path), "3"])
    assert told.exit_code == 2
    assert "there is no " in told.output


@pytest.mark.parametrize(
    "beside",
    [["quick.toml"], ["--out", "x"], ["--engine", "ray"], ["--ray-address", "auto"], ["--overwrite"]],
)
def test_what_again_has_no_use_for_is_refused(tmp_path: Path, beside: list[str]) -> None:
    told = CliRunner().invoke(main, ["evaluate", *beside, "--again", str(tmp_path), "3"])
    assert told.exit_code == 2
    assert "give FOLDER ROW and nothing else" in told.output
