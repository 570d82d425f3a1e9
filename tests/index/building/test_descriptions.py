"""What is said of a recording is taken as well as it can be, with a remark, and never costs the recording."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus import RATE, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_rows import content

import unheard.index as commands
from unheard.errors import InputError
from unheard.index.building.descriptions import LARGEST_CAPTION, LARGEST_FURTHER, describe, json_object
from unheard.index.building.ledger import further_json
from unheard.index.building.recording import Recording, Remark
from unheard.index.building.sources import Sources


@pytest.mark.parametrize(
    ("row", "prompt", "remarks"),
    [
        ({"caption": "a bell"}, "a bell", []),
        ({"text": ["a bell rings", "ringing"]}, "a bell rings", ["it has 2 captions: the first is taken"]),
        ({"text": ["", None, " one "]}, "one", []),
        ({"captions": []}, None, []),
        ({"prompt": [], "caption": "a bell"}, "a bell", []),
        ({"caption": {"en": "a bell", "de": "eine Glocke"}}, "a bell", ["it has 2 captions"]),
        ({"caption": [["nested"]]}, None, []),
        ({"caption": 3}, "3", ["its caption is no text but 3"]),
        ({"caption": "half a smile \ud83d"}, "half a smile \ufffd", ["half a surrogate pair"]),
        ({"caption": "a\0b"}, "ab", ["a NUL character"]),
        ({"caption": "Fl\xfcgel".encode("cp1252")}, "Flügel", ["read as Windows-1252"]),
        ({"caption": float("nan")}, None, []),
        ({"caption": "x" * (LARGEST_CAPTION + 9)}, "x" * LARGEST_CAPTION, ["the first 65,536 are taken"]),
        ({"caption": "a", "seconds_start": -1}, "a", ["seconds_start must be a finite number"]),
        ({"caption": "a", "seconds_total": [3]}, "a", ["seconds_total must be"]),
        ({"caption": "a", "id": "x\ud800"}, "a", ["its id holds half a surrogate pair"]),
        ({"caption": "a", "large": "x" * (LARGEST_FURTHER + 1)}, "a", ["'large' is not stored"]),
        ({"caption": "a", "raw": b"x"}, "a", ["'raw' is not stored"]),
    ],
)
def test_a_caption_is_taken_as_well_as_it_can_be(
    row: dict[str, Any], prompt: str | None, remarks: list[str]
) -> None:
    found = describe(row)
    assert found.prompt == prompt
    assert len(found.remarks) == len(remarks)
    for remark, part in zip(found.remarks, remarks, strict=True):
        assert part in remark
        assert len(remark) < 200


def test_of_several_captions_all_are_kept_beside_the_first() -> None:
    assert describe({"text": ["a", "b"], "tag": ["c"]}).further == {"text": ["a", "b"], "tag": ["c"]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9)
    | st.sampled_from(["\ud800", "a\0", "\udcff"]) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from("path prompt caption text id seconds_start seconds_total url".split())  # noqa: SIM905


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_a_row_says_can_be_stored_or_is_refused(row: dict[str, Any]) -> None:
    try:
        found = describe(row)
    except InputError:
        return
    for text in (found.id, found.prompt or "", further_json(found.further) or "", *found.remarks):
        text.encode("utf-8")
    assert "\0" not in found.id + (found.prompt or "")


def test_json_as_deep_as_it_may_be_is_no_crash() -> None:
    for depth in (10, 900, 5_000, 100_000):
        with suppress(InputError):
            describe(json_object('{"a": ' + "[" * depth + "]" * depth + "}"))
    with pytest.raises(InputError, match="not JSON"):
        json_object('{"a": ' + "[" * 100_000)


def test_recordings_stay_in_the_index_whatever_lies_beside_them(tmp_path: Path, embedder: Any) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    beside = {
        "list.json": b'{"text": ["a bell rings", "ringing of a bell"], "tag": ["bell"]}',
        "windows.txt": b"Fl\xfcgel",
        "half.json": b'{"caption": "half a smile \\ud83d"}',
        "none.json": b"{",
        "large.json": b'{"caption": "' + b"x" * (1 << 21) + b'"}',
        "long.txt": b"y" * (1 << 21),
        "UPPER.TXT": b"in capitals",
    }
    for name, text in beside.items():
        (folder / name).write_bytes(text)
        soundfile.write(folder / f"{name.partition('.')[0]}.wav", noise(0.3, len(name)), RATE)
    built = commands.build(folder, tmp_path / "index", embedder=embedder, workers=0)
    assert (built.added, built.rejected, len(built.remarks)) == (7, 0, 7)
    said = {row["id"]: row["prompt"] for row in content(tmp_path / "index")}
    assert said == {
        "list.wav": "a bell rings", "windows.wav": "Flügel", "half.wav": "half a smile \ufffd",
        "none.wav": None, "large.wav": None, "long.wav": "y" * LARGEST_CAPTION, "UPPER.wav": "in capitals",
    }  # fmt: skip
    listed = [json.loads(line) for line in Path(str(built.rejects)).read_text("utf-8").splitlines()]
    assert all(line["taken"] is True for line in listed)
    assert {Path(line["source"]).name for line in listed} == set(said) - {"UPPER.wav"}
    again = commands.build(folder, tmp_path / "index", embedder=embedder, workers=0, strict=True)
    assert (again.unchanged, len(again.remarks)) == (7, 7)


def test_captions_that_name_no_sound_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    captions = tmp_path / "captions.jsonl"
    captions.write_text('{"path": "a.wav", "text": "one"}\n{"path": "b.wav", "text": "two"}\n{oops\n{}\n')
    sources = Sources(tmp_path / "a.wav", captions)
    one, bad, empty, unused = list(sources)
    assert isinstance(one, Recording)
    assert one.prompt == "one"
    assert (bad.source, empty.source) == (f"{captions}, row 3", f"{captions}, row 4")
    assert isinstance(unused, Remark)
    assert unused.source == f"{captions}: b.wav"
    assert sources.unused_captions == 1
