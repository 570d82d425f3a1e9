"""Which sounds are meant: files, folders, and waveforms as Python has them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
import torch
from torch import Tensor

from unheard.common.files import files_in
from unheard.common.sound_endings import is_sound
from unheard.errors import InputError


class HasWaveform(Protocol):
    """A sound that says its rate, as `unheard.Sound` does."""

    @property
    def waveform(self) -> Tensor | np.ndarray: ...

    @property
    def sample_rate(self) -> int: ...


Waveform = tuple[Tensor | np.ndarray, int]
"""Floats, [channels, time] or [time], nominally within -1 to 1, and their sample rate in hertz."""
OneSound = str | Path | HasWaveform | Waveform
Sounds = OneSound | Iterable[OneSound]
"""A file, a folder (at any depth), a sound, a pair of array and rate, or several of these, mixed."""


def read_sounds(sounds: Sounds) -> list[Path | tuple[Tensor, int]]:
    """Files by their paths, waveforms as tensors [channels, time] with their rates, in the order given.

    Raises:
        InputError: something that is no sound, a path that does not exist, a folder without sounds, an array
            without a rate or not of floats, or no sound at all.
    """
    named: dict[str, object] = {"the sound": sounds}
    if not _is_one(sounds) and isinstance(sounds, Iterable):
        named = {f"sounds[{position}]": sound for position, sound in enumerate(sounds)}
    found: list[Path | tuple[Tensor, int]] = []
    for name, sound in named.items():
        found += sound_files(sound) if isinstance(sound, str | Path) else [_waveform(sound, name)]
    if not found:
        raise InputError("there are no sounds to audit: name a file or a folder")
    return found


def _is_one(sounds: object) -> bool:
    """Whether this is one sound, and not several."""
    return isinstance(sounds, str | Path | Tensor | np.ndarray) or _has_waveform(sounds) or _is_pair(sounds)


def _has_waveform(sound: object) -> TypeGuard[HasWaveform]:
    return hasattr(sound, "waveform") and hasattr(sound, "sample_rate")


def _is_pair(sound: object) -> TypeGuard[Waveform]:
    return isinstance(sound, tuple) and len(sound) == 2 and isinstance(sound[0], Tensor | np.ndarray)


def _waveform(sound: object, name: str) -> tuple[Tensor, int]:
    """A waveform as a tensor [channels, time], and its rate; `name` is what messages call it."""
    array: object
    rate: object
    if _has_waveform(sound):
        array, rate = sound.waveform, sound.sample_rate
    elif _is_pair(sound):
        array, rate = sound
    elif isinstance(sound, Tensor | np.ndarray):
        raise InputError(f"{name} is {_shown(sound)}, without a sample rate: give (array, rate)")
    else:
        raise InputError(f"{name} is {_shown(sound)}: give a path, what `generate` made, or (array, rate)")
    if isinstance(rate, bool) or not isinstance(rate, Integral):
        raise InputError(f"the sample rate of {name} is {_shown(rate)}: give a whole number of hertz")
    if isinstance(array, np.ndarray) and np.issubdtype(array.dtype, np.floating):
        waveform = torch.from_numpy(array.astype(np.float32))
    elif isinstance(array, Tensor) and array.is_floating_point():
        waveform = array.detach().float()
    else:
        raise InputError(f"{name} is {_shown(array)}: give floats, nominally within -1 to 1")
    return (waveform[None] if waveform.ndim == 1 else waveform), int(rate)


def _shown(value: object) -> str:
    """A value in a message of one line."""
    if isinstance(value, Tensor | np.ndarray):
        return f"an array {list(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} ({text if len(text) <= 40 else text[:37] + '...'})"


def sound_files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files meant by files and folders; a folder stands for the sounds in it, at any depth, sorted.

    Links to folders are followed, see `unheard.common.files.files_in`.

    Raises:
        InputError: a path does not exist, or a folder holds no sound.
    """
    found: list[Path] = []
    for given in [paths] if isinstance(paths, str | Path) else paths:
        path = Path(given)
        if os.path.isdir(path):
            files = files_in(path, hidden=True, broken=_warn_of_broken_link)
            inside = sorted(Path(file) for file in files if is_sound(file))
            if not inside:
                raise InputError(f"there is no sound in the folder {given}: name one with WAV, FLAC, MP3 ...")
            found += inside
        elif os.path.exists(path):
            found.append(path)
        else:
            raise InputError(f"there is no file or folder {given}: check the path")
    return found


def _warn_of_broken_link(path: str) -> None:
    warnings.warn(f"{path} is a link that leads nowhere: it is left out", stacklevel=5)
