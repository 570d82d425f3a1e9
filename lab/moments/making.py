"""Makes the training material: real recordings and rendered families, each treated in several ways.

Real recordings are of the calibration's side, of `SOURCES`: the weights have heard these, so a calibration
that uses the network leaves them out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lab import real_sound
from lab.alterations import SAMPLE_RATE as FULL_RATE
from lab.alterations import at_rate
from lab.audit_material import Specimen, family
from lab.moments.material import Material
from lab.moments.treatments import drawn
from unheard.auditing.envelopes import centred, cosine, envelopes, levels
from unheard.auditing.features import SAMPLE_RATE
from unheard.auditing.moment_network import AROUND, RANGE

SOURCES = (
    "drum_kits_of_Artemiy_Pavlov",
    "drum_kits_of_Vladimir_Sadovnikov",
    "fillets-ng-data",
    "frozen-bubble-data",
    "funnyboat",
    "heroes-sound-effects",
    "hex-a-hop-data",
    "lmms-common",
    "marsshooter-data",
    "pinball-data",
    "pokerth-data",
    "supersonic-scsynth-samples",
    "zaz-data",
)
FAMILIES, MEMBERS, DURATIONS = 850, 3, (3.0, 4.0, 5.5)
"""Rendered families, sounds of each, and seconds that they last."""
DRAWS, EXCERPT = 4, 7.0
"""How often each real recording is drawn, and of how many seconds at most."""
MADE_ANEW = {True: 3, False: 2}
"""Treatments of a real sound, and of a rendered one."""
SHORTEST = 20
"""Frames of the shortest sound: .5 s."""
UNDER = 6.0
"""Decibels below what the network hears that are kept."""
ALIKE = 0.8
"""Correlation of envelopes above which sounds of one family are not counted as different."""


def make(real: Path, rng: np.random.Generator, families: int = FAMILIES) -> Material:
    """The material of real recordings, from `python -m lab.real_sound --out REAL`, and rendered families."""
    sounds, rows = [], []
    for specimen in [*recordings(real, rng), *rendered(families, rng)]:
        sound = at_rate(specimen.sound, FULL_RATE, SAMPLE_RATE)
        sound = np.ascontiguousarray(sound / np.abs(sound).max(), np.float32)
        treated = drawn(sound, MADE_ANEW[specimen.kind != "rendered"], rng)
        found = [_envelopes(version) for version in (sound, *treated) if np.isfinite(version).all()]
        frames = min(map(len, found))
        if len(found) > 1 and frames >= SHORTEST:
            sounds.append(specimen)
            rows.append(np.stack([_below(version)[:frames] for version in found]))
    return _packed(sounds, rows)


def recordings(folder: Path, rng: np.random.Generator) -> Iterator[Specimen]:
    """Excerpts of the recordings of `SOURCES`, from anywhere in them."""
    for some in real_sound.specimens(folder, "calibration"):
        if some.name.split("/")[0] not in SOURCES:
            continue
        length = min(len(some.sound), round(EXCERPT * FULL_RATE))
        for _ in range(DRAWS if length < len(some.sound) else 1):
            start = int(rng.integers(0, len(some.sound) - length + 1))
            excerpt = some.sound[start : start + length]
            if np.abs(excerpt).max() > 1e-3:
                yield replace(some, sound=excerpt)


def rendered(families: int, rng: np.random.Generator) -> Iterator[Specimen]:
    """Families of a world of their own."""
    for number in range(families):
        yield from family(f"moments {number}", MEMBERS, float(rng.choice(DURATIONS)))


def _envelopes(sound: np.ndarray) -> np.ndarray:
    waveform = torch.from_numpy(np.ascontiguousarray(sound, np.float32))
    decibels: np.ndarray = envelopes(waveform - waveform.mean()).numpy()
    return decibels


def _below(decibels: np.ndarray) -> np.ndarray:
    """Decibels below the loudest, uint8 [frames, BANDS]; what the network does not hear is cut off."""
    loudest = torch.from_numpy(decibels.max(axis=1))[None]
    around = F.max_pool1d(loudest, 2 * AROUND + 1, 1, AROUND)[0].numpy()
    floor = np.maximum(around, around.max() - RANGE) - RANGE - UNDER
    kept = np.maximum(decibels, floor[:, None])
    coded: np.ndarray = np.clip(np.round(kept.max() - kept), 0, 255).astype(np.uint8)
    return coded


def _packed(sounds: list[Specimen], rows: list[np.ndarray]) -> Material:
    versions = np.array([len(some) for some in rows])
    frames = np.array([some.shape[1] for some in rows])
    return Material(
        below=np.concatenate([some.reshape(-1, some.shape[2]) for some in rows]),
        first=np.concatenate([[0], np.cumsum(versions * frames)[:-1]]),
        frames=frames,
        versions=versions,
        family=np.unique([some.family for some in sounds], return_inverse=True)[1],
        piece=np.unique([some.piece for some in sounds], return_inverse=True)[1],
        real=np.array([some.kind != "rendered" for some in sounds]),
        alike=np.array(list(_alike(sounds, rows)), int).reshape(-1, 2).T,
    )


def _alike(sounds: list[Specimen], rows: list[np.ndarray]) -> Iterator[tuple[int, int]]:
    members: dict[str, list[int]] = defaultdict(list)
    for number, some in enumerate(sounds):
        for other in members[some.family]:
            frames = min(rows[number].shape[1], rows[other].shape[1])
            pair = [levels(-rows[n][0, :frames].astype(float), RANGE) for n in (number, other)]
            ours, theirs = map(centred, pair)
            if some.piece != sounds[other].piece and cosine(ours, theirs) > ALIKE:
                yield other, number
        members[some.family].append(number)
