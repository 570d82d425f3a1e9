"""An index and its shards in an object store: a real S3 server on this machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus import RATE, noise
from needed import need
from object_store import put, s3_server
from stored_rows import content

from unheard import index
from unheard.errors import IndexFileError, InputError
from unheard.index.store.causes import cause
from unheard.index.store.table import Store
from unheard.index.store.uri import as_text, is_store

need("moto", "s3fs")


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address, where both libraries find it."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return server["AWS_ENDPOINT_URL"]


def shard(count: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as file:
        for number in range(count):
            sound = io.BytesIO()
            soundfile.write(sound, noise(0.4, number), RATE, format="WAV")
            for ending, data in {"wav": sound.getvalue(), "txt": f"sound {number}".encode()}.items():
                member = tarfile.TarInfo(f"{number:03d}.{ending}")
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))
    return written.getvalue()


@pytest.mark.usefixtures("s3")
def test_the_same_rows_as_in_a_folder_whatever_names_it(corpus: Path, tmp_path: Path, embedder: Any) -> None:
    uri = "s3://bucket/mine"
    built = index.build(corpus, Path(uri), embedder=embedder, workers=0)
    assert built.uri == uri
    index.build(corpus, tmp_path / "local", embedder=embedder, workers=0)
    assert content(uri) == content(tmp_path / "local")
    assert index.build(corpus, uri, embedder=embedder, workers=0).unchanged == 12
    assert index.Index.open(Path(uri)).path == uri
    assert index.verify(Path(uri)) == []
    soundfile.write(tmp_path / "new.wav", noise(0.5, 99), RATE)
    assert index.add(uri, tmp_path / "new.wav", caption="new", embedder=embedder).added == 1
    assert index.unknown_ids(uri, ["new.wav", "gone"]) == ["gone"]
    assert index.remove(uri, ["new.wav"]) == 1
    assert index.info(uri).checksum == index.info(tmp_path / "local").checksum
    store = Store.open(uri)
    located = [
        store.locate(source)
        for source in store.where(index.Index.open(uri).ids, ["source"])["source"].to_pylist()
    ]
    assert all(path is not None and Path(path).is_file() for path in located)


def test_shards_are_read_from_there(s3: str, tmp_path: Path, embedder: Any) -> None:
    put(s3, "shards/train-0.tar", shard(3))
    (tmp_path / "train-0.tar").write_bytes(shard(3))
    index.build(
        Path("s3://bucket/shards/train-{0..0}.tar"), "s3://bucket/of-shards", embedder=embedder, workers=0
    )
    index.build(tmp_path / "train-0.tar", tmp_path / "local", embedder=embedder, workers=0)
    there, here = content("s3://bucket/of-shards"), content(tmp_path / "local")
    assert there[0]["source"] == "s3://bucket/shards/train-0.tar::000.wav"
    assert [row | {"source": ""} for row in there] == [row | {"source": ""} for row in here]


@pytest.mark.usefixtures("s3")
def test_a_shard_that_is_not_there_is_left_out_with_its_cause(tmp_path: Path, embedder: Any) -> None:
    built = index.build("s3://bucket/none.tar", tmp_path / "index", embedder=embedder, workers=0)
    assert (built.added, built.rejected) == (0, 1)
    assert "s3://bucket/none.tar" in built.left_out.lines()[0]


def test_a_kind_of_uri_that_nothing_opens_is_one_line(tmp_path: Path, embedder: Any) -> None:
    with pytest.raises(InputError, match=r"cannot open foo://bucket/a\.tar: Protocol not known: foo"):
        index.build("foo://bucket/a.tar", tmp_path / "index", embedder=embedder)


@pytest.mark.parametrize(
    ("uri", "variables", "message"),
    [
        ("s3://bucket/x", {"AWS_ALLOW_HTTP": "false"}, "set AWS_ALLOW_HTTP=true"),
        ("s3://none/x", {}, r"bucket does not exist \(NoSuchBucket\)"),
        ("s3://bucket/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Connection refused"),
        ("foo://bucket/x", {}, "No object store provider"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_errors_show_their_cause(
    uri: str, variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(IndexFileError, match=message) as caught:
        Store.exists(uri)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_the_system_refuses_is_said_in_its_words() -> None:
    said = "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"
    lance = RuntimeError(f"lance error: LanceError(IO): {said}, /root/.cargo/registry/src/commit.rs:3:9")
    assert cause(lance) == "No space left on device"


def test_a_cause_that_is_not_known_is_the_first_line() -> None:
    assert cause(ValueError("one\ntwo")) == "one"
    assert cause(ValueError("")) == "ValueError"


def test_a_uri_that_was_a_path_has_its_slash_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_text(Path("s3://bucket/a b/index")) == "s3://bucket/a b/index"
    assert as_text("s3://bucket/index") == "s3://bucket/index"
    assert as_text(Path("folder/s3:/x")) == "folder/s3:/x"
    assert is_store(Path("gs://bucket/index.json"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk:").mkdir()
    assert as_text("disk:/index") == "disk:/index"
