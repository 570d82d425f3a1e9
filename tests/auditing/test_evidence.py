"""A kind of evidence of one's own: registered, asked, and in what is reported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from melodies import RATE, melody
from torch import Tensor

from unheard.auditing import Auditor, Catalogue, as_bad_as, audit
from unheard.auditing.calibration import default
from unheard.auditing.evidence import EVIDENCES, AlteredCopies, Finding, register
from unheard.auditing.evidence.base import SAME_PLACE, agreeing
from unheard.auditing.features import PERIOD, Signal
from unheard.errors import InputError


class SameRhythm:
    """Toy evidence: loudness over time that correlates, whatever is played."""

    name: ClassVar[str] = "same rhythm"
    calibration: ClassVar[dict[str, Any]] = {"made_by": "nothing: a toy"}

    def features(self, signal: Signal) -> Tensor:
        loud = signal.waveform.abs().mean(dim=0)[None, None]
        return torch.nn.functional.interpolate(loud, len(signal.features), mode="area")[0, 0]

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        frames = min(len(piece), len(part))
        both = torch.stack([piece[:frames], part[:frames]])
        score = float(torch.corrcoef(both).nan_to_num()[0, 1])
        if score < 0.5:
            return None
        return Finding(score, 0, frames, 0, frames, covers=lambda: np.arange(len(piece)) < frames)

    def false_alarm_rate(self, score: float) -> float:
        return 1e-9 if score > 0.9 else 1.0

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        return comparisons * self.false_alarm_rate(score)


@pytest.fixture
def registered() -> Iterator[None]:
    kinds = dict(EVIDENCES)
    register(SameRhythm)
    yield
    EVIDENCES.clear()
    EVIDENCES.update(kinds)


def other_notes_in_the_rhythm_of(sound: Tensor) -> Tensor:
    """Noise under the envelope of a sound: no fine structure is left of it."""
    noise = torch.randn(sound.shape, generator=torch.Generator().manual_seed(0))
    envelope = torch.nn.functional.avg_pool1d(sound.abs(), 401, stride=1, padding=200)
    return noise * envelope / noise.abs().mean()


def test_a_kind_of_ones_own_is_asked_and_reported(registered: None, folder: Path) -> None:
    sound = other_notes_in_the_rhythm_of(melody(5))
    audited = audit((sound, RATE), folder)
    (found,) = audited.files
    best = found.matches[0]
    assert (found.verdict, best.reference, best.found_by[-1]) == ("copy", "5.wav", "same rhythm")
    assert best.score > 0.9
    assert best.expected_false_alarms == pytest.approx(2 * 6e-9)  # a false alarm may come from two groups
    assert (best.start, best.reference_start, best.share) == (0.0, 0.0, 1.0)
    assert best.end == best.reference_end == pytest.approx(6.0, abs=2 * PERIOD)
    assert (best.shift, best.stretch, best.transposition) == (0.0, 1.0, 0.0)
    reported = asdict(audited)
    assert reported["calibration"]["same rhythm"] == SameRhythm.calibration
    assert reported["calibration"]["name"] == default().name


def test_without_it_nothing_is_found(folder: Path) -> None:
    (found,) = audit((other_notes_in_the_rhythm_of(melody(5)), RATE), folder).files
    assert not as_bad_as(found.verdict, "partial copy")
    assert all("same rhythm" not in match.found_by for match in found.matches)


def test_kinds_do_not_change_what_another_finds(registered: None, auditor: Auditor) -> None:
    """Matches of the others are as without it, wherever they are surer; a false alarm is twice as likely."""
    sound = melody(3, up=1.0)[:, RATE : 4 * RATE]
    alone = {match.reference: match for match in auditor.judge((sound, RATE)).matches}
    both = Auditor(auditor.catalogue).judge((sound, RATE)).matches
    by_others = [match for match in both if "same rhythm" not in match.found_by]
    assert "3.wav" in {match.reference for match in by_others}
    for match in by_others:
        other = alone[match.reference]
        assert (match.score, match.start, match.evidence) == (other.score, other.start, other.evidence)
        assert match.expected_false_alarms == pytest.approx(2 * other.expected_false_alarms)


def test_a_kind_alone_and_a_calibration_of_ones_own(auditor: Auditor) -> None:
    sound = other_notes_in_the_rhythm_of(melody(5))
    found = Auditor(auditor.catalogue, evidence=[SameRhythm()]).judge((sound, RATE))
    searches = ("fingerprint", "landmarks", "moments")
    assert (found.verdict, found.matches[0].found_by) == ("copy", (*searches, "same rhythm"))
    strict = replace(default(), assumed_relatives=10**6)
    lenient, severe = (
        Auditor(auditor.catalogue, evidence=[AlteredCopies(bounds)]).judge((melody(3)[:, : 2 * RATE], RATE))
        for bounds in (None, strict)
    )
    assert lenient.matches[0].score == severe.matches[0].score
    assert lenient.matches[0].expected_false_alarms < severe.matches[0].expected_false_alarms
    with pytest.raises(InputError, match="evidence is empty"):
        Auditor(auditor.catalogue, evidence=[])


def test_a_reference_that_is_gone_is_no_match_and_nothing_is_clear_of_it(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("1.wav", "2.wav"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    auditor = Auditor(Catalogue.from_files(tmp_path))
    (tmp_path / "1.wav").unlink()
    assert [match.reference for match in auditor.judge((melody(1), RATE)).matches] == ["2.wav"]
    found = auditor.judge((torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0)), RATE))
    assert found.verdict == "not judged"
    assert re.search(r"the reference 1\.wav could not be compared with: .*does not exist", str(found.reason))
    assert auditor.judge((melody(2), RATE)).verdict == "copy"


def found(start: int, end: int, reference_start: int, stretch: float = 1.0) -> Finding:
    length = round((end - start) / stretch)
    return Finding(
        1.0, start, end, reference_start, reference_start + length, lambda: np.ones(end, bool), stretch
    )


def test_findings_agree_where_the_same_passage_comes_from_the_same_place() -> None:
    one = found(100, 200, 40)
    assert one.agrees(one)
    assert one.agrees(found(150, 260, 90 + SAME_PLACE))
    assert not one.agrees(found(150, 260, 91 + SAME_PLACE))
    assert not one.agrees(found(200, 300, 140)), "they share no frame"
    # a tenth longer: in the middle of what both have, they are at one place
    assert one.agrees(found(100, 200, 45, stretch=1.1))
    assert not one.agrees(found(100, 200, 40, stretch=1.2))
    assert [agreeing([]), agreeing([one]), agreeing([one, found(100, 200, 90)])] == [0, 1, 1]
    assert agreeing([one, found(100, 200, 90), found(110, 150, 51), found(100, 200, 91)]) == 2


def test_all_kinds_find_a_copy_at_one_place(auditor: Auditor) -> None:
    moved = torch.cat([torch.zeros(1, RATE), melody(3)], dim=1)
    best = auditor.judge((moved, RATE)).matches[0]
    assert (best.reference, best.agreeing, len(best.evidence)) == ("3.wav", 3, 4)
