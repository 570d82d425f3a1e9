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
import json
from pathlib import Path

import numpy as np
import tinysoundfont
import torch
from scipy.signal import resample_poly

from lab import likeness, score
from lab.corpus_files import as_float
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
        fade = np.linspace(1.0, 0.0, SAMPLE_RATE // 50)
        sound[-len(fade) :] *= fade  # a cut note would click
        return np.round(sound / max(np.abs(sound).max(), 1e-6) * 32_767).astype(np.int16)

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


def build(size: str, player: Player) -> tuple[list[dict], np.ndarray]:
    """The corpus of a `size`: rows (one a sound) and the sounds, padded to `LENGTH`."""
    ordinary, held_out = SIZES[size]
    rows: list[dict] = []
    sounds: list[np.ndarray] = []
    shelf, captions = Shelf(), {m.caption for m in MEMORISED}

    def add(clip: score.Clip, sound: np.ndarray, split: str, repetitions: int) -> None:
        names = [field.name for field in dataclasses.fields(clip) if field.name != "notes"]
        row = {name: getattr(clip, name) for name in names}
        rows.append({"id": f"{len(rows):05d}", **row, "split": split, "repetitions": repetitions})
        sounds.append(np.pad(sound, (0, LENGTH - len(sound))))

    for memorised in of_size(size):
        takes, seed = 0, 0
        while takes < memorised.takes:
            clip = take(memorised, seed)
            sound = player.render(clip)
            if shelf.admits(clip, sound):
                add(clip, sound, "memorised", memorised.repetitions // memorised.takes)
                takes += 1
            seed += 1
    wanted, seed = ordinary + held_out, 0
    while wanted:
        clip = score.ordinary(seed)
        seed += 1
        if clip.caption in captions:
            continue
        sound = player.render(clip)
        if not shelf.admits(clip, sound):
            continue
        captions.add(clip.caption)
        add(clip, sound, "held out" if wanted <= held_out else "ordinary", 1)
        wanted -= 1
    return rows, np.stack(sounds)


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
