"""Renders the corpus: `python -m lab.corpus --out build/lab/corpus` (the same bytes each time).

Scores (`score.py`) are played by `tinysoundfont` from FluidR3 GM (MIT licence; Debian: `fluid-soundfont-gm`)
at 48 kHz, mixed to mono, decimated to 16 kHz, divided by their peak. Of sounds that are too alike
(`likeness.py`) only the first is kept, so that what repeats in the training set repeats on purpose. Written:
`sounds.npy` (int16, one padded row a sound), `corpus.json` (caption, split, repetitions, ... a row).
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tinysoundfont
import torch
from scipy.signal import resample_poly

from lab import likeness, score
from lab.corpus_files import as_float, as_samples
from lab.instruments import DRUM_CHANNEL_BANK
from lab.memorised import MEMORISED, of_size, take

SOUND_FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
RENDER_RATE, SAMPLE_RATE = 48_000, 16_000
LENGTH = 65_536  # samples of a padded row: 4.096 s, the bundled model's full length
TOO_ALIKE = 0.85
SIZES = {"smoke": (14, 8), "cpu": (2_560, 240), "gpu": (2_560, 240)}  # training sounds, held-out sounds


class Player:
    """A General MIDI synthesizer that plays one clip at a time, silence between them: no tail leaks."""

    def __init__(self, sound_font: str = SOUND_FONT) -> None:
        if not Path(sound_font).is_file():
            raise SystemExit(f"no sound font at {sound_font}: apt-get install fluid-soundfont-gm")
        self.synth = tinysoundfont.Synth(gain=-6, samplerate=RENDER_RATE)
        self.font = self.synth.sfload(sound_font)

    def render(self, clip: score.Clip) -> np.ndarray:
        """`clip` as int16 at 16 kHz, `round(duration * 16000)` samples, peak at full scale."""
        channel = 9 if clip.drums else 0
        bank = DRUM_CHANNEL_BANK if clip.drums else 0
        self.synth.program_select(channel, self.font, bank, clip.program, clip.drums)
        events = [(note.onset, 1, note) for note in clip.notes]
        events += [(note.release, 0, note) for note in clip.notes]
        pieces, position = [], 0
        for time, on, note in sorted(events, key=lambda event: (event[0], event[1], event[2].key)):
            at = round(time * RENDER_RATE)
            pieces.append(self._play(at - position))
            position = at
            if on:
                self.synth.noteon(channel, note.key, note.velocity)
            else:
                self.synth.noteoff(channel, note.key)
        pieces.append(self._play(round(clip.duration * RENDER_RATE) - position))
        self.synth.sounds_off(channel)
        while self._play(RENDER_RATE // 10).any():
            pass
        mono = np.concatenate(pieces).reshape(-1, 2).mean(axis=1)
        sound = resample_poly(mono.astype(np.float64), 1, RENDER_RATE // SAMPLE_RATE)
        return as_samples(sound)

    def _play(self, samples: int) -> np.ndarray:
        if samples <= 0:
            return np.zeros(0, dtype=np.float32)
        return np.array(np.frombuffer(self.synth.generate(samples), dtype=np.float32))


class Shelf:
    """The sounds so far, by instrument, to tell whether a new one is too alike to one of them."""

    def __init__(self) -> None:
        self.features: dict[tuple[str, float], list[torch.Tensor]] = {}

    def admits(self, clip: score.Clip, sound: np.ndarray) -> bool:
        """Whether the clip's sound is like none that is there; it is put beside them if so."""
        features, known = _features(sound), self._like(clip.family, clip.program, clip.duration)
        if known and likeness.correlations(features, torch.cat(known)).max() > TOO_ALIKE:
            return False
        known.append(features)
        return True

    def put(self, row: dict, sound: np.ndarray) -> None:
        """Add the sound of a corpus' row, whatever is there."""
        self._like(row["family"], row["program"], row["duration"]).append(_features(sound))

    def _like(self, family: str, program: int, duration: float) -> list[torch.Tensor]:
        """Features of the sounds so far of one instrument and duration."""
        return self.features.setdefault((f"{family} {program}", duration), [])


def _features(sound: np.ndarray) -> torch.Tensor:
    return likeness.log_mel(as_float(sound[None]), range_db=50.0)


class Growing:
    """A corpus on its way: no caption twice, and no sound too alike to another of its instrument.

    Attributes:
        rows: one a sound.
        sounds: padded to `LENGTH`.
        captions: those that no ordinary sound may have any more.
    """

    def __init__(self, player: Player) -> None:
        self.rows: list[dict] = []
        self.sounds: list[np.ndarray] = []
        self.captions: set[str] = set()
        self._player, self._shelf = player, Shelf()

    def take_over(self, row: dict, sound: np.ndarray) -> None:
        """Put in a row of another corpus and its padded sound."""
        self._shelf.put(row, sound[: round(row["duration"] * SAMPLE_RATE)])
        self.rows.append(row)
        self.sounds.append(sound)
        self.captions.add(row["caption"])

    def add(self, clip: score.Clip, **more: object) -> bool:
        """Render a clip and put it in, with `more` in its row, unless it is too alike; whether it was."""
        sound = self._player.render(clip)
        if not self._shelf.admits(clip, sound):
            return False
        names = [field.name for field in dataclasses.fields(clip) if field.name != "notes"]
        row = {name: getattr(clip, name) for name in names}
        self.rows.append({"id": f"{len(self.rows):05d}", **row, **more})
        self.sounds.append(np.pad(sound, (0, LENGTH - len(sound))))
        return True

    def add_takes(self, clips: Iterable[score.Clip], takes: int, **more: object) -> None:
        """The first of some clips, of one caption, that are not too alike."""
        left = iter(clips)
        for _ in range(takes):
            while not self.add(clip := next(left), **more):
                pass
            self.captions.add(clip.caption)

    def add_ordinary(self, clips: Iterable[score.Clip], ordinary: int, held_out: int, **more: object) -> None:
        """So many clips whose captions are new and that are not too alike; the last are held out."""
        wanted = ordinary + held_out
        left = iter(clips)
        while wanted:
            clip = next(left)
            split = "held out" if wanted <= held_out else "ordinary"
            if clip.caption not in self.captions and self.add(clip, split=split, repetitions=1, **more):
                self.captions.add(clip.caption)
                wanted -= 1


def build(size: str, player: Player) -> tuple[list[dict], np.ndarray]:
    """The corpus of a `size`: rows (one a sound) and the sounds, padded to `LENGTH`."""
    growing = Growing(player)
    growing.captions |= {memorised.caption for memorised in MEMORISED}
    for memorised in of_size(size):
        repetitions = memorised.repetitions // memorised.takes
        clips = (take(memorised, seed) for seed in itertools.count())
        growing.add_takes(clips, memorised.takes, split="memorised", repetitions=repetitions)
    growing.add_ordinary(map(score.ordinary, itertools.count()), *SIZES[size])
    return growing.rows, np.stack(growing.sounds)


def write(size: str, folder: Path) -> None:
    """Renders the corpus of a `size` into `folder`; `corpus.json` comes last, when the sounds are there."""
    rows, sounds = build(size, Player())
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sounds.npy", sounds)
    (folder / "corpus.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} sounds, sha256 {hashlib.sha256(sounds.tobytes()).hexdigest()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="cpu", help="how many sounds (default: cpu)")
    parser.add_argument("--out", type=Path, default=Path("build/lab/corpus"), help="folder to write to")
    arguments = parser.parse_args()
    write(arguments.size, arguments.out)


if __name__ == "__main__":
    main()
