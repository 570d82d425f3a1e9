"""Takes on disk: numbered, never overwritten, and read back as the history.

    take-7.wav            with guidance, and take-7.json with its provenance
    take-7-unguided.wav   from the same seed without, and take-7-unguided.json

A number is reserved by creating a hidden file of it, which the file system grants once. So two studios may
share a folder, and whatever is in it stays. What the history shows is read from the provenance alone.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unheard import audio
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.recorded import nearest_of, trace_of
from unheard.generation.sound import Fallback, Sound, TraceStep

GUIDED, UNGUIDED = "guided", "unguided"
"""The two sounds of a take."""
_NAME = re.compile(r"take-(\d+)(-unguided)?\.(wav|flac)")
LATENTS = ".latents.safetensors"
"""Ends the name of the latents of a sound."""
NAME = {GUIDED: "take-{number}{ending}", UNGUIDED: "take-{number}-unguided{ending}"}


@dataclass(frozen=True)
class Take:
    """What was made from one seed.

    Attributes:
        number: from 1.
        paths: of the sounds that there are, by `GUIDED` and `UNGUIDED`.
    """

    number: int
    paths: Mapping[str, Path]

    @property
    def record(self) -> dict[str, Any]:
        """The provenance of its first sound."""
        return provenance.read(next(iter(self.paths.values())).with_suffix(".json"))


@dataclass(frozen=True)
class Takes:
    """A folder of takes.

    Attributes:
        folder: theirs; made when the first is saved.
    """

    folder: Path

    def all(self) -> list[Take]:
        """Those that are there, the newest first."""
        return self._found("take-*")

    def _found(self, pattern: str) -> list[Take]:
        """Those whose files have such names."""
        found: dict[int, dict[str, Path]] = {}
        for path in self.folder.glob(pattern):
            if (match := _NAME.fullmatch(path.name)) and provenance.is_record(path.with_suffix(".json")):
                which = UNGUIDED if match[2] else GUIDED
                found.setdefault(int(match[1]), {})[which] = path
        return [
            Take(number, {which: found[number][which] for which in NAME if which in found[number]})
            for number in sorted(found, reverse=True)
        ]

    def take(self, number: int) -> Take:
        """One of them.

        Raises:
            InputError: it is not there.
        """
        for take in self._found(f"take-{number}[.-]*"):
            return take
        raise InputError(f"there is no take {number} in {self.folder}: see the history")

    def packed(self, number: int) -> bytes:
        """All files of a take as one ZIP: its sounds, their provenance, and latents where there are some.

        Raises:
            InputError: the take is not there, or cannot be read.
        """
        packed = io.BytesIO()
        try:
            with zipfile.ZipFile(packed, "w") as archive:  # sounds hardly get smaller
                for path in self.take(number).paths.values():
                    for file in (path, path.with_suffix(".json"), path.with_suffix(LATENTS)):
                        if file != path.with_suffix(LATENTS) or file.exists():
                            archive.write(file, file.name)
        except OSError as error:
            raise InputError(f"take {number} cannot be read: {error.strerror or error}") from error
        return packed.getvalue()

    def reserve(self) -> int:
        """A number that no take has, and none gets before it is released.

        Raises:
            InputError: nothing can be written to the folder.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            there = [int(match[1]) for path in self.folder.iterdir() if (match := _number(path))]
            number = max(there, default=0) + 1
            while not self._created(number):
                number += 1
        except OSError as error:
            raise InputError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        return number

    def save(self, number: int, which: str, sound: Sound, ending: str, *, as_float: bool = False) -> Path:
        """Write a sound of a take, with its provenance beside it; see `Sound.save`."""
        return sound.save(self.folder / NAME[which].format(number=number, ending=ending), float=as_float)

    def release(self, number: int) -> None:
        """Let go of a number: it is that of what was saved under it, and free if nothing was."""
        with suppress(OSError):
            self._placeholder(number).unlink()

    def _created(self, number: int) -> bool:
        try:
            self._placeholder(number).touch(exist_ok=False)
        except FileExistsError:
            return False
        if any(self.folder.glob(f"take-{number}[.-]*")):  # saved and released while we looked
            self.release(number)
            return False
        return True

    def _placeholder(self, number: int) -> Path:
        return self.folder / f".take-{number}"


def read_sound(path: Path, captions: Mapping[str, str]) -> Sound:
    """A saved sound with what happened to it, as it was when it was made.

    Args:
        path: of the WAV or FLAC; its JSON lies beside it.
        captions: of the training items, by id, for the one that a detour went on under.

    Raises:
        InputError: one of the two cannot be read.
    """
    record = provenance.read(path.with_suffix(".json"))
    waveform, rate = audio.read(path)
    trace = trace_of(record)
    return Sound(
        waveform=waveform,
        sample_rate=rate,
        prompt=record["prompt"],
        seed=record["seed"],
        trace=trace,
        nearest=nearest_of(record),
        provenance=record,
        fallback=_fallback(trace, captions),
    )


def _fallback(trace: list[TraceStep], captions: Mapping[str, str]) -> Fallback | None:
    """The caption that a sound ended under in place of its prompt's."""
    if not trace or trace[-1].prompt_weight is None:
        return None
    first = next(number for number, step in enumerate(trace, 1) if step.prompt_weight is not None)
    item, text = trace[-1].fallback, trace[-1].caption or ""
    return Fallback(item, text if item is None else captions.get(item, item), trace[-1].prompt_weight, first)


def _number(path: Path) -> re.Match[str] | None:
    return re.match(r"\.?take-(\d+)\b", path.name)
