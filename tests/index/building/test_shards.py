"""WebDataset shards are streamed; what comes before a tear is taken."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from shards import write_members
from small_sources import found

from unheard.common.shards import is_available, opened
from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.sources import Sources


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
    everything = list(Sources(str(tmp_path / "train-{000..002}.tar")))
    recordings = [one for one in everything if isinstance(one, Recording)]
    assert [one.source for one in everything if isinstance(one, Reject)] == [
        f"{tmp_path}/train-{number:03d}.tar::002.cls" for number in range(3)
    ]
    assert [one.id for one in recordings[:4]] == [
        "train-000/000", "train-000/sub/001", "train-000/003.dry.flac", "train-000/003.wet.flac",
    ]  # fmt: skip
    assert len({one.id for one in recordings}) == 12
    first, second = recordings[:2]
    assert (first.prompt, first.seconds_total, first.further) == ("a bell", 9.0, {"url": "u"})
    assert first.content == sound_bytes(0)
    assert first.source == f"{tmp_path}/train-000.tar::000.flac"
    assert second.prompt == "c"
    again = [one for one in Sources(str(tmp_path / "*.tar")) if isinstance(one, Recording)]
    assert [one.id for one in again] == [one.id for one in recordings]
    assert Sources(str(tmp_path / "*.tar")).count() is None
    (first, *_) = Sources(f"file://{tmp_path}/train-001.tar")
    assert isinstance(first, Recording)
    assert first.content == sound_bytes(1)
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


def test_of_two_members_of_one_name_the_first_is_taken_and_the_other_told(tmp_path: Path) -> None:
    path = tmp_path / "twice.tar"
    for number in range(2):
        members = {"dup.wav": sound_bytes(number), "dup.txt": b"first" if not number else b"second"}
        write_members(path, members, "w" if not number else "a")
    (taken,), told = split(path)
    assert (taken.content, taken.prompt) == (sound_bytes(0), "first")
    assert opened(taken.source).read() == sound_bytes(0)
    assert [one.source for one in told] == [f"{path}::dup.wav", f"{path}::dup.txt"]
    assert all("came before it" in one.reason for one in told)


def split(path: Path) -> tuple[list[Recording], list[Reject]]:
    everything = list(Sources(path))
    return (
        [one for one in everything if isinstance(one, Recording)],
        [one for one in everything if isinstance(one, Reject)],
    )


def test_names_with_several_dots_keep_their_captions_and_their_case(tmp_path: Path) -> None:
    members = {
        "Track 2.0 (A).WAV": sound_bytes(0), "Track 2.0 (A).txt": b"the first",
        "Track 2.1 (B).wav": sound_bytes(1), "Track 2.1 (B).TXT": b"the second",
        "take.16k.Flac": sound_bytes(2), "take.json": b'{"caption": "of the sample"}',
        "Alone.v2.wav": sound_bytes(3),
        "Plain.WAV": sound_bytes(4), "Plain.txt": b"plain",
    }  # fmt: skip
    path = write_members(tmp_path / "s.tar", members)
    taken, told = split(path)
    assert not told
    assert [(one.id, one.prompt) for one in taken] == [
        ("s/Track 2.0 (A).WAV", "the first"), ("s/Track 2.1 (B).wav", "the second"),
        ("s/take", "of the sample"), ("s/Alone.v2.wav", None), ("s/Plain", "plain"),
    ]  # fmt: skip
    for one in taken:
        assert opened(one.source).read() == one.content == members[one.source.partition("::")[2]]
    assert is_available(f"{path}::Track 2.0 (a).wav")  # as older indexes wrote it


def test_members_of_unknown_kind_are_told(tmp_path: Path) -> None:
    path = tmp_path / "u.tar"
    write_members(path, {"a.wav.data": b"x", "b.audio": b"x", "c.wav": sound_bytes(0), "c.npy": b"x"})
    with tarfile.open(path, "a") as shard:
        link = tarfile.TarInfo("d.wav")
        link.type, link.linkname = tarfile.LNKTYPE, "c.wav"
        shard.addfile(link)
    taken, told = split(path)
    assert [one.id for one in taken] == ["u/c"]
    assert [(one.source.partition("::")[2], one.reason) for one in told] == [
        ("a.wav.data", "its ending is none of a sound that is known"),
        ("b.audio", "its ending is none of a sound that is known"),
        ("d.wav", "it is a link or a device, and no file of the shard"),
    ]


def test_a_member_larger_than_memory_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_members(tmp_path / "s.tar", {"a.wav": b"x" * 2_000, "b.wav": sound_bytes(0)})
    monkeypatch.setattr("unheard.common.shards.LARGEST_MEMBER", 1_999)
    taken, (large,) = split(path)
    assert [one.id for one in taken] == ["s/b"]
    assert "2,000 bytes" in large.reason
    with pytest.raises(InputError, match="2,000 bytes"):
        opened(f"{path}::a.wav")


def test_a_member_is_held_once(tmp_path: Path) -> None:
    size = 8 << 20
    path = write_members(tmp_path / "s.tar", {"a.wav": bytes(size)})
    tracemalloc.start()
    try:
        (taken,), _ = split(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * size
    finally:
        tracemalloc.stop()
    assert taken.content == bytes(size)


def test_members_of_one_sample_that_together_are_larger_than_memory_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = sound_bytes(0)
    path = write_members(
        tmp_path / "s.tar", {"a.1.wav": sound, "a.2.wav": sound, "a.json": b"{}", "b.wav": sound}
    )
    monkeypatch.setattr("unheard.common.shards.LARGEST_MEMBER", 2 * len(sound))
    taken, (one_too_many,) = split(path)
    assert [one.id for one in taken] == ["s/a.1.wav", "s/a.2.wav", "s/b"]
    assert one_too_many.source.endswith("a.json")
    assert f"it has 2 bytes, and {2 * len(sound):,} more the members of its sample" in one_too_many.reason


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 33
    path = tmp_path / "s.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 20_000)
    taken, (torn,) = split(path)
    assert not taken
    assert "cannot be read to its end: a header of 8,589,934,592 bytes" in torn.reason
    assert not is_available(f"{path}::x")
