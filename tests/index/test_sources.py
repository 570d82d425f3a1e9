"""Sources: what is found, under which id, with which caption; what is wrong is named."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from shards import write_members

from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.sources import Sources


def found(*arguments: Any, **options: Any) -> list[Recording]:
    everything = list(Sources(*arguments, **options))
    assert not [one for one in everything if isinstance(one, Reject)]
    return [one for one in everything if isinstance(one, Recording)]


def by_id(*arguments: Any, **options: Any) -> dict[str, Recording]:
    return {one.id: one for one in found(*arguments, **options)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "sounds"
    for name in (
        "b.wav",
        "a.FLAC",
        "drums/loud/kick.mp3",
        "drums/ü.ogg",
        ".hidden/x.wav",
        ".x.wav",
        "readme.md",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (root / "b.txt").write_text("a bell \n", encoding="utf-8")
    (root / "drums/loud/kick.json").write_text(
        json.dumps({"caption": "a kick", "seconds_start": 2, "seconds_total": "7.5", "licence": "CC0"})
    )
    return root


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
        ("b.txt", b"\xff\xfe\xfa", "cannot be read.*utf-8"),
        ("b.json", b"{", "not JSON"),
        ("b.json", b"[1]", "not a JSON object"),
        ("b.json", b'{"seconds_total": "long"}', "seconds_total must be a number"),
        ("b.json", b'{"seconds_start": -1}', "seconds_start must be a finite"),
        ("b.json", b'{"caption": 3}', "prompt must be a text"),
    ],
)
def test_a_broken_sidecar_is_named_with_its_sound(
    folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    rejects = [one for one in Sources(folder) if isinstance(one, Reject)]
    assert [one.source for one in rejects] == [str(folder / "b.wav")]
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(rejects[0].reason)


# Manifests

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
    rejects, (good,) = (
        [one for one in Sources(manifest) if isinstance(one, Reject)],
        [one for one in Sources(manifest) if isinstance(one, Recording)],
    )
    assert [one.source for one in rejects] == [f"{manifest}, row 1", f"{manifest}, row 2"]
    assert "'soon'" in rejects[0].reason
    assert "no path" in rejects[1].reason
    assert (good.id, good.prompt, good.further) == ("a.FLAC", "z", {})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", b"path\n\xff\xff", "not UTF-8"),
        ("list.jsonl", b'{"path": "a"}\n{"path": \n', "not JSON"),
        ("list.parquet", b"PAR1 no", "cannot read .*list.parquet"),
        ("list.csv", b'path\n"a', "cannot read .*list.csv"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        list(Sources(tmp_path / name))
    assert "\n" not in str(raised.value)


# Shards


def sound_bytes(seed: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-0.5, 0.5, 800), 16_000, format="FLAC")
    return file.getvalue()


def write_shard(path: Path, samples: dict[str, dict[str, bytes]]) -> None:
    mode = "w:gz" if path.name.endswith("gz") else "w"
    named = {f"{key}.{ending}": content for key, some in samples.items() for ending, content in some.items()}
    write_members(path, named, mode)


def test_shards_are_streamed_with_what_their_samples_say(tmp_path: Path) -> None:
    for number in range(3):
        samples: dict[str, dict[str, bytes]] = {
            "000": {
                "flac": sound_bytes(number),
                "txt": b"a bell",
                "json": b'{"url": "u", "seconds_total": 9}',
            },
            "sub/001": {"json": b'{"caption": "c"}', "flac": sound_bytes(10 + number)},
            "002": {"cls": b"no sound, no caption"},
            "003": {"dry.flac": sound_bytes(20), "wet.flac": sound_bytes(21)},
        }
        write_shard(tmp_path / f"train-{number:03d}.tar", samples)
    recordings = found(str(tmp_path / "train-{000..002}.tar"))
    assert [one.id for one in recordings[:4]] == [
        "train-000/000", "train-000/sub/001", "train-000/003.dry.flac", "train-000/003.wet.flac",
    ]  # fmt: skip
    assert len({one.id for one in recordings}) == 12
    first, second = recordings[:2]
    assert (first.prompt, first.seconds_total, first.further) == ("a bell", 9.0, {"url": "u"})
    assert first.content == sound_bytes(0)
    assert first.source == f"{tmp_path}/train-000.tar::000.flac"
    assert second.prompt == "c"
    assert [one.id for one in found(str(tmp_path / "*.tar"))] == [one.id for one in recordings]
    assert Sources(str(tmp_path / "*.tar")).count() is None
    assert found(f"file://{tmp_path}/train-001.tar")[0].content == sound_bytes(1)
    write_shard(tmp_path / "zipped.tar.gz", {"x": {"flac": sound_bytes(5)}})
    assert found(tmp_path / "zipped.tar.gz")[0].id == "zipped/x"


def test_a_caption_that_does_not_stand_beside_its_sound_is_named(tmp_path: Path) -> None:
    """As in a shard that was packed by `tar` in the order of the file system."""
    path = tmp_path / "apart.tar"
    write_shard(path, {"a": {"flac": sound_bytes(0)}, "b": {"flac": sound_bytes(1), "txt": b"b"}})
    write_members(path, {"a.txt": b"a"}, "a")
    *recordings, apart = list(Sources(path))
    assert [one.prompt for one in recordings if isinstance(one, Recording)] == [None, "b"]
    assert isinstance(apart, Reject)
    assert (apart.source, apart.id) == (f"{path}::a", None)
    assert "have to follow each other" in apart.reason


def test_a_torn_shard_gives_what_comes_before_the_tear(tmp_path: Path) -> None:
    samples: dict[str, dict[str, bytes]] = {f"{n:03d}": {"flac": sound_bytes(n)} for n in range(6)}
    path = tmp_path / "torn.tar"
    write_shard(path, samples)
    path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "not.tar").write_bytes(b"no shard" * 200)
    *whole, torn = list(Sources(path))
    assert whole
    assert [one.content for one in whole if isinstance(one, Recording)] == [
        sound_bytes(n) for n in range(len(whole))
    ]
    assert isinstance(torn, Reject)
    assert torn.source == str(path)
    (bad,) = Sources(tmp_path / "not.tar")
    assert isinstance(bad, Reject)
    assert "cannot be read" in bad.reason


# Patterns


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
    ("sources", "message"),
    [
        ([], "nothing to build from"),
        (["gone"], "gone does not exist"),
        (["gone-*.tar"], "matches nothing"),
        (["gone-{0..2}.tar"], r"gone-0\.tar, which gone-\{0\.\.2\}\.tar names, does not exist"),
        (["embeddings.json"], "unheard index import"),
        (["s3://bucket/a.wav"], "only shards"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("embeddings.json").write_text("{}")
    with pytest.raises(InputError, match=message):
        Sources(sources)


def test_captions_have_to_be_a_manifest(folder: Path) -> None:
    (folder / "captions.csv").write_text("prompt\nx\n")
    for name, message in [("b.txt", "CSV, JSON Lines or Parquet"), ("captions.csv", "row 1 names no sound")]:
        with pytest.raises(InputError, match=message):
            Sources(folder, folder / name)
