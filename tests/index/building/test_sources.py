"""Sources: what is found, under which id, with which caption; what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from braceexpand import braceexpand
from small_sources import by_id, found, write_folder

from unheard.errors import InputError
from unheard.index.building.recording import Reject, Remark
from unheard.index.building.sources import Sources, _names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "sounds")


def test_a_folder_is_walked_in_order_with_sidecars(folder: Path) -> None:
    recordings = found(folder)
    assert [one.id for one in recordings] == ["a.FLAC", "b.wav", "drums/ü.ogg", "drums/loud/kick.mp3"]
    assert Sources(folder).count() == 4
    bell, kick = recordings[1], recordings[3]
    assert (bell.prompt, bell.seconds_start, bell.further) == ("a bell", None, {})
    assert (kick.prompt, kick.seconds_start, kick.seconds_total) == ("a kick", 2.0, 7.5)
    assert kick.further == {"licence": "CC0"}
    assert kick.source == str(folder / "drums/loud/kick.mp3")
    assert [one.id for one in found(str(folder))] == [one.id for one in found([folder])]


def test_json_goes_before_text_and_text_fills_in(folder: Path) -> None:
    (folder / "a.txt").write_text("from text")
    (folder / "a.json").write_text(json.dumps({"prompt": "from JSON", "id": 7}))
    assert (by_id(folder)["a.FLAC"].prompt, by_id(folder)["a.FLAC"].further) == ("from JSON", {"id": "7"})
    (folder / "a.json").write_text(json.dumps({"url": "x"}))
    assert by_id(folder)["a.FLAC"].prompt == "from text"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.txt", b"\xff\xfe\xfa", "its caption is not all UTF-16-LE"),
        ("b.json", b"{", "not JSON"),
        ("b.json", b"[1]", "not a JSON object"),
        ("b.json", b'{"seconds_total": "long"}', "seconds_total must be a finite number"),
        ("b.json", b'{"seconds_start": -1}', "seconds_start must be a finite"),
        ("b.json", b'{"caption": 3}', "its caption is no text but 3"),
    ],
)
def test_a_broken_sidecar_is_named_and_its_sound_is_taken(
    folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    everything = list(Sources(folder))
    (remark,) = [one for one in everything if isinstance(one, Reject)]
    assert isinstance(remark, Remark)
    assert remark.source == str(folder / "b.wav")
    assert message in remark.reason
    assert len(everything) == 5


def test_patterns_and_single_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.id for one in found(str(folder / "*.wav"))] == ["b.wav"]
    assert [one.id for one in found(str(folder / "**/*.[mo]*"))] == ["drums/loud/kick.mp3", "drums/ü.ogg"]
    assert [one.id for one in found([folder / "a.FLAC", str(folder / "b.wav")])] == ["a.FLAC", "b.wav"]
    (folder / "a.json").write_text("{}")
    assert [one.id for one in found([str(path) for path in sorted(folder.glob("[ab].*"))])] == [
        "a.FLAC",
        "b.wav",
    ]
    monkeypatch.chdir(folder)
    assert [(one.id, one.source) for one in found("drums/ü.ogg")] == [("ü.ogg", "drums/ü.ogg")]
    assert [one.id for one in found("{a.FLAC,b.wav}")] == ["a.FLAC", "b.wav"]
    (folder / "odd [1].wav").write_bytes(b"x")
    assert [one.id for one in found("odd [1].wav")] == ["odd [1].wav"]


@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        "a{b,c}",
        "{a,b{1..3}}{x,,y}",
        "{a..e}{10..08}",
        "{5..-5..2}",
        "{a,{b,{c,d}}}",
        "{a}",
        "{}",
        "\\{a,b\\}",
    ],
)
def test_names_are_counted_before_they_are_listed(pattern: str) -> None:
    assert _names(pattern) >= len(list(braceexpand(pattern))) > _names(pattern) / 3


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "nothing to build from"),
        (["gone"], "gone does not exist"),
        (["gone-*.tar"], "matches nothing"),
        (["gone-{0..2}.tar"], r"gone-0\.tar, which gone-\{0\.\.2\}\.tar names, does not exist"),
        (["embeddings.json"], "unheard index import"),
        (["s3://bucket/a.wav"], "only shards"),
        (["{0..99999999}.wav"], "more than 131,072 names"),
        (["{0..999999}{0..999999}.wav"], "more than 131,072 names"),
        ([f"{'{a,b}' * 40}.wav"], "more than 131,072 names"),
        ([f"{{{'1' * 5000}..{'2' * 5000}}}.wav"], "more than 131,072 names"),
        (["{a,{b}.wav"], "cannot be expanded"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("embeddings.json").write_text("{}")
    with pytest.raises(InputError, match=message):
        Sources(sources)
