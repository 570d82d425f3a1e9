"""What the doctor looks at, and what it says of a machine that lacks things."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unheard import doctor

ROOT = Path(__file__).parents[1]


def test_without_the_hub_s_library_the_doctor_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    subjects = [finding.subject for finding in doctor.examine()]
    assert "model tiny" in subjects
    assert not any("stabilityai" in subject for subject in subjects)


def test_every_lack_has_a_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("unheard.backbones.hub.find_local", lambda name: None)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1e9}))
    lacks = [finding for finding in doctor.examine() if finding.state == "lacks"]
    assert {finding.subject for finding in lacks} >= {"model tiny", "hub login", "disk"}
    assert any(finding.subject.startswith("embedder") for finding in lacks)
    assert all(finding.mend for finding in lacks)


def test_doctor_knows_what_was_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    assert {package: pinned[package] for package in doctor.TESTED} == doctor.TESTED
