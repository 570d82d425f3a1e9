"""The real world: what its recordings are called, what becomes of them, and what is drawn from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from lab.corpus_files import Corpus, write_whole
from lab.real_sound import TABLE, Recording
from lab.real_world import corpus, train
from lab.real_world.captions import caption
from lab.sizes import LENGTH, SAMPLE_RATE

RATE = 44_100


def recording(
    path: str = "usr/share/games/flare/mods/fantasycore/soundfx/environment/cave_wind_loop.ogg",
    source: str = "flare-game",
    side: str = "report",
    seconds: float = 6.0,
) -> Recording:
    file = f"{side}/{source}/{Path(path).stem}.flac"
    return Recording(file, side, source, source, path, "CC0-1.0", None, "", "", "excerpt", 0.0, seconds)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (recording().path, "flare-game", "Cave wind loop, fantasycore environment, flare game"),
        ("usr/share/games/hannah/bgm1.ogg", "hannah-data", "Bgm, hannah"),
        (
            "package/samples/LoopAmen.flac",
            "supersonic-scsynth-samples",
            "Loop amen, supersonic scsynth samples",
        ),
        ("usr/share/games/atanks/sound/31.wav", "atanks-data", None),
    ],
)
def test_a_recording_is_called_by_its_file_its_folders_and_its_source(
    path: str, source: str, expected: str | None
) -> None:
    assert caption(recording(path, source)) == expected


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """Two rendered sounds before, two planted recordings, a control, and five that occur once."""
    monkeypatch.setattr(corpus, "PLANTED", {"report": (2, 1)})
    monkeypatch.setattr(corpus, "HELD_OUT", 2)
    names = ["Rain", "Silence", "Wind", "Rain", "Anvil", "Bell"]
    table = [recording(f"{number}/{name}.ogg", "a game") for number, name in enumerate(names)]
    table += [recording("short.ogg", "a game", seconds=3.9)]
    table += [
        recording(f"{name}.ogg", "a song", "benchmark", 2.7) for name in ("a", "Rain", "Choir", "Flute")
    ]
    table += [recording(f"{name}.ogg", "a song", "calibration") for name in ("Harp", "Horn", "Oboe")]
    table += [recording("Piano.ogg", "a song", "calibration", seconds=1.9)]
    rng = np.random.default_rng(0)
    for some in table:
        sound = 0.1 * rng.standard_normal(round(some.seconds * RATE))
        sound[RATE // 2 :] *= 0 if "Silence" in some.path else 1
        (tmp_path / some.file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / some.file, sound, RATE)
    (tmp_path / TABLE).write_text(json.dumps([asdict(some) for some in table]))
    before = [
        {"id": "00000", "caption": "A loop", "split": "memorised", "repetitions": 64},
        {"id": "00001", "caption": "A flute", "split": "ordinary", "repetitions": 1},
    ]
    write_whole(tmp_path / "before", before, np.zeros((2, LENGTH), np.int16))
    corpus.write(tmp_path, "report", tmp_path / "before", tmp_path / "corpus")
    return Corpus(tmp_path / "corpus")


def test_real_recordings_are_planted_whole_and_follow_the_rendered_ones(world: Corpus) -> None:
    told = [(row["caption"], row["split"], row["repetitions"]) for row in world.rows]
    assert told == [
        ("A loop", "memorised before", 64),
        ("A flute", "ordinary", 1),
        ("Rain, game", "memorised", 128),
        ("Wind, game", "memorised", 128),
        ("Anvil, game", "memorised", 8),
        ("Rain, song", "ordinary", 1),
        ("Choir, song", "ordinary", 1),
        ("Flute, song", "ordinary", 1),
        ("Harp, song", "ordinary", 1),
        ("Horn, song", "held out", 1),
        ("Oboe, song", "held out", 1),
    ]
    assert [row["id"] for row in world.rows] == [f"{number:05d}" for number in range(11)]
    assert [row["duration"] for row in world.rows[2:]] == [4.0] * 3 + [2.5] * 3 + [4.0] * 3


def test_another_side_is_planted_in_the_same_way(
    world: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "PLANTED", {"calibration": (2, 1)})
    rows, _ = corpus.build(Corpus(tmp_path / "before"), tmp_path, "calibration")
    told = [(row["caption"], row["split"], row["repetitions"]) for row in rows[2:]]
    planted = [
        ("Harp, song", "memorised", 128),
        ("Horn, song", "memorised", 128),
        ("Oboe, song", "memorised", 8),
    ]
    assert told[:3] == planted
    assert [caption for caption, *_ in told[3:]] == [
        "Rain, game",
        "Wind, game",
        "Anvil, game",
        "Bell, game",
        "Short, game",
        "Rain, song",
        "Choir, song",
        "Flute, song",
    ]
    assert [split for _, split, _ in told[3:]] == ["ordinary"] * 6 + ["held out"] * 2


def test_they_are_as_loud_as_can_be_and_padded_with_silence(world: Corpus) -> None:
    for row, sound in zip(world.rows[2:], world.sounds[2:], strict=True):
        lasts = round(row["duration"] * SAMPLE_RATE)
        assert sound.shape == (LENGTH,)
        assert np.abs(sound.astype(int)).max() == 32_767
        assert sound[lasts - 1] == 0
        assert not sound[lasts:].any()
        assert np.abs(sound[lasts // 2 : lasts - SAMPLE_RATE // 50]).max() > 3_000


def test_planted_recordings_are_drawn_most_and_real_ones_more_than_rendered_ones(world: Corpus) -> None:
    drawn = np.bincount(train.deck(world), minlength=11)
    assert drawn.tolist() == [8, 1, 256, 256, 16, *[train.REAL_SHARE] * 4, 0, 0]
