"""What a command writes, compared with what it reads before any work: no input is written over.

A file that is there is replaced if it is what unheard itself writes there. Anything else is replaced with
`--overwrite` only, and an input of the command never. Links are resolved on both sides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unheard.backbones.native.layout import is_checkpoint
from unheard.cli.files import check_writable
from unheard.common.files import files_in
from unheard.common.sound_endings import is_sound
from unheard.errors import InputError
from unheard.generation import provenance


@dataclass(frozen=True)
class Target:
    """A file that a command writes.

    Attributes:
        path: where to.
        is_ours: whether a file that is there is of the kind that unheard writes there.
    """

    path: Path
    is_ours: Callable[[Path], bool]

    @property
    def is_foreign(self) -> bool:
        """Whether there is something that unheard did not write."""
        there = os.path.exists(self.path) and (os.path.isdir(self.path) or os.path.getsize(self.path) > 0)
        return there and not self.is_ours(self.path)


@dataclass(frozen=True)
class Input:
    """A file or a folder that a command reads.

    Attributes:
        name: as it was given; what is no path on this machine is no input here.
        what: what it is to the command, such as "the index".
        whole: whether every file of a folder is read, and not its sounds alone.
    """

    name: str | Path
    what: str
    whole: bool = False

    def reads(self, target: Path) -> bool:
        """Whether `target` is this file, or one of this folder's."""
        if _is_same(target, self.name):
            return True
        if not os.path.isdir(self.name) or not os.path.exists(target):
            return False
        real = os.path.realpath(target)
        if self.whole:
            return Path(real).is_relative_to(os.path.realpath(self.name))
        return is_sound(os.path.basename(real)) and any(
            os.path.realpath(path) == real for path in files_in(self.name, hidden=True) if is_sound(path)
        )


def inputs(names: Iterable[str | Path | None], what: str, *, whole: bool = False) -> Iterator[Input]:
    """The inputs among some options, of which those that were not given are None."""
    for name in names:
        if name is not None:
            yield Input(name, what, whole)


def inputs_of_model(
    model: str,
    index: str | None,
    lora: Iterable[tuple[str, float]] | None,
    text_encoder: str | None,
    embedder: str | None,
) -> Iterator[Input]:
    """What a command reads that makes something for a model, which may come to lie in the model's folder."""
    yield from inputs([index], "the index", whole=True)
    yield from inputs([path for path, _ in lora or ()], "a LoRA")
    yield from inputs([model] if is_checkpoint(model) else [], "the model")
    yield from inputs([text_encoder, embedder], "a part of the model", whole=True)


def check_targets(targets: Sequence[Target], read: Iterable[Input], *, overwrite: bool | None) -> None:
    """Find out before any work what must not be written.

    Args:
        targets: what the command writes.
        read: what it reads.
        overwrite: whether `--overwrite` was given; None for a command that has no such option.

    Raises:
        InputError: a file cannot be written, is an input of the command, is to be written twice, or is there
            and is none of ours (without `overwrite`).
    """
    check_writable(target.path for target in targets)
    known = list(read)
    seen: dict[str, Path] = {}
    for target in targets:
        path = target.path
        if (one := next((one for one in known if one.reads(path)), None)) is not None:
            named = "" if str(one.name) == str(path) else f" ({one.name})"
            raise InputError(
                f"cannot write {path}: it is {one.what} that is read{named}; choose another name"
            )
        if (other := seen.setdefault(os.path.realpath(path), path)) is not path:
            raise InputError(f"cannot write {path}: {other} is written there, too; choose another name")
        if not overwrite and target.is_foreign:
            otherwise = "move it away" if overwrite is None else "replace it with --overwrite"
            raise InputError(
                f"cannot write {path}: it is there, and unheard did not write it; choose another name, or "
                f"{otherwise}"
            )


def sound_targets(path: Path, *, latents: bool = False) -> list[Target]:
    """A sound and its provenance beside it, and its latents if they are asked for."""
    beside = [Target(latents_beside(path), lambda _: is_generated(path))] if latents else []
    return [Target(path, is_generated), Target(path.with_suffix(".json"), provenance.is_record), *beside]


def latents_beside(path: Path) -> Path:
    """Where the latents of a sound are written."""
    return path.with_suffix(".latents.safetensors")


def results_targets(out: Path, names: Iterable[str]) -> list[Target]:
    """Files in a folder of results, which are ours if what was generated lies beside them."""
    return [Target(out / name, lambda path: (out / "parts").is_dir()) for name in names]


def is_generated(path: Path) -> bool:
    """Whether a sound has its provenance beside it."""
    return provenance.is_record(path.with_suffix(".json"))


def shows(pattern: bytes) -> Callable[[Path], bool]:
    """Whether a file begins as a pattern says."""

    def is_ours(path: Path) -> bool:
        try:
            with open(path, "rb") as file:
                return re.match(pattern, file.read(1024), re.DOTALL) is not None
        except OSError:
            return False

    return is_ours


def _is_same(one: str | Path, other: str | Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    with suppress(OSError):
        return os.path.samefile(one, other)
    return False
