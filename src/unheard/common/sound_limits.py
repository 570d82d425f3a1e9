"""How much is read of one sound: a small file can speak of days, of terabytes, or of a sample an hour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from unheard.common.checks import require_above_zero, require_whole
from unheard.errors import InputError

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
"""Hertz that a sound's samples may come at; what is outside is a damaged header."""
MOST_CHANNELS = 256
LOUDEST = 1e10
"""What samples reach at most. Sounds lie within -1 to 1, and integers that were stored as floats below this;
powers of more are beyond float32."""


@dataclass(frozen=True)
class SoundLimits:
    """What one sound may be at most; what is more is left out, with the reason.

    Attributes:
        seconds: it may last, where all of it is in memory at once. An audit takes half a megabyte for each.
        samples: numbers (frames times channels) that it may have there: 4 bytes each, and some copies of one
            channel of them.
        read_seconds, read_samples: the same where it is read block by block, as in building.
    """

    seconds: float = 7_200.0
    samples: int = 1 << 29
    read_seconds: float = 43_200.0
    read_samples: int = 1 << 33

    def __post_init__(self) -> None:
        require_above_zero("seconds", self.seconds)
        require_whole("samples", self.samples, 1)
        require_above_zero("read_seconds", self.read_seconds)
        require_whole("read_samples", self.read_samples, 1)

    @property
    def bytes(self) -> int:
        """What a file may have at most: as many as the numbers that are read of it take as float64."""
        return 8 * self.read_samples

    def check_format(self, sample_rate: int, channels: int) -> None:
        """Raise InputError if these are none that a sound has."""
        if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise InputError(
                f"its sample rate is {sample_rate:,} Hz: only {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz are read"
            )
        if channels > MOST_CHANNELS:
            raise InputError(f"it has {channels:,} channels: at most {MOST_CHANNELS} are read")

    def check(self, frames: int, sample_rate: int, channels: int, *, held: bool) -> None:
        """Raise InputError if a sound of so many frames is more than is read.

        Args:
            frames: samples of one channel.
            sample_rate: in hertz.
            channels: of them.
            held: whether all of them are in memory at once.
        """
        longest, name = (self.seconds, "seconds") if held else (self.read_seconds, "read_seconds")
        if frames > longest * sample_rate:
            raise InputError(
                f"it lasts {frames / sample_rate:,.0f} s, more than the {longest:,.0f} s that are read "
                f"of a sound; cut it, or raise the limit (--longest, or {name} of unheard.sound_limits)"
            )
        most, name = (self.samples, "samples") if held else (self.read_samples, "read_samples")
        if frames * channels > most:
            option = "--most-samples, or " if held else ""
            raise InputError(
                f"it has {frames * channels:,} samples in its channels, more than the {most:,} that are read "
                f"of a sound; cut it, or raise the limit ({option}{name} of unheard.sound_limits)"
            )


DEFAULT_LIMITS = SoundLimits()
_current: ContextVar[SoundLimits] = ContextVar("unheard.sound_limits", default=DEFAULT_LIMITS)


def current_limits() -> SoundLimits:
    """Those in force."""
    return _current.get()


@contextmanager
def sound_limits(
    limits: SoundLimits | None = None,
    *,
    seconds: float | None = None,
    samples: int | None = None,
    read_seconds: float | None = None,
    read_samples: int | None = None,
) -> Iterator[SoundLimits]:
    """Other limits of how much is read of a sound, as long as the block lasts.

    Args:
        limits: in place of those in force.
        seconds, samples, read_seconds, read_samples: these of its attributes changed, see `SoundLimits`.

    Raises:
        InputError: a limit that is none.
    """
    before = limits or current_limits()
    wanted = SoundLimits(
        before.seconds if seconds is None else seconds,
        before.samples if samples is None else samples,
        before.read_seconds if read_seconds is None else read_seconds,
        before.read_samples if read_samples is None else read_samples,
    )
    token = _current.set(wanted)
    try:
        yield wanted
    finally:
        _current.reset(token)
