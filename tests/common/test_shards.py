"""Sounds in tar shards, read where they lie."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from replaying import RECORDINGS
from shards import write_members

from unheard import audio
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.references import locate_catalogue, locate_recordings
from unheard.common.files import sha256
from unheard.common.shards import is_available, opened
from unheard.embedders import load_embedder
from unheard.errors import InputError
from unheard.index import Index, build
from unheard.index.building.recording import Recording
from unheard.index.building.sources import Sources


@given(contents=st.lists(st.binary(max_size=2_000), min_size=1, max_size=5))
def test_every_recording_of_a_shard_is_opened_by_its_source(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    names = ("a.wav", "./b.FLAC", "deep/c.d.mp3", "x::" * 40 + ".ogg", "umlaut-ü.opus")
    members = dict(zip(names, contents, strict=False))
    path = write_members(tmp_path_factory.mktemp("shards") / "s.tar", members)
    found = [each for each in Sources([path]) if isinstance(each, Recording)]
    assert [each.content for each in found if not each.source.endswith(".d.mp3")] == [
        content for name, content in members.items() if not name.endswith(".d.mp3")
    ]
    for each in found:
        assert is_available(each.source)
        assert opened(each.source).read() == each.content
        assert sha256(each.source) == hashlib.sha256(each.content or b"").hexdigest()


def test_a_sound_in_a_shard_is_read_as_the_file_is(tmp_path: Path) -> None:
    recording = RECORDINGS / "00001.flac"
    path = write_members(tmp_path / "s.tar", {"one.flac": recording.read_bytes(), "no.wav": b"no sound"})
    inside, rate = audio.read(f"{path}::one.flac")
    outside, same = audio.read(recording)
    assert rate == same
    assert torch.equal(inside, outside)
    with pytest.raises(InputError, match=r"s\.tar::no\.wav: .*convert it"):
        audio.read(f"{path}::no.wav")
    with pytest.raises(InputError, match=r"s\.tar::two\.wav: it does not exist"):
        audio.read(f"{path}::two.wav")


def test_what_is_not_available(tmp_path: Path) -> None:
    content = {"a.wav": b"a" * 5_000, "b.wav": b"b" * 5_000}
    packed = write_members(tmp_path / "s.tar.gz", content, "w:gz")
    assert not is_available(f"{packed}::a.wav")
    assert not is_available(f"{packed.rename(tmp_path / 'packed.tar')}::a.wav")
    assert not is_available(tmp_path / "none.tar::a.wav")
    assert not is_available("s3://bucket/s.tar::a.wav")
    whole = write_members(tmp_path / "s.tar", content)
    assert is_available(f"{whole}::b.wav")
    whole.write_bytes(whole.read_bytes()[:6_000])  # b's content is cut off
    assert is_available(f"{whole}::a.wav")
    assert not is_available(f"{whole}::b.wav")


def test_an_index_of_shards_is_audited(
    tmp_path: Path, tiny_clap_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the user's cache has of these recordings was made on other threads, and may differ in the last bit.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = ("00001.flac", "00017.flac")
    path = write_members(tmp_path / "s.tar", {name: (RECORDINGS / name).read_bytes() for name in names})
    index = tmp_path / "index"
    build([path], index, embedder=load_embedder(tiny_clap_folder), workers=0)
    opened_index = Index.open(index)
    assert locate_recordings(None, opened_index).keys() == {"s/00001", "s/00017"}
    found = locate_catalogue(None, opened_index, None)
    files = Catalogue.from_files([RECORDINGS / name for name in names])
    assert (found.prints == files.prints).all()
    path.unlink()
    (tmp_path / "elsewhere").mkdir()
    for name in (*names, "00018.flac"):
        shutil.copy(RECORDINGS / name, tmp_path / "elsewhere")
    again = locate_catalogue(str(tmp_path / "elsewhere"), opened_index, None)
    assert len(again) > len(names)
    with pytest.raises(InputError, match="does not say where its sounds lie"):
        locate_catalogue(None, Index.open(index), None)
