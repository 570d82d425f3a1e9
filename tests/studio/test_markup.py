"""What the page shows of a take: nothing from outside becomes markup, what matches is marked where it is."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path

import pytest
import torch
from replaying import RECORDING

from unheard import Model, audio
from unheard.auditing import FileAudit, Match
from unheard.generation.sound import Nearest, Sound
from unheard.studio import markup
from unheard.studio.nearby import MARGIN, nearby
from unheard.studio.takes import GUIDED
from unheard.studio.workshop import Workshop

EVIL = '<script>alert(1)</script> & "quotes" \''
MATCH = Match(
    reference=EVIL, reference_path=str(RECORDING), caption=EVIL, verdict="copy", score=6.0, score_needed=1.6,
    score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=2e-6, evidence=(), start=0.05, end=0.15,
    reference_start=1.0, reference_end=1.1, share=0.5, shift=-0.95, stretch=1.0, transposition=0.0,
    embedding_similarity=None, found_by=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tiny_model: Model) -> Sound:
    (made,) = tiny_model.generate("a bell", duration=0.2, num_inference_steps=2, guidance=None)
    return replace(made, nearest=[Nearest(EVIL, EVIL, 0.5)])


def audited(sound: Sound, verdict: str) -> Sound:
    audit = {
        "reject": None, "verdict": verdict, "reason": None, "score": 6.0, "matches": [asdict(MATCH)],
        "rejected": [], "catalogue": {"items": 3},
    }  # fmt: skip
    return replace(sound, prompt=EVIL, provenance={**sound.provenance, "prompt": EVIL, "audit": audit})


def test_nothing_from_outside_becomes_markup(workshop: Workshop, sound: Sound) -> None:
    number = workshop.takes.reserve()
    workshop.takes.save(number, GUIDED, audited(sound, "copy"), ".wav")
    shown = markup.take(workshop, workshop.takes.take(number))
    assert "<script" not in shown
    assert EVIL in unescape(shown)
    players = json.loads(unescape(re.search(r'data-player="([^"]*)"', shown)[1]))
    assert [player["name"] for player in players] == ["With guidance", EVIL]
    judged = markup.judged(1, 2, FileAudit(EVIL, EVIL))
    for text in (markup.problem(EVIL), markup.note(EVIL), markup.lines([EVIL]), judged):
        assert "<script" not in text


def test_a_match_is_cut_out_and_runs_beside_the_sound(workshop: Workshop, sound: Sound) -> None:
    beside = nearby(workshop, audited(sound, "copy"))
    assert (beside.mark, beside.sound_mark) == ((1.0, 1.1), (0.05, 0.15))
    assert beside.begins == 0.0  # less than the margin before it
    assert beside.lasts == pytest.approx(min(1.1 + MARGIN, 4.0), abs=0.01)
    assert beside.shift == pytest.approx(-0.95)
    assert audio.read(beside.path)[0].shape[-1] / 16_000 == pytest.approx(beside.lasts)
    alike = nearby(workshop, audited(sound, "clear"))
    assert (alike.mark, alike.sound_mark) == (None, None)
    assert nearby(workshop, replace(sound, nearest=[])) is None


def test_a_recording_that_is_gone_is_named(workshop: Workshop, sound: Sound, tmp_path: Path) -> None:
    gone = audited(sound, "copy")
    gone.provenance["audit"]["matches"][0]["reference_path"] = str(tmp_path / "gone.wav")
    beside = nearby(workshop, gone)
    assert (beside.path, beside.id) == (None, EVIL)


def test_a_take_whose_sound_is_damaged_says_so(workshop: Workshop, sound: Sound) -> None:
    number = workshop.takes.reserve()
    path = workshop.takes.save(number, GUIDED, sound, ".wav")
    shutil.copy(path.with_suffix(".json"), path)
    assert 'class="problem"' in markup.take(workshop, workshop.takes.take(number))


def test_the_meter_shows_a_bar_a_step_and_a_finite_picture(sound: Sound) -> None:
    from unheard.generation.sound import TraceStep
    from unheard.studio.making import At

    steps = (TraceStep(2.0, 0.4, EVIL, 0.3, None, True), TraceStep(1.0, -0.1, EVIL, 0.3, None, False))
    drawn = markup.meter(At(GUIDED, 1, 1, 2, 30, 0, steps))
    assert (drawn.count("<rect"), drawn.count('class="acts"'), "<script" in drawn) == (2, 1, False)
    assert "0.3" in drawn
    assert "nan" not in drawn
    assert torch.tensor([float(y) for y in re.findall(r' y="([^"]*)"', drawn)]).ge(0).all()
    assert "<svg" not in markup.meter(At(GUIDED, 1, 2, 1, 30, 1, (TraceStep(2.0),)))
