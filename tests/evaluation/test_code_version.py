"""Sounds of several versions in one table are told of, and only then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_experiment import measured

from unheard.evaluation import code_version, run
from unheard.evaluation.experiment import Experiment


def test_every_source_that_is_hashed_is_there() -> None:
    package = Path(code_version.__file__).parents[1]
    assert [name for name in code_version.SOURCES if not (package / name).exists()] == []


def test_sounds_of_several_versions_are_told_of(
    file: Path, out: Path, finished: Any, recwarn: pytest.WarningsRecorder
) -> None:
    assert "other code or versions" not in finished.output
    for part, key in zip(sorted((out / "parts").iterdir()), ("torch", "code"), strict=False):
        table = pq.read_table(part)
        origin = json.loads(table.schema.metadata[b"origin"])
        assert len(origin["code"]) == 64
        (origin if key == "code" else origin["machine"]["packages"])[key] = "of then"
        pq.write_table(table.replace_schema_metadata({"origin": json.dumps(origin)}), part)
    parts = {part: part.stat().st_mtime_ns for part in (out / "parts").iterdir()}
    experiment = Experiment.read(file)
    with pytest.warns(UserWarning, match="other code or versions than those of the rest made") as told:
        run.evaluate(experiment, out)
    (warning,) = [str(each.message) for each in told if "other code" in str(each.message)]
    assert "other code or versions than those of the rest made 4 of 8 sounds (code, torch)" in warning
    assert f"delete {out / 'parts'}" in warning
    assert parts == {part: part.stat().st_mtime_ns for part in (out / "parts").iterdir()}
    shutil.rmtree(out / "parts")
    said: list[tuple[int, int | None, str]] = []
    recwarn.clear()
    run.evaluate(experiment, out, lambda *report: said.append(report))
    assert not [each for each in recwarn if "other code or versions" in str(each.message)]
    assert (0, 8, "judging") in said  # what was said of the others is not said of these
    assert measured(out) == measured(finished.out)
