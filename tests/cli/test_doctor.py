"""`unheard doctor`: what is there, what lacks, and the command that mends it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from click.testing import Result

from unheard import doctor


def test_doctor_looks_at_everything(run: Callable[..., Result]) -> None:
    findings = json.loads(run("doctor", "--json").stdout)["findings"]
    subjects = [finding["subject"] for finding in findings]
    for subject in ("Python", "torch", "device", "libsndfile", "memory", "model tiny"):
        assert subject in subjects
    assert "model stabilityai/stable-audio-open-1.0" in subjects
    text = run("doctor").stdout
    assert all(subject in text for subject in subjects)


def test_doctor_names_the_command_that_mends(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doctor.TESTED, "no-such-package", "1.0")
    monkeypatch.setitem(doctor.TESTED, "julius", "0.0.1")
    result = run("doctor")
    assert result.exit_code == 1
    assert (
        'lacks  no-such-package: not installed\n       mend: pip install "no-such-package==1.0"'
        in result.stdout
    )
    assert re.search(r"note   julius: .*, tested with 0\.0\.1\n       mend: pip install", result.stdout)
