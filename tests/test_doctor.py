"""What the doctor looks at, and what it says of a machine that lacks things."""

from __future__ import annotations

import re
import sys
import tomllib
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


PINNED = dict(
    line.lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_doctor_knows_what_was_tested() -> None:
    tested = doctor.TESTED | {
        name: version for extra in doctor.TESTED_EXTRAS.values() for name, version in extra.items()
    }
    assert {package: PINNED[package] for package in tested} == tested


def test_the_doctor_looks_at_every_dependency() -> None:
    def names(requirements: list[str]) -> list[str]:
        return [re.split(r"[^\w-]", requirement)[0] for requirement in requirements]

    assert [*doctor.TESTED] == names(PROJECT["dependencies"])
    for extra, packages in doctor.TESTED_EXTRAS.items():
        assert [*packages] == names(PROJECT["optional-dependencies"][extra])
    of_developers = {"test", "docs", "lab"}
    assert {*doctor.TESTED_EXTRAS} | of_developers == {*PROJECT["optional-dependencies"]}


def test_an_extra_that_is_not_installed_is_no_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.TESTED_EXTRAS, "ray", {"no-such-package": "1.0"})
    (found,) = (finding for finding in doctor.examine() if finding.subject == "no-such-package")
    assert (found.state, found.needed_by) == ("note", "unheard[ray]")
    assert found.mend == 'pip install "unheard[ray]"'
