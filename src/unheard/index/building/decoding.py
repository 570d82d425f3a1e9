"""From a sound file to one channel at the embedder's rate, in a worker process and with bounded memory.

No torch in here: a worker that loads it is not ready before a small build is done.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Self, cast

import numpy as np
import soxr

from unheard.common.cancellation import ChannelPowers
from unheard.common.regular_files import open_regular
from unheard.common.sound_decoding import EncodedSound
from unheard.common.sound_limits import DEFAULT_LIMITS, SoundLimits
from unheard.errors import InputError
from unheard.index.building.recording import Recording, Reject

HELD_SAMPLES = 1 << 22
"""Samples up to which a decoded recording is handed over in memory; a longer one lies in a temporary file."""

HELD_BYTES = 1 << 24
"""Bytes up to which a shard's member is handed over in memory; a larger one lies in a temporary file."""


@dataclass(frozen=True)
class Job:
    """A recording to decode.

    Attributes:
        recording: what and where it is.
        sample_rate: hertz wanted.
        known_sha256: hash of the bytes that need no decoding, since they are in the index.
        scratch: folder for long recordings.
        limits: of what is read of it.
        file: in `scratch`, with the content of a large member; `decode` removes it.
    """

    recording: Recording
    sample_rate: int
    known_sha256: str | None
    scratch: str
    limits: SoundLimits = DEFAULT_LIMITS
    file: str | None = None

    def laid_down(self) -> Job | Reject:
        """The same, with a large content in a file: on its way to a worker it would be held four times."""
        content = self.recording.content
        if content is None or len(content) <= HELD_BYTES:
            return self
        try:
            handle, path = tempfile.mkstemp(".member", dir=self.scratch)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except OSError as error:
            return Reject(self.recording.source, error.strerror or str(error), self.recording.id)
        return replace(self, recording=replace(self.recording, content=None), file=path)


@dataclass
class Decoded:
    """A recording, decoded.

    Attributes:
        recording: where it came from, without its content.
        content_sha256: of the file's bytes.
        seconds: its length before resampling.
        samples: [time], float32, channels averaged (`unheard.common.cancellation`); or the path of a file of
            them.
        peak: largest absolute sample of the recording.
        starts: first samples of the windows, where this is a part of a recording; None for the windows that
            the embedder makes of a whole one.
    """

    recording: Recording
    content_sha256: str
    seconds: float
    samples: np.ndarray | str
    peak: float
    starts: list[int] | None = None

    def open(self) -> np.ndarray:
        """The samples; those of a long recording are read from its file as they are asked for."""
        if isinstance(self.samples, str):
            return np.memmap(self.samples, dtype=np.float32, mode="r")
        return self.samples

    def close(self) -> None:
        """Remove the file of a long recording."""
        if isinstance(self.samples, str):
            os.unlink(self.samples)


@dataclass(frozen=True)
class Unchanged:
    """A recording whose bytes are in the index already."""

    recording: Recording


def decode(job: Job) -> Decoded | Unchanged | Reject:
    """Read, check, average the channels and resample; what cannot be used is rejected with the reason."""
    recording = job.recording
    try:
        with _opened(job) as file:
            size = file.seek(0, os.SEEK_END)
            if size > job.limits.bytes:
                raise InputError(f"it has {size:,} bytes: at most {job.limits.bytes:,} are read of a sound")
            file.seek(0)
            digest = hashlib.file_digest(cast(io.BytesIO, file), "sha256").hexdigest()
            light = replace(recording, content=None)
            if digest == job.known_sha256:
                return Unchanged(light)
            return _decoded(light, digest, EncodedSound(file, recording.source, job.limits), job)
    except OSError as error:
        return Reject(recording.source, error.strerror or str(error), recording.id)
    except InputError as error:
        return Reject(recording.source, str(error), recording.id)
    finally:
        if job.file is not None:
            os.unlink(job.file)


def _opened(job: Job) -> BinaryIO:
    content = job.recording.content
    return open_regular(job.file or job.recording.source) if content is None else io.BytesIO(content)


def _decoded(recording: Recording, digest: str, sound: EncodedSound, job: Job) -> Decoded:
    powers = ChannelPowers(sound.channels)
    decoded = _mixed(recording, digest, sound, job, powers)
    if (loudest := powers.loudest_instead()) is None:
        return decoded
    decoded.close()
    return _mixed(recording, digest, sound, job, powers, loudest)


def _mixed(
    recording: Recording,
    digest: str,
    sound: EncodedSound,
    job: Job,
    powers: ChannelPowers,
    channel: int | None = None,
) -> Decoded:
    """The mean of the channels, whose powers are counted on the way, or one channel."""
    read = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal read
        for block in sound.blocks():
            read += len(block)
            if channel is not None:
                yield np.ascontiguousarray(block[:, channel])
                continue
            # Channel by channel: NumPy's own mean over a short last axis takes longer than decoding.
            mean = sum(block.T[1:], start=block[:, 0]) / np.float32(block.shape[1])
            if block.shape[1] > 1:
                powers.add(block, mean)
            yield mean

    rate = sound.sample_rate
    with _Samples(job.scratch) as samples:
        for piece in resampled(blocks(), rate, job.sample_rate):
            samples.append(piece)
        if not read:
            raise InputError("it holds no samples")
        if not samples.count:
            raise InputError(f"it is too short: {read} samples at {rate} Hz are none at {job.sample_rate} Hz")
        return Decoded(recording, digest, read / rate, samples.take(), samples.peak)


class _Samples:
    """Samples in memory or, where they become many, in a file that is removed unless it is taken."""

    def __init__(self, scratch: str) -> None:
        self.count, self.peak = 0, 0.0
        self._scratch = scratch
        self._pieces: list[np.ndarray] = []
        self._file: BinaryIO | None = None
        self._path = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            os.unlink(self._path)

    def append(self, piece: np.ndarray) -> None:
        self.count += len(piece)
        self.peak = max(self.peak, float(np.abs(piece).max(initial=0.0)))
        if self._file is None and self.count > HELD_SAMPLES:
            handle, self._path = tempfile.mkstemp(".f32", dir=self._scratch)
            self._file = os.fdopen(handle, "wb")
            for held in self._pieces:
                self._file.write(held.tobytes())
            self._pieces = []
        if self._file is None:
            self._pieces.append(piece)
        else:
            self._file.write(piece.tobytes())

    def take(self) -> np.ndarray | str:
        """All samples, or the path of the file that holds them."""
        if self._file is None:
            return np.concatenate(self._pieces)
        self._file.close()
        self._file = None
        return self._path


def resampled(blocks: Iterable[np.ndarray], old_rate: int, new_rate: int) -> Iterator[np.ndarray]:
    """Band-limited resampling (libsoxr, high quality) of a recording that comes in blocks [time], float32.

    Gives floor(samples * new_rate / old_rate) samples in all, the same in every run.
    """
    if old_rate == new_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(old_rate, new_rate, 1)
    read = given = 0
    for block in blocks:
        read += len(block)
        piece = stream.resample_chunk(block)
        given += len(piece)
        yield piece
    rest = stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
    yield rest[: read * new_rate // old_rate - given]
