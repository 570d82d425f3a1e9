"""Where `generate` writes its sounds: as asked, or under the default name with the next free number.

What is there and is to stay (`targets`) is passed over under the default name, and refused under one that was
given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from unheard.cli.targets import Input, Target, check_targets, sound_targets
from unheard.common.sound_endings import WRITTEN
from unheard.errors import InputError

DEFAULT = "audio"


@dataclass(frozen=True)
class Destination:
    """Where some sounds go.

    Attributes:
        output: as it was asked for; None for the default name.
        ending: of the default name.
        numbers: of the sounds, as `Sound.number` has them.
        read: what the command reads, which is never replaced.
        latents: whether latents are written beside.
        as_float: whether samples are written as floats.
        overwrite: whether what unheard did not write may be replaced, and what others asked for.
    """

    output: Path | None
    ending: str
    numbers: Sequence[int]
    read: Sequence[Input]
    latents: bool
    as_float: bool
    overwrite: bool

    def paths(self, expected: Callable[[int], Mapping[str, Any]] | None = None) -> dict[int, Path]:
        """A path for each sound, that can be written.

        Args:
            expected: what a sound's record will say, by the sound's number; as long as it is None, sounds of
                other requests are not told from those of this one.

        Raises:
            InputError: another ending, the sound of another request, or see `check_targets`.
        """
        several = len(self.numbers) > 1
        if self.output is not None:
            if self.output.suffix.lower() not in WRITTEN:
                endings = " or ".join(WRITTEN)
                raise InputError(f"output is {self.output}: give a file name that ends in {endings}")
            if self.as_float and self.output.suffix.lower() != ".wav":
                raise InputError(
                    f"output is {self.output}, which holds no floats: end it in .wav for --float"
                )
            found = self._numbered(self.output, 1) if several else [self.output]
        else:
            found = self._first_free(expected)
        paths = dict(zip(self.numbers, found, strict=True))
        targets = [target for number in paths for target in self._targets(number, paths[number], expected)]
        check_targets(targets, self.read, overwrite=self.overwrite)
        return paths

    def moved(self, paths: Mapping[int, Path]) -> str | None:
        """What to say where the default name is that of other sounds, None where it is not."""
        first, here = self._candidates(0), [*paths.values()]
        if self.output is not None or here == first:
            return None
        there, now = (" to ".join(dict.fromkeys([str(of[0]), str(of[-1])])) for of in (first, here))
        return f"{there}: there is something else of that name; writing {now}"

    def _first_free(self, expected: Callable[[int], Mapping[str, Any]] | None) -> list[Path]:
        for attempt in count():
            found = self._candidates(attempt)
            if not any(map(self._is_taken, self.numbers, found, [expected] * len(found))):
                return found
        raise AssertionError

    def _candidates(self, attempt: int) -> list[Path]:
        """audio.wav, audio-1.wav, audio-2.wav ...; numbers that follow one another for several sounds."""
        output = Path(f"{DEFAULT}{self.ending}")
        if len(self.numbers) > 1:
            return self._numbered(output, attempt + 1)
        return [output] if attempt == 0 else self._numbered(output, attempt)

    def _numbered(self, output: Path, first: int) -> list[Path]:
        """The output with -1, -2 ... before its ending."""
        numbers = range(first, first + len(self.numbers))
        return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in numbers]

    def _is_taken(self, number: int, path: Path, expected: Callable[[int], Mapping[str, Any]] | None) -> bool:
        """Whether a file that must stay is at a path: what is read, or, as far as it is known, another's."""
        targets = self._targets(number, path, expected)
        if any(one.reads(target.path) for target in targets for one in self.read):
            return True
        return not self.overwrite and any(target.is_taken for target in targets)

    def _targets(
        self, number: int, path: Path, expected: Callable[[int], Mapping[str, Any]] | None
    ) -> list[Target]:
        record = None if expected is None else partial(expected, number)
        return sound_targets(path, record, latents=self.latents, as_float=self.as_float)
