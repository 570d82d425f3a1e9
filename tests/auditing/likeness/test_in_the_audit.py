"""What a likeness does to an audit: it makes a sound similar, names what is alike, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from melodies import RATE, melody
from phrases import phrase
from torch import Tensor

from unheard import audio
from unheard.auditing import Auditor, Catalogue
from unheard.auditing.features import Signal
from unheard.auditing.likeness import LIKENESSES, UNUSUAL, register
from unheard.cli import audit_output, main


class SameLength:
    """Toy likeness: both last as long."""

    name: ClassVar[str] = "length"
    calibration: ClassVar[dict[str, Any]] = {"made_by": "nothing: a toy"}

    def features(self, signal: Signal) -> Tensor:
        return signal.features[:, 0, 0]

    def compare(self, piece: Tensor, part: Tensor) -> float:
        return float(len(piece) == len(part))

    def false_alarm_rate(self, score: float) -> float:
        return 1e-6 if score else 1.0


@pytest.fixture
def registered() -> Iterator[None]:
    kinds = dict(LIKENESSES)
    register(SameLength)
    yield
    LIKENESSES.clear()
    LIKENESSES.update(kinds)


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    """Six phrases, `0.wav` to `5.wav`."""
    folder = tmp_path / "phrases"
    folder.mkdir()
    for seed in range(6):
        audio.write_wav(folder / f"{seed}.wav", phrase(seed), RATE)
    return folder


def test_the_tune_in_another_sound_is_similar_and_named(phrases: Path) -> None:
    found = Auditor(Catalogue.from_files(phrases)).judge((phrase(3, "organ", up=4.0, slower=1.04), RATE))
    best = found.matches[0]
    assert (found.verdict, best.reference, best.verdict) == ("similar", "3.wav", "similar")
    assert "tune" in best.alike
    assert best.likeness.startswith("the same tune")


def test_nothing_is_alike_to_another_tune(phrases: Path) -> None:
    found = Auditor(Catalogue.from_files(phrases)).judge((phrase(9, "organ"), RATE))
    assert all(match.alike == () and match.likeness == "" for match in found.matches)


def test_a_likeness_never_makes_a_copy(auditor: Auditor) -> None:
    sound = melody(50), RATE
    assert auditor.judge(sound).verdict != "copy"
    found = Auditor(auditor.catalogue, likenesses=[SameLength()]).judge(sound)
    assert found.verdict == "similar"
    assert {match.verdict for match in found.matches} == {"similar"}
    assert found.share == 0.0
    assert found.matches[0].alike == ("length",)


@pytest.mark.parametrize("up", [0.0, 1.0])
def test_a_copy_stays_what_it_is(auditor: Auditor, up: float) -> None:
    sound = melody(3, up=up)[:, RATE : 5 * RATE], RATE
    alone, both = (
        Auditor(auditor.catalogue, likenesses=kinds).judge(sound) for kinds in ([], [SameLength()])
    )
    assert (both.verdict, both.score, both.share) == (alone.verdict, alone.score, alone.share)
    assert both.matches[0] == alone.matches[0]
    rates = {match.reference: match.false_alarm_rate for match in alone.matches}
    assert {match.reference: match.false_alarm_rate for match in both.matches} == rates


def test_what_is_similar_stands_before_what_is_clear(phrases: Path) -> None:
    found = Auditor(Catalogue.from_files(phrases)).judge((phrase(3, "organ", up=4.0), RATE))
    similar = [match.verdict != "clear" for match in found.matches]
    assert similar == sorted(similar, reverse=True)


def test_a_kind_of_ones_own_is_asked_and_reported(registered: None, auditor: Auditor) -> None:
    again = Auditor(auditor.catalogue)
    reported = asdict(again.audit([again.judge((melody(50), RATE))]))
    assert reported["settings"]["likenesses"] == ["tune", "rhythm", "length"]
    assert reported["calibration"]["length"] == SameLength.calibration
    assert reported["files"][0]["matches"][0]["alike"][-1] == "length"


def test_words_are_joined(auditor: Auditor) -> None:
    match = auditor.judge((melody(3), RATE)).matches[0]
    assert replace(match, alike=("tune", "rhythm")).likeness == "the same tune and rhythm"


def test_the_command_line_says_what_is_alike(phrases: Path, tmp_path: Path) -> None:
    sound, rows, page = tmp_path / "sound.wav", tmp_path / "rows.csv", tmp_path / "page.html"
    audio.write_wav(sound, phrase(3, "organ", up=4.0), RATE)
    arguments = ["audit", str(sound), "--references", str(phrases)]
    table = CliRunner().invoke(main, [*arguments, "--csv", str(rows), "--report", str(page)])
    assert table.exit_code == 0, table.output
    assert "similar: the same tune" in table.stdout
    assert f"below {UNUSUAL:.0%} each" in table.stdout
    assert audit_output.UNUSUAL == UNUSUAL
    assert "tune" in rows.read_text().splitlines()[1]
    assert '"alike":["tune"' in page.read_text()
    printed = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert "tune" in printed["files"][0]["matches"][0]["alike"]
