"""Building with Ray: the rows of the local engine, whoever is killed meanwhile."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from deadly_decoder import DeadlyDecoder
from hypothesis import given, settings
from hypothesis import strategies as st
from needed import need
from plain_embedder import PlainEmbedder
from stored_rows import content

import unheard.index as verbs
from unheard.errors import InputError
from unheard.index.building import ray as on_ray
from unheard.index.building.decoding import Decoded
from unheard.index.building.ray import EmbeddedPart, Walked, _Embedder, _Joining, _parts, _Reader
from unheard.index.building.recording import Recording
from unheard.index.building.sources import Sources
from unheard.index.building.windows import Windows
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.table import Store

need("ray")

RATE = 16_000


def noise(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


def write_sounds(folder: Path, count: int) -> Path:
    for number in range(count):
        path = folder / f"group {number % 2}" / f"sound {number:03d}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = (RATE, 22_050)[number % 2]
        soundfile.write(path, noise(0.3 + 0.3 * (number % 5), number, rate), rate)
    return folder


def rejects(uri: Path) -> list[str]:
    return sorted((uri / "rejects.jsonl").read_text().splitlines())


def counts(built: verbs.Built) -> dict[str, Any]:
    return {name: value for name, value in vars(built).items() if name not in ("uri", "rejects")}


# On a cluster


@pytest.mark.usefixtures("cluster")
def test_the_rows_of_the_local_engine_and_again_after_changes(tmp_path: Path, embedder: Any) -> None:
    sounds, captions = write_sounds(tmp_path / "sounds", 40), tmp_path / "captions.jsonl"
    soundfile.write(sounds / "long.flac", noise(300, 1, 8_000), 8_000)
    soundfile.write(sounds / "silent.wav", np.zeros(RATE), RATE)
    (sounds / "empty.wav").touch()
    (sounds / "text.mp3").write_text("no sound")
    shutil.copy(sounds / "group 0" / "sound 000.flac", sounds / "copy.flac")
    said = [
        {"path": "long.flac", "prompt": "ein Rauschen, größer", "licence": "CC0"},
        {"path": "missing.wav"},
    ]
    captions.write_text("\n".join(json.dumps(row) for row in said))

    def build_both() -> tuple[verbs.Built, verbs.Built]:
        options: dict[str, Any] = {"captions": captions, "embedder": embedder, "prune": True}
        here = verbs.build(sounds, tmp_path / "local", workers=0, **options)
        there = verbs.build(sounds, tmp_path / "ray", engine="ray", **options)
        assert counts(there) == pytest.approx(counts(here))
        assert content(tmp_path / "ray") == content(tmp_path / "local")
        assert rejects(tmp_path / "ray") == rejects(tmp_path / "local")
        assert verbs.info(tmp_path / "ray").checksum == verbs.info(tmp_path / "local").checksum
        return here, there

    built, _ = build_both()
    assert (built.added, built.rejected, built.silent, built.unused_captions) == (43, 2, 1, 1)
    assert sum(row["id"] == "long.flac" for row in content(tmp_path / "ray")) > 500

    changed, gone = sorted((sounds / "group 0").iterdir())[:2]
    soundfile.write(changed, noise(0.7, 99), RATE)
    soundfile.write(sounds / "new.wav", noise(0.5, 98), RATE)
    gone.unlink()
    captions.write_text(json.dumps({"path": "long.flac", "prompt": "a hiss"}))
    _, again = build_both()
    assert (again.added, again.changed, again.redescribed, again.removed, again.unchanged) == (1, 1, 1, 1, 40)
    assert verbs.verify(tmp_path / "ray") == []


def write_shards(folder: Path, count: int) -> list[Path]:
    """Three of so many sounds, of which two have one name. In the last is one that kills its decoder."""
    for number, name in enumerate(["a/train-0.tar", "a/train-1.tar", "b/train-0.tar"]):
        (folder / name).parent.mkdir(exist_ok=True)
        with tarfile.open(folder / name, "w") as shard:
            names = [f"{key:03d}" for key in range(count)] + ["killer"] * (name == "b/train-0.tar")
            for key, of in enumerate(names):
                sound = io.BytesIO()
                soundfile.write(sound, noise(0.4, 1_000 * number + key), RATE, format="WAV")
                for ending, data in {"wav": sound.getvalue(), "txt": f"{number} {of}".encode()}.items():
                    member = tarfile.TarInfo(f"{of}.{ending}")
                    member.size = len(data)
                    shard.addfile(member, io.BytesIO(data))
    return [folder / "a" / "train-{0..1}.tar", folder / "b" / "train-0.tar"]


@pytest.mark.usefixtures("cluster")
def test_of_shards_and_ids_the_first_is_taken_whoever_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder by a sound, and by somebody else all that work: nothing is lost but that sound."""
    embedder, sources = PlainEmbedder(), write_shards(tmp_path, 120)
    assert [len(part.sources) for part in Sources(sources).parts()] == [2, 1]
    monkeypatch.setattr(on_ray, "_Decoder", DeadlyDecoder)
    killed: dict[str, int] = {}

    def kill(done: int, *_: object) -> None:
        """At the first outcome, everything that works for the build."""
        for process in psutil.Process().children(recursive=True) if not killed else []:
            with suppress(psutil.Error):  # one that has ended meanwhile is nobody to kill
                name = " ".join(process.cmdline())
                if "MapWorker" in name:
                    process.kill()
                    killed[name] = done

    built = verbs.build(sources, tmp_path / "ray", embedder=embedder, engine="ray", progress=kill)
    # Small sounds are all decoded before the first is embedded.
    assert any("_Embedder" in name for name in killed)
    assert max(killed.values()) < 240 == built.added
    assert built.rejected == 121
    verbs.build(sources, tmp_path / "local", embedder=embedder, workers=0)
    assert content(tmp_path / "ray") == [
        row for row in content(tmp_path / "local") if "killer" not in row["id"]
    ]
    (reason,) = set(rejects(tmp_path / "ray")) - set(rejects(tmp_path / "local"))
    assert "killer" in reason
    assert "killed the process" in reason
    assert verbs.verify(tmp_path / "ray") == []


@pytest.mark.usefixtures("cluster")
def test_strict_and_damage_are_one_line(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 3)
    (sounds / "empty.wav").touch()
    with pytest.raises(InputError, match=r"empty\.wav: the file is empty \(--strict"):
        verbs.build(sounds, tmp_path / "ray", embedder=PlainEmbedder(), engine="ray", strict=True)


# The steps by themselves


@settings(max_examples=15, deadline=None)
@given(windows=st.integers(1, 24), held=st.integers(1, 9), seed=st.integers(0, 9), data=st.data())
def test_parts_of_a_recording_in_any_order_make_what_the_whole_makes(
    embedder: Any, windows: int, held: int, seed: int, data: st.DataObject
) -> None:
    samples = noise(0.6 + 0.5 * windows, seed)
    recording = Recording("long", "long.wav", prompt="hiss")
    decoded = Decoded(recording, "0" * 64, len(samples) / RATE, samples, float(np.abs(samples).max()))
    whole = Windows(embedder)
    (expected,) = [*whole.add(decoded), *whole.flush()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_ray, "HELD_SAMPLES", held * RATE)
        parts = list(_parts(decoded, embedder.window_samples))
    assert all(len(part.decoded.samples) <= held * RATE for part in parts)
    working = object.__new__(_Embedder)
    working._embedder = embedder
    embedded = [message for part in parts for message in working._embedded([part])]
    joining = _Joining(embedder)
    found = [joining.whole(message) for message in data.draw(st.permutations(embedded))]
    assert found[:-1] == [None] * (len(parts) - 1)
    made = found[-1]
    assert made is not None
    assert not isinstance(made, EmbeddedPart)
    assert (made.recording, made.seconds, made.bounds, made.silent) == (
        (expected.recording, expected.seconds, expected.bounds, expected.silent)
    )
    assert np.array_equal(made.embeddings, expected.embeddings)


def test_a_reader_begins_anew_and_hands_errors_on(tmp_path: Path, embedder: Any) -> None:
    uri, manifest = tmp_path / "index", tmp_path / "sounds.jsonl"
    Store.create(uri, EmbedderRecord.of(embedder))
    manifest.write_text("".join(f'{{"path": "{number}.wav"}}\n' for number in range(70)))
    reader = _Reader(os.getcwd(), str(uri), RATE)
    for _ in range(2):
        bundles = [row["bundle"][0] for row in reader({"part": [Sources(manifest)]})]
        assert [len(bundle) for bundle in bundles] == [32, 32, 7]
        *jobs, walked = [message for bundle in bundles for message in bundle]
        assert [job.recording.id for job in jobs] == [f"{number}.wav" for number in range(70)]
        assert walked == Walked(0)
    manifest = tmp_path / "sounds.csv"
    manifest.write_text('path\n0.wav\n"')
    ((*_, error),) = [row["bundle"][0] for row in reader({"part": [Sources(manifest)]})]
    assert isinstance(error, InputError)


def test_readers_and_decoders_do_without_torch_and_lancedbs_client_for_servers() -> None:
    program = (
        "import sys, unheard.index.building.ray\nfrom unheard.index.store.lance import lancedb\nlancedb()\n"
        "print({'torch', 'lance_namespace_urllib3_client.api'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_without_ray_one_line_says_what_to_install(
    tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(InputError, match=r'pip install "unheard\[ray\]"'):
        verbs.build(write_sounds(tmp_path / "sounds", 1), tmp_path / "index", embedder=embedder, engine="ray")
    assert not (tmp_path / "index").exists()
