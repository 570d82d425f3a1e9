"""What the audit is calibrated and measured with: altered sounds, and sounds that share nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from lab import alterations, real_sound, score
from lab.audit_material import Specimen, pieces, written_alike
from lab.calibrate_audit import NOTHING, compare, drawn, growth, heard, in_pieces, material, tail
from lab.moments.making import SOURCES as TRAINED_ON
from lab.real_sources import SOURCES, Side
from unheard.auditing import calibration
from unheard.auditing.evidence import EVIDENCES
from unheard.auditing.evidence.joint import Joint
from unheard.auditing.features import PERIOD, Signal


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    time = np.arange(2 * alterations.SAMPLE_RATE) / alterations.SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * 300 * time) * (time % 0.5 < 0.2)).astype(np.float32)


@pytest.mark.parametrize("name", alterations.ALTERATIONS)
def test_alterations_grow_and_stay_sounds(name: str, sound: np.ndarray) -> None:
    for change in alterations.ALTERATIONS[name]:
        altered = change(sound, np.random.default_rng(1))
        assert altered.dtype == np.float32
        assert altered.ndim == 1
        assert np.isfinite(altered).all()
        assert np.abs(altered).max() > 0.01
        assert len(altered) / len(sound) == pytest.approx(1, abs=0.09)
        assert np.array_equal(altered, change(sound, np.random.default_rng(1)))
        assert not np.array_equal(altered, sound)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.25, 0.5, 1.0]))
def test_a_passage_in_a_host_fills_its_share(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    host, own = np.full(40_000, 0.1, np.float32), rng.uniform(-1, 1, 40_000).astype(np.float32)
    mixed = alterations.insert(own, rng, host, share)
    assert len(mixed) == len(host)
    assert (np.abs(np.diff(mixed)) > 1e-6).mean() == pytest.approx(share, abs=0.001)


def test_phrases_that_are_written_alike() -> None:
    clip = score.ordinary(3)
    assert not clip.drums
    assert written_alike(clip, clip)
    higher = replace(clip, notes=tuple(replace(note, key=note.key + 2) for note in clip.notes))
    assert written_alike(clip, higher)
    elsewhere = replace(clip, notes=tuple(replace(note, key=note.key + 30) for note in clip.notes))
    assert not written_alike(clip, elsewhere)


@pytest.mark.parametrize(("keys", "seconds", "alike"), [
    ((60, 64, 67), 1.0, True),  # three notes of a second each
    ((60, 64), 2.5, True),  # two slow ones
    ((60, 64), 1.0, False),
    ((60,), 5.0, False),  # one held note is no passage
])  # fmt: skip
def test_slow_phrases_that_share_their_notes(keys: tuple[int, ...], seconds: float, alike: bool) -> None:
    def clip(before: int, after: int) -> score.Clip:
        line = [(0.0, before), *((1.0 + seconds * place, key) for place, key in enumerate(keys))]
        line.append((1.0 + seconds * len(keys), after))
        notes = tuple(score.Note(onset, onset + 0.5, key, 90) for onset, key in line)
        return score.Clip("", "bells", "xylophone", 13, False, "melody", "C major", 60, 10.0, notes)

    assert written_alike(clip(40, 90), clip(50, 100)) == alike


def test_pieces_of_one_recording_are_of_one_family(sound: np.ndarray) -> None:
    made: list[Specimen] = list(pieces({"a": np.tile(sound, 3), "quiet": 0 * sound}, 2.0, 3))
    assert [some.name for some in made] == ["a.0", "a.1", "a.2"]
    assert {some.family for some in made} == {"recording a"}
    assert all(len(some.sound) == 2 * alterations.SAMPLE_RATE for some in made)


def test_the_fitted_tail_of_a_known_distribution() -> None:
    scores = np.random.default_rng(0).exponential(2.0, 20_000)
    fitted = tail(list(scores))
    for value in (1.0, 4.0, 9.0, 14.0):
        assert fitted.rate(value) == pytest.approx(np.exp(-value / 2), rel=0.35)


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_the_growth_of_strengths_that_grow_by_a_known_power(power: float) -> None:
    rng = np.random.default_rng(0)
    seconds = rng.uniform(4, 16, 4_000)
    strengths = seconds**power * rng.lognormal(size=4_000)
    pairs = [
        replace(NOTHING, strength=strength, room=lasting / PERIOD)
        for strength, lasting in zip(strengths, seconds, strict=True)
    ]
    assert growth(pairs) == pytest.approx(power, abs=0.12)


def test_recordings_that_the_network_of_moments_knows_are_left_out(tmp_path: Path, sound: np.ndarray) -> None:
    of_side = {
        side: {source.name.replace(" ", "_") for source in SOURCES if source.side == side}
        for side in get_args(Side)
    }
    assert of_side["calibration"] > set(TRAINED_ON)
    rows = []
    for side, sources in of_side.items():
        for source in sorted(sources):
            file = f"{side}/{source}/a.flac"
            (tmp_path / file).parent.mkdir(parents=True)
            soundfile.write(tmp_path / file, sound, alterations.SAMPLE_RATE)
            where = {"package": source, "path": "a.wav", "pack": source, "piece": source, "kind": "sound"}
            last = {"licence": "CC0-1.0", "artist": None, "start": 0.0, "seconds": 1.0}
            rows.append({"file": file, "side": side, "source": source, **where, **last})
    (tmp_path / real_sound.TABLE).write_text(json.dumps(rows))
    names = {some.name for some in material(tmp_path, None, families=0, workers=1)}
    heard = set().union(*of_side.values()) - of_side["proof"] - set(TRAINED_ON)
    assert names == {f"{source}/a" for source in heard}


def specimen(name: str, sound: np.ndarray, kind: str = "excerpt", family: str = "pack") -> Specimen:
    return Specimen(name, family, sound, name, kind)


def test_versions_of_one_track_are_one_piece() -> None:
    rng = np.random.default_rng(0)
    first, second, third = rng.standard_normal((3, 4 * alterations.SAMPLE_RATE)).astype(np.float32)
    version, last = second.copy(), third.copy()
    version[50_000:110_000] = first[20_000:80_000]  # 1.36 s
    last[:30_000] = first[:30_000]  # .68 s
    sounds = [specimen("a", first), specimen("b", version), specimen("c", last)]
    elsewhere = specimen("d", first, family="another pack")
    pieces = [some.piece for some in in_pieces([*sounds, elsewhere])]
    assert pieces[0] == pieces[1]
    assert len(set(pieces)) == 3


def test_every_sort_of_sounds_is_drawn_as_often() -> None:
    silence = np.zeros(1, np.float32)
    kinds = ["rendered"] + 2 * ["generated", "recording"] + 40 * ["excerpt", "sound"]
    specimens = [specimen(str(number), silence, kind) for number, kind in enumerate(kinds)]
    rng = np.random.default_rng(0)
    positions = np.array([drawn(specimens, rng) for _ in range(3_000)])
    assert np.bincount(np.digitize(positions, [1, 5])) / 3_000 == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("later", [9_000, 0, -9_000])
def test_pairs_are_compared_as_the_audit_compares_them(sound: np.ndarray, later: int) -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(sound)).astype(np.float32)
    original = sound + 0.1 * noise * np.repeat(rng.random(len(sound) // 4410), 4410)
    copy = np.concatenate([np.zeros(max(0, later), np.float32), original[max(0, -later) :]])
    pair = compare("copy", "a", "a", "unaltered", heard(copy), heard(original))
    joint = Joint([kind() for kind in EVIDENCES.values()])
    piece, part = (
        joint.features(Signal(torch.from_numpy(some)[None], alterations.SAMPLE_RATE))
        for some in (copy, original)
    )
    (weighed,) = joint.weigh(piece, part)
    strength, room = pair.alignment.strength, pair.alignment.room
    assert {said.kind: said.score for said in weighed.parts} == {
        "altered copies": pytest.approx(calibration.default().alignment_score(strength, room)),
        "regenerated copies": pair.regenerated,
        "layered copies": pair.layered,
        "copied moments": pair.moments,
    }
    assert weighed.agreeing == pair.agreeing
