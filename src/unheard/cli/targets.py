"""What a command writes, compared before any work with what is there and with what it reads.

A file that is there stays, whoever wrote it. With `--overwrite` it is replaced, but never an input of the
command. Without, only what the same request would write again is: its sounds, and the tables and pictures of
its own folder of results. An empty file counts as none. Links are resolved on both sides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

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
        is_again: whether what is there is what the same request writes again.
    """

    path: Path
    is_again: Callable[[Path], bool] = lambda _: False

    @property
    def is_taken(self) -> bool:
        """Whether there is something that is to stay."""
        there = os.path.exists(self.path) and (os.path.isdir(self.path) or os.path.getsize(self.path) > 0)
        return there and not self.is_again(self.path)


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
            and is to stay (without `overwrite`).
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
        if not overwrite and target.is_taken:
            otherwise = "move it away" if overwrite is None else "replace it with --overwrite"
            raise InputError(f"cannot write {path}: it is there already; choose another name, or {otherwise}")


def first_free(path: Path) -> Path:
    """The path, or with the next free number: NAME-1, NAME-2 ..."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(1))
    return next(each for each in chain([path], numbered) if not os.path.lexists(each))


def sound_targets(
    path: Path,
    expected: Callable[[], Mapping[str, Any]] | None = None,
    *,
    latents: bool = False,
    as_float: bool = False,
) -> list[Target]:
    """A sound and its provenance beside it, and its latents if they are asked for.

    Args:
        path: of the sound.
        expected: what its record will say; as long as it is None, every sound with a record is taken for that
            of the same request.
        latents: whether they are written.
        as_float: whether the sound's samples are written as floats.
    """
    record = path.with_suffix(".json")

    def is_again(_: Path) -> bool:
        if expected is None or not provenance.is_record(record):
            return provenance.is_record(record)
        try:
            there = provenance.read(record)
        except InputError:  # of a version to come
            return False
        result = there["result"]
        is_alike = (result.get("file"), result["encoding"] == "float") == (path.name, as_float)
        return is_alike and provenance.is_same_request(there, expected())

    written = [path, record, *([latents_beside(path)] if latents else [])]
    return [Target(each, is_again) for each in written]


def latents_beside(path: Path) -> Path:
    """Where the latents of a sound are written."""
    return path.with_suffix(".latents.safetensors")


def results_targets(out: Path, names: Iterable[str], *, goes_on: bool = True) -> list[Target]:
    """Files in a folder of results, made again if what was generated lies beside them.

    Args:
        out: the folder.
        names: of the files.
        goes_on: whether what was generated there is what the command asks for, or part of it.
    """
    return [Target(out / name, lambda _: goes_on and (out / "parts").is_dir()) for name in names]


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
