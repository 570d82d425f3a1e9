"""The audit's benchmark: who meets whom, what counts as found, and what the tables make of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from sound_font import needs_renderer

from benchmarks.audit import Bench, origins
from benchmarks.audit_tables import CONTENDERS, false_alarms, recall, thresholds
from benchmarks.audit_treatments import TREATMENTS, treated
from lab.alterations import SAMPLE_RATE
from lab.audit_material import Specimen


def melody(seed: int, seconds: float) -> np.ndarray:
    """Plucked tones and noise at random times."""
    rng, time = np.random.default_rng(seed), np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
    made = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for at in rng.integers(0, len(made) - len(time), round(5 * seconds)):
        tone = np.sin(2 * np.pi * 110 * 2 ** (rng.integers(36) / 12) * time)
        made[at : at + len(time)] += (tone + 0.2 * rng.standard_normal(len(time))) * np.exp(-12 * time)
    return made / np.abs(made).max()


SPECIMENS = [
    Specimen("a/1", "a: x", melody(1, 5.0), "one", "excerpt"),
    Specimen("a/2", "a: x", melody(2, 5.0), "one", "excerpt"),
    Specimen("a/3", "a: x", melody(3, 5.0), "two", "excerpt"),
    Specimen("a/4", "a: y", melody(4, 1.0), "three", "stroke"),
    Specimen("b/1", "b: x", melody(5, 4.0), "four", "sound"),
    Specimen("family.0", "family", melody(6, 4.0), "family.0", "rendered"),
    Specimen("family.1", "family", melody(7, 4.0), "family.1", "rendered"),
]


def test_origins_are_one_of_a_piece_and_of_each_source_in_turn() -> None:
    def chosen(long: int, short: int) -> list[str]:
        return [SPECIMENS[number].name for number in origins(SPECIMENS, long, short)]

    assert chosen(9, 9) == ["a/1", "b/1", "a/3", "a/4", "family.0"]
    assert chosen(2, 0) == ["a/1", "b/1", "family.0"]


@needs_renderer
@pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="pip install -e '.[lab]'")
def test_a_treatment_and_half_of_it() -> None:
    sound, other = melody(8, 4.0), np.zeros(20 * SAMPLE_RATE, np.float32)
    made = treated(sound, np.random.default_rng(0), lambda seconds: other[: round(seconds * SAMPLE_RATE)])
    assert {name for name, _ in made} == set(TREATMENTS)
    assert len(made["3 s alone", "whole"][1]) == 3 * SAMPLE_RATE
    assert len(made["3 s inside 10 s", "whole"][1]) == 10 * SAMPLE_RATE
    assert ("3 s alone", "half") not in made
    loud = np.abs(made["unaltered", "half"][1]) > 1e-2
    assert 0.3 < np.ptp(np.flatnonzero(loud)) / len(sound) < 0.55
    short = treated(melody(9, 1.0), np.random.default_rng(0), lambda s: other[: round(s * SAMPLE_RATE)])
    assert {name for name, _ in short} == set(TREATMENTS) - {"3 s alone", "3 s inside 10 s"}


def test_pairs_are_of_other_pieces_the_same_pack_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in set(TREATMENTS) - {"unaltered", "MP3"}:
        monkeypatch.delitem(TREATMENTS, name)
    pytest.importorskip("chromaprint", reason="pip install -e '.[lab]'; apt-get install libchromaprint1")
    from benchmarks.audit_contenders import measure

    bench = Bench(SPECIMENS, [melody(10, 12.0)], tmp_path)
    measured = [measure(some.sound) for some in SPECIMENS]
    rows = bench.different(0, measured, 4)
    assert [(row["other"], row["relation"]) for row in rows[:2]] == [("a/3", "pack"), ("a/4", "source")]
    assert len(rows) == 8
    assert {row["treatment"] == "unaltered" for row in rows} == {True, False}
    assert not any(row["other"] in ("a/1", "a/2") for row in rows)
    assert not any(row["verdict"] in ("copy", "partial copy") for row in rows)

    (own,) = [
        row
        for row in bench.copies(0, measured[0])
        if row["treatment"] == "unaltered" and row["extent"] == "whole"
    ]
    assert own["found"]
    assert own["others_called_copies"] == 0
    assert own["log-mel"] == pytest.approx(1, abs=1e-3)
    assert own["audit"] > max(row["audit"] for row in rows)


def row(origin: str, treatment: str = "unaltered", verdict: str = "copy", **more: Any) -> dict[str, Any]:
    scores = dict.fromkeys(("audit", *CONTENDERS), 1.0)
    about = {"origin": origin, "treatment": treatment, "extent": "whole", "kind": "sound", "seconds": 5.0}
    return {**about, **scores, "asked": 0.99, "verdict": verdict, "found": verdict == "copy", **more}


def test_recall_is_of_what_is_not_itself_too_short_to_tell() -> None:
    copies = [row("a"), row("a", "MP3", "clear"), row("b", verdict="too short to tell"), row("b", "MP3")]
    unaltered, mp3 = recall(copies, {"audit": 0.5, "log-mel": 1.0})
    assert (unaltered["treatment"], unaltered["copies"], unaltered["too short"]) == ("unaltered", 2, 1)
    assert unaltered["verdict"]["hits"] == unaltered["verdict"]["of"] == 1
    assert (mp3["verdict"]["hits"], mp3["verdict"]["of"], mp3["too short"]) == (0, 1, 1)
    assert mp3["audit"]["hits"] == 1
    assert mp3["verdict"]["interval"] == pytest.approx((0.0, 0.7935), abs=1e-4)
    assert mp3["log-mel"]["hits"] == 0  # a threshold has to be exceeded


def test_one_in_a_thousand_different_pairs_exceeds_the_threshold() -> None:
    pairs = [row("a", audit=float(number)) for number in range(5001)]
    bound = thresholds(pairs)["audit"]
    assert sum(pair["audit"] > bound for pair in pairs) == 5


def test_false_alarms_are_counted_by_sort_of_pair() -> None:
    pairs = [
        row("a", verdict="copy", relation="pack", strokes=True),
        row("a", verdict="similar", relation="other", strokes=False),
        row("b", verdict="clear", relation="pack", strokes=False, kind="rendered"),
        row("c", verdict="too short to tell", relation="pack", strokes=False),
    ]
    lines = {line["pairs"]: line for line in false_alarms(pairs)}
    assert lines["all"]["compared"] == 4
    assert (lines["all"]["copies"]["hits"], lines["all"]["copies"]["of"]) == (1, 3)
    assert lines["real, same pack"]["called"]["copy"] == 1
    assert lines["single strokes of one pack"]["compared"] == 1
    assert lines["rendered, same family"]["called"]["clear"] == 1
