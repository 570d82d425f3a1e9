"""What the doctor says of a machine that lacks what the doctor itself would ask with."""

from __future__ import annotations

import sys

import pytest

from unheard import doctor


def test_without_the_hub_s_library_the_doctor_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    subjects = [finding.subject for finding in doctor.examine()]
    assert "model tiny" in subjects
    assert not any("stabilityai" in subject for subject in subjects)
