"""`unheard figure`: what is drawn, and what is refused before any work."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from replaying import RECORDINGS

from unheard.cli import main
from unheard.figures.drawing import draw_matrix, draw_trajectories
from unheard.generation.sound import Sound, TraceStep

pytest.importorskip("matplotlib")
RECORDING, OTHER = str(RECORDINGS / "00001.flac"), str(RECORDINGS / "00017.flac")
TRACE = [TraceStep(1.0 / step, 0.1 * step, "cosine", 0.2, acted=step > 2) for step in range(1, 5)]


@pytest.fixture(scope="module")
def sound(tiny_model: Any) -> Sound:
    return tiny_model.generate("A bell", duration=0.2, num_inference_steps=1, guidance=None)[0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: Sound) -> None:
    """A sound with a trace, and one without."""
    monkeypatch.chdir(tmp_path)
    sound.save("plain.wav")
    replace(sound, trace=TRACE).save("audio.wav")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["figure", *arguments])


def refused(result: Result, message: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert re.search(message, result.stderr), result.stderr


def test_the_papers_pictures() -> None:
    for arguments, name in (
        (["spectrograms", RECORDING, OTHER], "spectrograms.png"),
        (["matrix", OTHER, "--recording", RECORDING], "matrix.png"),
        (["trajectory", "audio.wav"], "trajectory.png"),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == f"{name}\n"
        assert Image.open(name).size[0] > 400
        assert run(*arguments).stdout == f"{Path(name).stem}-1.png\n"
        refused(run(*arguments, "--output", name), "it is there already")


@pytest.mark.parametrize(("ending", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_picture_for_a_paper_is_the_same_each_time(ending: str, begins: bytes) -> None:
    written = []
    for name in ("a", "b"):
        assert run("trajectory", "audio.json", "--output", f"{name}.{ending}").exit_code == 0
        written.append(Path(f"{name}.{ending}").read_bytes())
    assert written[0].startswith(begins)
    if ending == "pdf":
        assert written[0] == written[1]


def test_an_evaluation_has_a_line_a_setting() -> None:
    traced = [
        {"setting": name, "error": None, "trace_similarity": [value, None], "trace_measure": ["cosine", None]}
        for name, value in (("a", 0.2), ("a", 0.4), ("b", 0.9))
    ]
    Path("results").mkdir()
    pq.write_table(pa.Table.from_pylist(traced), "results/generations.parquet")
    from unheard.evaluation.results_folder import sound_names
    from unheard.evaluation.traces import mean_traces

    traces = mean_traces(Path("results"))
    assert {name: trace[0].value for name, trace in traces.items()} == pytest.approx({"a": 0.3, "b": 0.9})
    assert run("trajectory", "results").exit_code == 0
    rows = [{"setting": "a", "seed": 3, "prompt": "A bell", "audio": "sounds/x-0.flac"}]
    pq.write_table(pa.Table.from_pylist(rows), "results/generations.parquet")
    sounds = [Path("results/sounds/x-0.flac"), Path("results/sounds/other.flac"), Path("x-0.flac")]
    assert sound_names(sounds) == {sounds[0]: "a, seed 3: A bell"}
    pq.write_table(pa.Table.from_pylist(traced), "results/generations.parquet")
    refused(run("trajectory", "."), "generations.parquet: run unheard evaluate there")


@pytest.mark.parametrize("trace", [[{"sigma": "x"}], [{"value": 1}], [{"sigma": 1, "acted": [1]}]])
def test_a_damaged_trace_is_one_line(trace: Any) -> None:
    record = json.loads(Path("audio.json").read_text())
    Path("audio.json").write_text(json.dumps({**record, "trace": trace}))
    refused(run("trajectory", "audio.wav"), "damaged, a step of the trace")


def test_a_panel_names_only_what_was_measured_in_it() -> None:
    other = [TraceStep(1.0, 0.5, "excess correlation with one recording", 0.3)]
    first, second = draw_trajectories({"a": TRACE, "b": other, "c": [TraceStep(1.0)]}).axes
    for axis, name in ((first, "a"), (second, "b")):
        assert [text.get_text() for text in axis.get_legend().get_texts()] == [name]
    assert second.get_ylabel() == "excess correlation with\none recording"
    result = run("trajectory", "audio.wav", "plain.wav")
    assert result.exit_code == 0
    assert "plain.wav is left out: no guidance measured anything" in result.stderr


def test_lines_dots_and_dashes_are_what_the_trace_says() -> None:
    (axis,) = draw_trajectories({"a": TRACE}).axes
    values, acted, threshold = (line.get_xydata() for line in axis.lines)
    np.testing.assert_allclose(values, [(step, 0.1 * step) for step in range(1, 5)])
    np.testing.assert_allclose(acted, [(3, 0.3), (4, 0.4)])
    np.testing.assert_allclose(threshold[:, 1], 0.2)


def test_a_matrix_has_its_numbers() -> None:
    axis = draw_matrix(["a", "b"], np.array([[1.0, -0.001], [-0.001, 1.0]]), "cosine").axes[0]
    assert [text.get_text() for text in axis.texts] == ["1.00", "0.00", "0.00", "1.00"]


def test_what_cannot_be_drawn_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.png").write_bytes(b"a photograph")
    refused(run("spectrograms", RECORDING, "-o", "mine.png"), "it is there already")
    refused(run("spectrograms", RECORDING, "-o", "a.jpg"), "a.jpg: give a name that ends in .png, .pdf")
    refused(run("spectrograms", *[RECORDING] * 13), "13 sounds are too many")
    refused(
        run("trajectory", RECORDING), r"cannot read .*00001\.json: No such file .*; give the \.json written"
    )
    refused(
        run("trajectory", "plain.json"), "unheard: plain.json: no guidance measured anything: give sounds"
    )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused(run("spectrograms", RECORDING), r'pictures need matplotlib: pip install "unheard\[evaluate\]"')
