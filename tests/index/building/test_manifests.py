"""Tables of recordings and of captions, in every format alike; a bad row is named."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from small_sources import found, write_folder

from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject, Remark
from unheard.index.building.sources import Sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "sounds")


ROWS: list[dict[str, Any]] = [
    {
        "path": "b.wav",
        "id": "7",
        "prompt": 'a "bell", ü',
        "seconds_start": 1.5,
        "seconds_total": 30,
        "licence": "CC0",
    },
    {
        "path": "drums/ü.ogg",
        "id": None,
        "prompt": None,
        "seconds_start": None,
        "seconds_total": None,
        "licence": None,
    },
]


def as_csv(path: Path) -> None:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)


def as_lines(path: Path) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in ROWS) + "\n", encoding="utf-8")


def as_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), path)


FORMATS: list[tuple[str, Callable[[Path], None]]] = [
    ("csv", as_csv), ("jsonl", as_lines), ("parquet", as_parquet),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "write"), FORMATS)
def test_a_manifest_says_all_there_is_to_say(
    folder: Path, ending: str, write: Callable[[Path], None]
) -> None:
    manifest = folder / f"list.{ending}"
    write(manifest)
    first, second = found(manifest)
    assert first == Recording("7", str(folder / "b.wav"), None, 'a "bell", ü', 1.5, 30.0, {"licence": "CC0"})
    assert second == Recording("drums/ü.ogg", str(folder / "drums/ü.ogg"))
    assert Sources(manifest).count() == 2


@pytest.mark.parametrize(("ending", "write"), FORMATS)
def test_captions_join_a_folder_by_path(folder: Path, ending: str, write: Callable[[Path], None]) -> None:
    write(folder / f"captions.{ending}")
    sources = Sources(folder, folder / f"captions.{ending}")
    recordings = {one.id: one for one in sources if isinstance(one, Recording)}
    assert set(recordings) == {"7", "a.FLAC", "drums/ü.ogg", "drums/loud/kick.mp3"}
    assert recordings["7"].prompt == 'a "bell", ü'  # over the sidecar's
    assert recordings["7"].further == {"licence": "CC0"}
    assert sources.unused_captions == 0


def test_captions_may_name_paths_from_where_they_lie(folder: Path) -> None:
    captions = folder.parent / "captions.csv"
    captions.write_text("file_name,text\nsounds/b.wav,one\n./sounds/a.FLAC,two\nsounds/gone.wav,three\n")
    sources = Sources(folder, captions)
    said = {one.id: one.prompt for one in sources if isinstance(one, Recording)}
    assert (said["b.wav"], said["a.FLAC"]) == ("one", "two")
    assert sources.unused_captions == 1


def test_a_bad_row_is_named_and_the_others_go_on(folder: Path) -> None:
    manifest = folder / "list.csv"
    manifest.write_text("path,seconds_total,prompt\nb.wav,soon,x\n,1,y\na.FLAC,3,z,beyond\n")
    rejects, (timed, good) = (
        [one for one in Sources(manifest) if isinstance(one, Reject)],
        [one for one in Sources(manifest) if isinstance(one, Recording)],
    )
    assert [one.source for one in rejects] == [str(folder / "b.wav"), f"{manifest}, row 2"]
    assert isinstance(rejects[0], Remark)
    assert "'soon'" in rejects[0].reason
    assert "no path" in rejects[1].reason
    assert (timed.id, timed.prompt, timed.seconds_total) == ("b.wav", "x", None)
    assert (good.id, good.prompt, good.further) == ("a.FLAC", "z", {})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.parquet", b"PAR1 no", "cannot read .*list.parquet"),
        ("list.csv", b'path\nb.wav\n"a', "cannot read .*list.csv, row 2"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        list(Sources(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_captions_have_to_be_a_manifest(folder: Path) -> None:
    (folder / "captions.csv").write_text("prompt\nx\n")
    (folder / "semicolons.csv").write_text("path;prompt\nb.wav;x\n")
    (folder / "headless.csv").write_text("b.wav,x\n")
    (folder / "empty.jsonl").write_text("")
    for name, message in [
        ("b.txt", "CSV, JSON Lines or Parquet"),
        ("captions.csv", r"row 1: it names no sound.*\(it has 'prompt'\)"),
        ("semicolons.csv", r"\(it has 'path;prompt'\)"),
        ("headless.csv", "there is no caption in .*headless.csv"),
        ("empty.jsonl", "there is no caption in .*empty.jsonl"),
    ]:
        with pytest.raises(InputError, match=message):
            Sources(folder, folder / name)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("way", ["s/{}", "./s/{}", "s/../s/{}", "{}", "absolute"])
def test_captions_find_a_sound_by_any_path_and_in_either_form_of_unicode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "größer é.wav"
    for written in ("NFC", "NFD"):
        folder = tmp_path / written / "s"
        folder.mkdir(parents=True)
        (folder / unicodedata.normalize(written, name)).touch()
        monkeypatch.chdir(folder.parent)
        path = str(folder / name) if way == "absolute" else way.format(name)
        line = {"path": unicodedata.normalize(form, path), "prompt": "found"}
        (folder.parent / "captions.jsonl").write_text(json.dumps(line), encoding="utf-8")
        for source in ("s", str(folder)):
            (one,) = Sources(source, "captions.jsonl")
            assert isinstance(one, Recording)
            assert one.prompt == "found", (written, source)
