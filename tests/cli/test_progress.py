"""Progress: when a line is written, what it says, and how fast things are said to go."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import commands, run

from unheard.cli.progress import Display, Moment, Pace, lines
from unheard.generation.batches import Progress
from unheard.generation.sound import TraceStep


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_pace_counts_from_what_was_there() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.update(40, 100)
    assert str(pace) == ""  # nothing is known of how fast it goes
    clock.now += 10
    assert not pace.update(60, 100)
    assert str(pace) == ", 2 a second, 0:00:20 left"
    clock.now += 10
    assert not pace.update(100, 100)
    assert str(pace) == ", 3 a second"


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (30_000, 2, ", 15,000 a second, 0:00:02 left"),
        (25, 2, ", 12 a second, 1:19:58 left"),
        (3, 2, ", 1.5 a second, 11:06:38 left"),
        (1, 30, ", 0.033 a second, 20 days, 19:59:30 left"),
        (1, 3_000, ", 0.00033 a second, more than a year left"),
    ],
)
def test_a_pace_of_any_size(done: int, seconds: float, said: str) -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.update(0, 60_000)
    clock.now += seconds
    pace.update(done, 60_000)
    assert str(pace) == said


def test_a_pace_says_nothing_of_what_was_done_at_once() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.update(1, 60)
    clock.now += 0.01
    pace.update(60, 60)
    assert str(pace) == ""


def test_a_pace_without_a_total_leaves_out_what_is_left() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.update(0, None)
    clock.now += 4
    assert not pace.update(8, None)
    assert str(pace) == ", 2 a second"
    assert not pace.update(8, 12)  # the total became known: still the same work
    assert str(pace) == ", 2 a second, 0:00:02 left"


@pytest.mark.parametrize(("done", "total"), [(2, 10), (8, 11)])
def test_a_pace_begins_anew_with_another_part(done: int, total: int) -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.update(0, 10)
    clock.now += 1
    pace.update(8, 10)
    assert pace.update(done, total)
    assert str(pace) == ""


def test_lines_for_the_first_and_the_last_and_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    show = lines(clock)
    for done in range(1, 31):
        show(Moment("judging", done, 30, "sound", "a note"))
        clock.now += 1
    assert capsys.readouterr().err.splitlines() == [
        "judging: 1 of 30 sounds, a note",
        "judging: 11 of 30 sounds, 1 a second, 0:00:19 left, a note",
        "judging: 21 of 30 sounds, 1 a second, 0:00:09 left, a note",
        "judging: 30 of 30 sounds, 1 a second, a note",
    ]


def test_a_part_of_the_work_is_named_by_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    with Display().counting("sound") as report:
        report(3, 8, "generating")
        report(0, 8, "judging")
    assert capsys.readouterr().err == "generating: 3 of 8 sounds\njudging: 0 of 8 sounds\n"


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [(1, 1, "1 of 1 sound"), (1, 2, "1 of 2 sounds"), (1, None, "1 sound"), (2, None, "2 sounds")],
)
def test_one_thing_is_no_plural(done: int, total: int | None, said: str) -> None:
    assert Moment("judging", done, total, "sound", "").count == said


def test_what_is_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(quiet=True)
    with display.loading("a model"), display.counting("sound", "judging") as report:
        report(1, 1)
    with display.generating() as progress:
        progress(Progress((0,), 1, 0, 1, 2, [TraceStep(1.0)]))
    assert capsys.readouterr().err == ""


def test_progress_names_the_measure_the_threshold_and_whether_the_guidance_acts(
    generate: Callable[..., Result],
) -> None:
    result = generate("a bell")
    said = result.stderr.splitlines()
    pattern = (
        r"sound 1 of 1: \d of 2 steps(, [\d.,]+ a second)?, "
        r"cosine to the nearest training item -?\d\.\d{3}, threshold \d\.\d{3}, (guiding|quiet)"
    )
    assert len(said) == 2
    assert all(re.fullmatch(pattern, line) for line in said)


EXCESS = "excess correlation with one recording"


@pytest.mark.parametrize(
    ("numbers", "attempt", "trace", "said"),
    [
        ((0,), 0, [TraceStep(1.0)], "sound 1 of 8: 1 of 2 steps, without guidance"),
        ((2,), 0, [TraceStep(1.0, acted=True)], "sound 3 of 8: 1 of 2 steps, guiding"),
        (
            (0, 1), 0,
            [TraceStep(1.0, 0.5, EXCESS, 0.3, acted=True), TraceStep(1.0, 0.6, "the prompt's pull", 0.54,
                                                                     acted=False)],
            f"sound 1-2 of 8: 1 of 2 steps, {EXCESS} 0.500, threshold 0.300, guiding 1/2",
        ),
        (
            (1, 3), 1, [TraceStep(1.0, 0.1, EXCESS, 0.3, acted=False)] * 2,
            f"sound 2, 4 of 8, retry 1: 1 of 2 steps, {EXCESS} 0.100, threshold 0.300, quiet",
        ),
    ],
)  # fmt: skip
def test_a_step_in_words(
    capsys: pytest.CaptureFixture[str],
    numbers: tuple[int, ...],
    attempt: int,
    trace: list[TraceStep],
    said: str,
) -> None:
    """Of a batch, the sound that is furthest above its own threshold is told of."""
    with Display().generating() as progress:
        progress(Progress(numbers, 8, attempt, 1, 2, trace))
    assert capsys.readouterr().err == f"{said}\n"


def test_what_shows_progress_can_be_asked_for_none() -> None:
    sources = {name: inspect.getsource(command.callback) for name, command in commands() if command.callback}
    shows = {name for name, source in sources.items() if "Display(" in source}
    assert len(shows) >= 9
    for name, command in commands():
        if name in shows:
            assert any("--quiet" in parameter.opts for parameter in command.params), name


def test_under_quiet_there_is_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8_000), 16_000)
    audit = ("audit", tmp_path / "a.wav", "--references", tmp_path / "a.wav")
    assert "judging" in run(*audit).stderr
    result = run(*audit, "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "copy" in result.stdout or "too short" in result.stdout
