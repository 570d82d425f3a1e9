"""WebDataset shards are streamed; what comes before a tear is taken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from shards import write_members
from small_sources import found

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
