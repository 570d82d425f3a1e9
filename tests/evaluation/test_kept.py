"""Whether a sound has what its caption says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_experiment import measured, write_experiment

from unheard import audio
from unheard.backbones.hub import ASSETS
from unheard.evaluation import run, summary, summary_files
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.listener import Heard, Listener, Said
from unheard.evaluation.local_engine import LocalEngine
from unheard.evaluation.metrics import OF_CAPTIONS
from unheard.evaluation.metrics.kept import kept, tempo_octave

BUNDLED = ASSETS / "tiny" / "listener"

HEARD = Heard("oboe", "winds", 100.0, "D minor")


def test_each_is_kept_where_it_is_heard() -> None:
    assert kept(Said("oboe", "winds", 100.0, "D minor"), HEARD) == {
        "instrument_kept": True, "family_kept": True, "tempo_kept": True, "tempo_octave": False,
        "key_kept": True,
    }  # fmt: skip
    assert kept(Said("flute", "winds", 120.0, "F major"), HEARD) == {
        "instrument_kept": False, "family_kept": True, "tempo_kept": False, "tempo_octave": None,
        "key_kept": False,
    }  # fmt: skip


def test_what_is_not_said_is_empty() -> None:
    assert kept(Said(None, None, None, None), HEARD) == dict.fromkeys(OF_CAPTIONS)


def test_of_a_collapsed_sound_nothing_is_kept() -> None:
    assert kept(Said("oboe", None, 100.0, "D minor"), None) == {
        "instrument_kept": False, "family_kept": None, "tempo_kept": False, "tempo_octave": None,
        "key_kept": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("heard", "octave"),
    [(100, 1), (103.9, 1), (96.1, 1), (104.1, None), (95.9, None), (200, 2), (50, 0.5), (66.7, None)],
)
def test_a_tempo_is_kept_within_four_percent_also_by_an_octave(heard: float, octave: float | None) -> None:
    assert tempo_octave(heard, 100.0) == octave
    found = kept(Said(None, None, 100.0, None), Heard("oboe", "winds", heard, "D minor"))
    by_an_octave = None if octave is None else octave != 1
    assert (found["tempo_kept"], found["tempo_octave"]) == (octave is not None, by_an_octave)


# --- in an experiment ---------------------------------------------------------------------------------------


def said(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("prompt", *OF_CAPTIONS)}


def test_an_experiment_with_a_listener_says_what_is_kept_and_of_how_many(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    file = write_experiment(tmp_path, tiny_model_folder)
    text = file.read_text()
    file.write_text(
        f'listener = "{BUNDLED}"\n' + text.replace('"A bright bell"', '"An oboe melody in D minor, 90 bpm"')
    )
    found = run.evaluate(Experiment.read(file), tmp_path / "results")
    listener = Listener.load(BUNDLED)
    for row in found.table.to_pylist():
        waveform, rate = audio.read(tmp_path / "results" / row["audio"])
        (heard,) = listener.hear(waveform[None], rate)
        assert row["heard_instrument"] == heard.instrument
        assert row["heard_tempo"] == pytest.approx(heard.tempo)
        assert said(row) == {
            "prompt": row["prompt"],
            **kept(listener.said(row["prompt"]), None if row["collapsed"] else heard),
        }
        assert (row["tempo_kept"] is None) == (row["prompt"] == "A slow piano melody")
    entries = summary.summarise(found.table, {"none": "none", "c1": "none"})
    counts = {e["metric"]: e["sounds"] for e in entries if (e["setting"], e["group"]) == ("c1", "all")
              and e["metric"] in OF_CAPTIONS and e["metric"] != "tempo_octave"}  # fmt: skip
    assert counts == {"instrument_kept": 4, "family_kept": 4, "tempo_kept": 2, "key_kept": 2}
    page = summary_files.write(entries, found.table, {"none": "none", "c1": "none"}, {}, {}, tmp_path)
    assert " of 2 sounds" in page


def test_without_a_listener_nothing_of_it_is_said_and_tables_from_before_there_was_one_are_read(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    file, out = write_experiment(tmp_path, tiny_model_folder), tmp_path / "results"
    rows = run.evaluate(Experiment.read(file), out).table
    assert {row["heard_family"] for row in rows.to_pylist()} == {None}
    columns = [name for name in rows.column_names if name.startswith("heard_")] + list(OF_CAPTIONS)
    for judgement in (out / "judgements").iterdir():
        pq.write_table(pq.read_table(judgement).drop_columns(columns), judgement)
    assert measured(out).equals(
        run.evaluate(Experiment.read(file), out)
        .table.drop_columns(["seconds", "judging_seconds", "peak_memory"])
        .replace_schema_metadata(measured(out).schema.metadata)
    )
    entries = summary.summarise(rows.drop_columns(columns), {"none": "none", "c1": "none"})
    assert {e["value"] for e in entries if e["metric"] in OF_CAPTIONS} == {None}


def test_other_listeners_judge_anew(tmp_path: Path, tiny_model_folder: Path) -> None:
    file = write_experiment(tmp_path, tiny_model_folder)
    without = LocalEngine(Experiment.read(file)).judges("none").identity()
    file.write_text(f'listener = "{BUNDLED}"\n' + file.read_text())
    within = LocalEngine(Experiment.read(file)).judges("none").identity()
    assert without["listener"] is None
    assert within == without | {"listener": Listener.load(BUNDLED).sha256}
