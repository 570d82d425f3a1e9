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
import soundfile
import soxr

from unheard.errors import InputError
from unheard.index.building.recording import OTHER_SOUNDS, Recording, Reject

BLOCK = 1 << 21
"""Samples of a recording that are decoded and resampled at a time, about 44 s at 48 kHz."""

HELD_SAMPLES = 1 << 22
"""Samples up to which a decoded recording is handed over in memory; a longer one lies in a temporary file."""


@dataclass(frozen=True)
class Job:
    """A recording to decode.

    Attributes:
        recording: what and where it is.
        sample_rate: hertz wanted.
        known_sha256: hash of the bytes that need no decoding, since they are in the index.
        scratch: folder for long recordings.
    """

    recording: Recording
    sample_rate: int
    known_sha256: str | None
    scratch: str


@dataclass
class Decoded:
    """A recording, decoded.

    Attributes:
        recording: where it came from, without its content.
        content_sha256: of the file's bytes.
        seconds: its length before resampling.
        samples: [time], float32, channels averaged; or the path of a file of them.
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
        with _opened(recording) as file:
            digest = hashlib.file_digest(cast(io.BytesIO, file), "sha256").hexdigest()
            size = file.seek(0, os.SEEK_END)
            light = replace(recording, content=None)
            if digest == job.known_sha256:
                return Unchanged(light)
            if not size:
                raise InputError("the file is empty")
            file.seek(0)
            if _is_truncated_wav(file, size):
                raise InputError("it is truncated: it is shorter than its header says")
            file.seek(0)
            return _decoded(light, digest, file, job)
    except OSError as error:
        return Reject(recording.source, error.strerror or str(error), recording.id)
    except InputError as error:
        return Reject(recording.source, str(error), recording.id)
    except soundfile.SoundFileError as error:
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        ending = recording.source.rpartition(".")[2].lower()
        advice = "; convert it to WAV or FLAC" if ending in OTHER_SOUNDS else ""
        reason = f"it is no sound that can be read ({reason}){advice}"
        return Reject(recording.source, reason, recording.id)


def _opened(recording: Recording) -> BinaryIO:
    return open(recording.source, "rb") if recording.content is None else io.BytesIO(recording.content)


def _decoded(recording: Recording, digest: str, file: BinaryIO, job: Job) -> Decoded:
    with soundfile.SoundFile(file) as sound, _Samples(job.scratch) as samples:
        rate, expected = sound.samplerate, sound.frames
        read = 0

        def blocks() -> Iterator[np.ndarray]:
            nonlocal read
            for block in _mono(sound):
                read += len(block)
                yield block

        for piece in resampled(blocks(), rate, job.sample_rate):
            samples.append(piece)
        problem = _problem(read, expected, samples.count, rate, job.sample_rate)
        if problem is not None:
            raise InputError(problem)
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


def _problem(read: int, expected: int, count: int, rate: int, wanted_rate: int) -> str | None:
    if not read:
        return "it holds no samples"
    # libsndfile tells the length of a stream that it cannot seek in as the largest there is.
    if read < expected < 1 << 62:
        return f"it is truncated: {read:,} of {expected:,} samples can be read"
    if not count:
        return f"it is too short: {read} samples at {rate} Hz are none at {wanted_rate} Hz"
    return None


def _mono(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """The mean of the channels in blocks; InputError where a sample is not finite."""
    position = 0
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        # Channel by channel: NumPy's own mean over a short last axis takes longer than decoding.
        mono = sum(block.T[1:], start=block[:, 0]) / np.float32(block.shape[1])
        if not np.isfinite(mono.sum()):
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                raise InputError(f"it holds NaN or infinity at sample {position + int(finite.argmin()):,}")
        position += len(block)
        yield mono


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


def _is_truncated_wav(file: BinaryIO, size: int) -> bool:
    """Whether a RIFF WAVE announces more samples than there are bytes: libsndfile reads it without a word.

    Lengths of 0 or close to 4 GiB are what programs write that cannot know the length beforehand.
    """
    header = file.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"WAVE":
        return False
    while len(chunk := file.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return 0 < length < 0x7FFFF000 and file.tell() + length > size
        file.seek(length + length % 2, os.SEEK_CUR)
    return True
