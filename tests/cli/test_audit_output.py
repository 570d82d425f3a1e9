"""The table of an audit on terminals of several widths: names are there, and whole words of them."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from unheard.auditing import Audit, FileAudit, Match
from unheard.auditing.results import Part
from unheard.cli.audit_output import output, said_by, write_csv

NAME = "takes of the second session/0001 An acoustic drum loop, 110 bpm, seed 0.wav"
MATCH = Match(
    reference="00001", reference_path=None, caption="An acoustic drum loop, 110 bpm", verdict="copy",
    score=6.7, score_needed=1.6, score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=2e-6,
    evidence=(Part("altered copies", 20.0, 1e-5),), start=0.75, end=2.25, reference_start=0.25,
    reference_end=1.75, share=0.6, shift=0.5, stretch=1.0, transposition=0.0, embedding_similarity=None,
    found_by=("fingerprint",),
)  # fmt: skip
FOUND = Audit(
    (
        FileAudit(
            NAME, "copy", None, 6.7, (MATCH, replace(MATCH, reference="00002", verdict="partial copy"))
        ),
        FileAudit("b.wav", "similar", None, 0.4, (replace(MATCH, verdict="similar", score=0.4),)),
        FileAudit("c.wav", "clear", None, -1.0),
        FileAudit("d.wav", "not judged", "it is silent"),
    ),
    {"name": "mine", "items": 2},
    {"evidence": ["altered copies"]},
)


@pytest.fixture(params=[60, 70, 80, 140])
def shown(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> str:
    """What a terminal of so many columns shows."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(request.param))
    output(FOUND, None, None)
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, text.splitlines())) <= request.param
    return text


def test_every_name_and_number_is_there(shown: str) -> None:
    words = " ".join(shown.split())
    for part in (*NAME.split(), "00001", "00002", "6.7", "b.wav", "c.wav", "d.wav", "silent", "60%"):
        assert part in words, part


@pytest.mark.parametrize("columns", ["70", "140"])
def test_a_line_end_in_a_name_begins_no_line(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    files = (
        FileAudit("a\nreplays b", "copy", None, 6.7, (replace(MATCH, caption="c\nd"),)),
        FileAudit("e", "not judged", "cannot read e\nf"),
    )
    output(replace(FOUND, files=files), None, None)
    text = capsys.readouterr().out
    for part in (r"a\nreplays b", r"c\nd", r"e\nf"):
        assert part in text


@pytest.mark.parametrize("shown", [70], indirect=True)
def test_a_narrow_terminal_has_a_line_for_names(shown: str) -> None:
    lines = [line.strip() for line in shown.splitlines()]
    assert 'replays 00001 "An acoustic drum loop, 110 bpm"' in lines
    assert 'like 00001 "An acoustic drum loop, 110 bpm"' in lines
    assert "0.8-2.2 s of 0.2-1.8 s, copied 60%, score 6.7, by chance 1" in lines


@pytest.mark.parametrize(
    ("effective", "said"),
    [(0.4, "less than 1"), (1.0, "as much as 1"), (1.4, "as much as 1"), (8.2, "as much as 8")],
)
def test_what_few_sounds_say_is_never_none_at_all(effective: float, said: str) -> None:
    assert said_by(effective).rstrip("s") == f"{said} independent sound"


def test_no_name_is_a_formula_for_a_spreadsheet(tmp_path: Path) -> None:
    names = ["=1+1.wav", "+1.wav", "-rf.wav", "@x.wav", "\tx.wav", "a=1.wav", "1-2.wav"]
    write_csv(tmp_path / "n.csv", Audit(tuple(FileAudit(name, "clear", score=-1.5) for name in names), {}))
    with open(tmp_path / "n.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [*(f"'{name}" for name in names[:5]), *names[5:]]
    assert {row["score"] for row in rows} == {"-1.5"}
