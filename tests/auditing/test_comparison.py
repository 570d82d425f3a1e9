"""Two audits compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unheard.auditing.comparison import compare, read_audit
from unheard.errors import InputError


def said(path: str, verdict: str, *replayed: str, sha256: str | None = None) -> dict[str, Any]:
    matches = [{"reference": one, "verdict": "copy"} for one in replayed]
    return {"path": path, "verdict": verdict, "sha256": sha256, "matches": matches}


def test_what_is_new_gone_and_changed() -> None:
    before = [said("a", "clear"), said("b", "copy", "1"), said("c", "clear"), said("d", "copy", "2")]
    after = [said("a", "clear"), said("b", "copy", "1", "3"), said("d", "clear"), said("e", "similar")]
    found = compare(before, after)
    assert (found.new, found.gone, found.same) == ({"e": "similar"}, {"c": "clear"}, 1)
    by_path = {change.path: change for change in found.changed}
    assert (by_path["b"].new, by_path["b"].is_worse) == (("3",), True)
    assert (by_path["d"].gone, by_path["d"].is_worse) == (("2",), False)


def test_a_sound_that_moved_is_the_same_sound() -> None:
    found = compare([said("a", "clear", sha256="7")], [said("b", "clear", sha256="7")])
    assert (found.differs, found.same) == (False, 1)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ("clear", "similar", True),
        ("copy", "partial copy", False),
        ("clear", "too short to tell", True),
        ("too short to tell", "clear", False),
        ("not judged", "copy", True),
    ],
)
def test_what_is_worse(before: str, after: str, worse: bool) -> None:
    assert compare([said("a", before)], [said("a", after)]).is_worse == worse


def test_a_new_sound_is_worse_if_it_replays() -> None:
    assert compare([], [said("a", "copy", "1")]).is_worse
    assert not compare([], [said("a", "similar")]).is_worse


ODD = [
    {"path": "a\nb", "verdict": "fine"},
    {"path": "a", "verdict": "copy", "matches": [{"reference": ["r"], "verdict": "copy"}]},
    {"path": "a", "verdict": "clear", "matches": [], "sha256": {"a": 1}},
]


@pytest.mark.parametrize("text", ["", "[]", "{}", *(json.dumps({"files": [file]}) for file in ODD)])
def test_what_is_no_audit_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(
        InputError, match=r"a\.json is not what `unheard audit --json` prints \(.+\): give a file"
    ) as caught:
        read_audit(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
    (tmp_path / "a.json").write_text(json.dumps({"files": [said("a", "clear")]}))
    assert len(read_audit(tmp_path / "a.json")) == 1
