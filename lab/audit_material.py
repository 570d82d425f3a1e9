"""Sounds for the audit's calibration and benchmark, in families whose members are easily taken for copies.

A rendered family is one instrument (or kit and style), one key, tempo and register, and several phrases: each
is a hard negative for the others. Phrases that are written alike, note by note, are no negatives; they are
left out by the score (`written_alike`), which no measure of sound takes part in.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from lab import score
from lab.alterations import SAMPLE_RATE, at_rate, peak_one
from lab.corpus import SAMPLE_RATE as RENDERED_RATE
from lab.corpus import Player
from unheard.auditing.features import Signal

PASSAGE, ALIKE = 2.0, 0.8


@dataclass(frozen=True)
class Specimen:
    """A sound [time] at `SAMPLE_RATE`, its name, and the family whose members are hard negatives of it.

    Sounds of one `piece` may repeat one another, so they are never counted as different. `kind` is
    "rendered", or of real ones "excerpt" (of a longer piece), "sound", or "stroke" (of one instrument).
    """

    name: str
    family: str
    sound: np.ndarray
    piece: str
    kind: str = "rendered"


def as_signal(sound: np.ndarray) -> Signal:
    """A sound [time] at `SAMPLE_RATE` as the audit takes it."""
    return Signal(torch.from_numpy(np.ascontiguousarray(sound, np.float32))[None], SAMPLE_RATE)


def rendered(world: str, families: int, members: int, duration: float) -> Iterator[Specimen]:
    """Families drawn from a `world`, a text: other texts give other instruments, keys and phrases."""
    for number in range(families):
        yield from family(f"{world} {number}", members, duration)


def family(name: str, members: int, duration: float) -> Iterator[Specimen]:
    """One family, drawn from its name."""
    for member, clip in enumerate(clips(name, members, duration)):
        yield Specimen(f"{name}.{member}", name, played(clip), f"{name}.{member}")


def clips(name: str, members: int, duration: float) -> list[score.Clip]:
    """The scores of a family: the same instrument, key, tempo and kind of phrase; no passage in common."""
    kept: list[score.Clip] = []
    for seed in range(40):
        clip = _clip(name, seed, duration)
        if not any(written_alike(clip, other) for other in kept):
            kept.append(clip)
        if len(kept) == members:
            break
    return kept


def played(clip: score.Clip) -> np.ndarray:
    """A score as sound [time] at `SAMPLE_RATE`, peak 1."""
    return peak_one(at_rate(player().render(clip) / np.float32(32768), RENDERED_RATE, SAMPLE_RATE))


@lru_cache(maxsize=1)
def player() -> Player:
    return Player()


def _clip(family: str, seed: int, duration: float) -> score.Clip:
    shared, own = random.Random(family), random.Random(f"{family} {seed}")
    tempo = shared.choice(score.TEMPI)
    if shared.random() < 0.3:
        kit, style = shared.choice(tuple(score.KITS)), shared.choice(tuple(score.STYLES))
        return score.drum_clip(own, kit, style, tempo, duration, family)
    instrument, phrase = shared.choice(score.INSTRUMENTS), shared.choice(tuple(score.PHRASES))
    key, mode = shared.choice(score.KEYS), shared.choice(tuple(score.SCALES))
    register = shared.choice(tuple(score.REGISTERS))
    return score.pitched_clip(own, instrument, phrase, tempo, duration, family, key, mode, register)


def written_alike(one: score.Clip, other: score.Clip) -> bool:
    """Whether two clips share a passage, note by note, at any shift in time and up to two semitones.

    A passage begins with a common note and lasts `PASSAGE` seconds or more, and `ALIKE` of the notes of
    either are the other's too: three or more, or two slow ones that fill twice the time. Played by the same
    synthesizer, from the same samples, it sounds the same, and finding it is no false alarm.
    """
    step = 15.0 / one.tempo  # a sixteenth
    ours, theirs = ({(round(n.onset / step), n.key) for n in clip.notes} for clip in (one, other))
    length, width = round(one.duration / step), round(PASSAGE / step)
    edges = np.arange(length + 1)
    lasting = edges - edges[:-1, None]  # [first, end)
    least = np.where(lasting >= 2 * width, 2, 3)
    for up in range(-2, 3) if not one.drums else (0,):
        for shift in range(width - length, length - width + 1):
            moved = {(onset + shift, key + up) for onset, key in theirs}
            common, either = (
                np.bincount([onset for onset, _ in notes if 0 <= onset < length], minlength=length)
                for notes in (ours & moved, ours | moved)
            )
            upto, upto_either = (np.concatenate([[0], np.cumsum(notes)]) for notes in (common, either))
            shared = upto - upto[:-1, None]
            alike = (shared >= least) & (shared >= ALIKE * (upto_either - upto_either[:-1, None]))
            overlap = slice(max(0, shift), min(length, length + shift))
            passages = alike & (lasting >= width) & (common > 0)[:, None]
            if passages[overlap, overlap.start : overlap.stop + 1].any():
                return True
    return False


def pieces(files: dict[str, np.ndarray], duration: float, most: int) -> Iterator[Specimen]:
    """Recordings cut into pieces of `duration`, at most `most` spread over each; silent ones are left out.

    A recording repeats itself, so all pieces of one are of one family and never compared with one another.
    """
    length = round(duration * SAMPLE_RATE)
    for name, sound in files.items():
        count = min(len(sound) // length, most)
        for number in range(count):
            start = number * (len(sound) // count)
            piece = sound[start : start + length]
            if np.sqrt(np.mean(piece**2)) > 1e-3:
                yield Specimen(f"{name}.{number}", f"recording {name}", peak_one(piece), name, "excerpt")


def from_wheel(wheel: Path, endings: tuple[str, ...], least: float = 2.0) -> dict[str, np.ndarray]:
    """The sounds in a wheel that last `least` seconds or more, mono at `SAMPLE_RATE`, by file name."""
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(endings):
                continue
            with archive.open(name) as file:
                sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
            if len(sound) >= least * rate:
                found[Path(name).name] = at_rate(sound.mean(axis=1), rate, SAMPLE_RATE)
    return found
