"""A sound file decoded block by block, under limits, by libsndfile or FFmpeg; no torch in here.

Sounds that stand joined in one file are decoded one after the other, see `sound_containers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import soundfile

from unheard.common.callbacks import raised_afterwards
from unheard.common.sound_containers import Section, Stream, streams
from unheard.common.sound_endings import CONTAINERS, ending_of
from unheard.common.sound_limits import LOUDEST, SoundLimits, current_limits
from unheard.common.texts import plural
from unheard.errors import InputError

BLOCK = 1 << 21
"""Frames that are decoded at a time, about 44 s at 48 kHz; fewer where there are many channels."""
BLOCK_SAMPLES = 1 << 25
"""Samples of all channels that a block has at most: 128 MiB."""
UNKNOWN_FRAMES = 1 << 62
"""libsndfile tells the length of a stream that it cannot seek in as the largest there is."""
ALLOWED_SHORT = 0.5
"""Seconds by which what FFmpeg decodes may be shorter than announced: encoders add and drop some frames."""
CONVERT = "convert it to WAV or FLAC"


class EncodedSound:
    """A sound in an open file, ready to be decoded; more than once if need be.

    Args:
        file: of any format that libsndfile reads, or that FFmpeg reads where the package `av` is installed.
        name: of the file; its ending says what FFmpeg is to expect.
        limits: of what is read; those in force if left out.

    Attributes:
        sample_rate: in hertz.
        channels: of the sound.

    Raises:
        InputError: it is empty, cut short or no sound that can be read, or its format is none that a sound
            has. The message does not name the file.
    """

    def __init__(self, file: BinaryIO, name: str, limits: SoundLimits | None = None) -> None:
        self.limits = current_limits() if limits is None else limits
        self._file, self._name = file, name
        self._streams = streams(file)
        self._container = None
        try:
            formats = [self._format(stream) for stream in self._streams]
        except soundfile.SoundFileError as error:
            self._container = CONTAINERS.get(ending_of(name))
            if self._container is None:
                raise InputError(f"it is no sound that can be read ({_reason(error)}); {CONVERT}") from error
            self._streams = [Stream(0, file.seek(0, 2))]
            formats = [_ffmpeg_format(self._section(self._streams[0]), self._container, name)]
        self.sample_rate, self.channels = formats[0]
        for rate, channels in formats:
            self.limits.check_format(rate, channels)
            if (rate, channels) != formats[0]:
                raise InputError(
                    f"sounds of different formats are joined in it ({self.sample_rate:,} Hz with "
                    f"{plural(self.channels, 'channel')}, {rate:,} Hz with {channels}): split it"
                )

    def blocks(self, *, held: bool = False) -> Iterator[np.ndarray]:
        """The samples from the beginning, [frames, channels] at a time, float32.

        Args:
            held: whether they are all to be in memory at once: then the limit for that holds.

        Raises:
            InputError: it ends before its header says, it is damaged, a sample is not finite or beyond
                `LOUDEST`, or it is more than is read.
        """
        frames = 0
        for stream in self._streams:
            for block in self._decoded(stream, held):
                frames += len(block)
                self._check(frames, held)
                if not (block.min() >= -LOUDEST and block.max() <= LOUDEST):  # false for NaN, too
                    raise _no_samples(block, frames - len(block))
                yield block

    def _check(self, frames: int, held: bool) -> None:
        self.limits.check(frames, self.sample_rate, self.channels, held=held)

    def _section(self, stream: Stream) -> Section:
        return Section(self._file, stream)

    def _format(self, stream: Stream) -> tuple[int, int]:
        with raised_afterwards(), soundfile.SoundFile(self._section(stream)) as sound:
            return int(sound.samplerate), int(sound.channels)

    def _decoded(self, stream: Stream, held: bool) -> Iterator[np.ndarray]:
        if self._container is not None:
            yield from _ffmpeg_blocks(self._section(stream), self._container, self._name)
            return
        most = max(1, min(BLOCK, BLOCK_SAMPLES // self.channels))
        read = 0
        try:
            with raised_afterwards():
                opened = _OneWay(self._section(stream))
            with opened as sound:
                expected = sound.frames
                if expected < UNKNOWN_FRAMES and len(self._streams) == 1:
                    self._check(expected, held)
                length = min(most, max(expected, 1))
                while len(block := sound.block(length)):
                    read += len(block)
                    length = min(most, max(expected - read, 1))
                    yield block
        except soundfile.SoundFileError as error:
            raise InputError(
                f"it is damaged or truncated ({_reason(error)}, after {plural(read, 'sample')}); {CONVERT}"
            ) from error
        if read < expected < UNKNOWN_FRAMES:
            raise InputError(f"it is truncated: {read:,} of {expected:,} samples can be read; fetch it again")


def _no_samples(block: np.ndarray, before: int) -> InputError:
    """Where in a block, so many frames into a sound, is the first value that none has."""
    usable = (np.abs(block) <= LOUDEST).all(axis=1)
    position = int(usable.argmin())
    if np.isfinite(block[position]).all():
        most = np.abs(block[position]).max()
        return InputError(f"it reaches {most:.1e} at sample {before + position:,}: scale it to -1 to 1")
    return InputError(f"it holds NaN or infinity at sample {before + position:,}")


class _OneWay(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from front to back.

    The library seeks to where it is after every read of a file in which that can be done. In an MP3 this
    drops what a frame has in the frames before it.
    """

    def seekable(self) -> bool:
        return False

    def block(self, frames: int) -> np.ndarray:
        """The next samples, [frames, channels], fewer at the end."""
        with raised_afterwards():
            samples: np.ndarray = self.read(frames, dtype="float32", always_2d=True)
        return samples


def _reason(error: soundfile.SoundFileError) -> str:
    said = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return said[:1].lower() + said[1:] or "the decoder does not say why"


def _av(name: str) -> Any:
    """The package that brings FFmpeg; InputError, with how to install it, where it is not there."""
    try:
        import av
    except ImportError as error:
        raise InputError(
            f'reading .{ending_of(name)} takes FFmpeg: pip install "unheard[av]", or {CONVERT}'
        ) from error
    return av


def _ffmpeg_format(section: Section, container: str, name: str) -> tuple[int, int]:
    av = _av(name)
    try:
        with av.open(section, format=container, metadata_errors="replace") as file:
            stream = _first_sound(file)
            return int(stream.codec_context.sample_rate), int(stream.codec_context.channels)
    except Exception as error:  # its own, and Python's where a damaged file leaves something undefined
        raise _no_sound(error) from error


def _ffmpeg_blocks(section: Section, container: str, name: str) -> Iterator[np.ndarray]:
    av = _av(name)

    read = 0
    try:
        with av.open(section, format=container, metadata_errors="replace") as file:
            stream = _first_sound(file)
            announced = (
                float(stream.duration * stream.time_base)
                if stream.duration
                else (file.duration or 0) / av.time_base
            )
            planar = av.AudioResampler(format="fltp")
            for frame in chain(file.decode(stream), [None]):  # None gives what it holds back
                for block in planar.resample(frame):
                    read += block.samples
                    yield np.ascontiguousarray(block.to_ndarray().T)
            rate = int(stream.codec_context.sample_rate)
    except Exception as error:  # its own, and Python's where a damaged file leaves something undefined
        raise _no_sound(error) from error
    if read / rate < announced - ALLOWED_SHORT:
        raise InputError(
            f"it is truncated: {read / rate:.1f} of {announced:.1f} s can be read; fetch it again"
        )


def _first_sound(file: Any) -> Any:
    if not file.streams.audio:
        raise InputError("it holds no sound")
    return file.streams.audio[0]


def _no_sound(error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    said = str(getattr(error, "strerror", None) or error).strip().rstrip(".")
    return InputError(f"it is no sound that can be read ({said}); {CONVERT}")
