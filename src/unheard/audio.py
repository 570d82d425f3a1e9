"""Sounds as tensors: read, write, resample, bring to a common peak, and tell when something is wrong.

A waveform is a float tensor [channels, time], or [batch, channels, time], nominally within -1 to 1.
"""

from __future__ import annotations

import io
import math
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from julius.resample import ResampleFrac
from torch import Tensor
from torch.nn import functional as F

from unheard.common.callbacks import raised_afterwards
from unheard.common.cancellation import CANCELLED, LOST, STRETCH
from unheard.common.files import write_whole
from unheard.common.regular_files import what_else
from unheard.common.shards import is_available, opened
from unheard.common.sound_decoding import EncodedSound
from unheard.common.sound_endings import WRITTEN
from unheard.errors import InputError

PEAK_FLOOR = 1e-6
"""A sound quieter than this is divided by this, so that silence stays silent instead of becoming noise."""


def read(path: str | Path) -> tuple[Tensor, int]:
    """Read a sound file of any format that libsndfile knows (WAV, FLAC, OGG, MP3, AIFF ...).

    M4A, AAC and what else FFmpeg reads takes the package `av`. The file may be a member of a tar shard, see
    `unheard.common.shards`. How much is read of a sound is limited, see
    `unheard.common.sound_limits.sound_limits`.

    Returns:
        The waveform, float32 [channels, time], and its sample rate in hertz.

    Raises:
        InputError: there is no such file, it is no regular file or no sound, it is empty, cut short or more
            than is read, or it holds NaN or infinity.
    """
    if not is_available(path):
        raise InputError(f"cannot read {path}: {what_else(path) or 'it does not exist'}; name a sound file")
    try:
        with opened(path) as file:
            sound = EncodedSound(file, str(path))
            blocks = list(sound.blocks(held=True))
    except (InputError, OSError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise InputError(f"cannot read {path}: {reason}") from error
    if not blocks:
        raise InputError(f"cannot read {path}: it is empty, it holds no samples")
    return _joined(blocks), sound.sample_rate


def _joined(blocks: list[np.ndarray]) -> Tensor:
    """Blocks [frames, channels] as one waveform [channels, time]; each is let go when copied."""
    waveform = torch.empty(blocks[0].shape[1], sum(map(len, blocks)))
    end = waveform.shape[1]
    while blocks:
        block = blocks.pop()
        waveform[:, end - len(block) : end] = torch.from_numpy(block.T)
        end -= len(block)
    return waveform


def to_mono(waveform: Tensor) -> Tensor:
    """The mean of the channels or, where they cancel in it, the loudest channel; differentiable.

    When channels cancel is told by the measure of `unheard.common.cancellation`; of any other sound this is
    the mean to the last bit.

    Args:
        waveform: [..., channels, time].

    Returns:
        [..., time], of the same dtype.
    """
    mono = waveform.mean(dim=-2)
    if waveform.shape[-2] < 2 or not waveform.shape[-1]:
        return mono
    with torch.no_grad():
        cancelling, loudest = _cancelling(waveform.detach().float(), mono.detach().float())
        if not bool(cancelling.any()):
            return mono
    position = loudest[..., None, None].expand(*waveform.shape[:-2], 1, waveform.shape[-1])
    return torch.where(cancelling[..., None], waveform.gather(-2, position).squeeze(-2), mono)


def _cancelling(waveform: Tensor, mono: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the channels of waveforms [..., channels, time] cancel, and which channel is the loudest."""
    channels, time = waveform.shape[-2:]
    padding = (0, -time % STRETCH)
    stretches = -(-time // STRETCH)
    of_channels = F.pad(waveform, padding).square().reshape(*waveform.shape[:-1], stretches, STRETCH).sum(-1)
    of_mean = F.pad(mono, padding).square().reshape(*mono.shape[:-1], stretches, STRETCH).sum(-1)
    together = of_channels.sum(dim=-2)  # [..., stretches]
    lost = together * (of_mean < CANCELLED * together / channels**2)
    whole = of_channels.sum(dim=-1)
    return lost.sum(dim=-1) > LOST * whole.sum(dim=-1), whole.argmax(dim=-1)


def write_wav(path: str | Path, waveform: Tensor, sample_rate: int, *, float32: bool = False) -> None:
    """Write a WAV file, wholly or not at all; the same waveform gives the same bytes.

    Args:
        path: file to write or replace, in a folder that exists.
        waveform: [channels, time].
        sample_rate: in hertz.
        float32: write the samples as they are, as 32-bit floats. Otherwise the waveform is divided by its
            peak and written as 16-bit integers.

    Raises:
        InputError: the file cannot be written, or the waveform is empty or holds NaN or infinity.
    """
    write_whole(path, encode_wav(waveform, sample_rate, float32=float32))


def encode(waveform: Tensor, sample_rate: int, ending: str, *, float32: bool = False) -> bytes:
    """A sound as the file of one of the endings `unheard.common.sound_endings.WRITTEN`, see `write_wav`.

    FLAC holds the same 16-bit samples as WAV, in about half of the bytes, and no floats.

    Raises:
        InputError: another ending, floats in FLAC, or what no file can hold.
    """
    if ending.lower() == ".wav":
        return encode_wav(waveform, sample_rate, float32=float32)
    if ending.lower() != ".flac":
        raise InputError(
            f"cannot write a sound as {ending!r}: give a name that ends in {' or '.join(WRITTEN)}"
        )
    if float32:
        raise InputError("FLAC holds no floats: give a name that ends in .wav, or go without float")
    content = io.BytesIO()
    samples = _samples(waveform, float32=False)
    with raised_afterwards():
        soundfile.write(content, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return content.getvalue()


def encode_wav(waveform: Tensor, sample_rate: int, *, float32: bool = False) -> bytes:
    """What `write_wav` writes; raises InputError for what no file can hold."""
    samples = _samples(waveform, float32=float32)
    return _wav_header(samples, sample_rate) + samples.tobytes()


def _samples(waveform: Tensor, *, float32: bool) -> np.ndarray:
    """The samples [time, channels] of a file: floats as they are, or 16-bit integers of the peak's share."""
    if waveform.ndim != 2 or 0 in waveform.shape:
        raise InputError(f"cannot write the sound: it is [channels, time], not {list(waveform.shape)}")
    if not waveform.isfinite().all():
        raise InputError("cannot write the sound: it holds NaN or infinity; try dtype float32")
    waveform = waveform.detach().to("cpu", torch.float32)
    if not float32:
        waveform = peak_normalise(waveform).mul(32767).round()
    return waveform.T.contiguous().numpy().astype("<f4" if float32 else "<i2")


def _wav_header(samples: np.ndarray, sample_rate: int) -> bytes:
    """RIFF header for samples [time, channels], after Microsoft's and IBM's specification (1991, 1994).

    Written here because libsndfile stamps float files with the time of day.
    """
    frames, channels = samples.shape
    width = samples.itemsize
    is_float = samples.dtype.kind == "f"
    frame_bytes = channels * width
    layout = (3 if is_float else 1, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, 8 * width)
    chunks = _chunk(b"fmt ", struct.pack("<HHIIHH", *layout) + (b"\0\0" if is_float else b""))
    if is_float:
        chunks += _chunk(b"fact", struct.pack("<I", frames))
    size = 4 + len(chunks) + 8 + samples.nbytes
    return b"RIFF" + struct.pack("<I", size) + b"WAVE" + chunks + b"data" + struct.pack("<I", samples.nbytes)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def peak_normalise(waveform: Tensor) -> Tensor:
    """Divide each sound of a batch by its own largest absolute value over channels and time.

    Takes [..., channels, time]; the divisor is `PEAK_FLOOR` at least; differentiable.
    """
    return waveform / waveform.abs().amax(dim=(-2, -1), keepdim=True).clamp(min=PEAK_FLOOR)


LARGEST_KERNEL = 1 << 24
"""Numbers in a polyphase kernel (64 MiB) above which weights are worked out output by output instead."""
ZEROS, ROLLOFF = 24, 0.945
"""Zeros of the windowed sinc on either side, and its cutoff as a share of the lower rate; julius's own."""
RESAMPLED_AT_ONCE = 1 << 22
"""Samples of a channel that are resampled at once, a minute and a half at 48 kHz: it takes 70 bytes each."""


def resample(waveform: Tensor, old_rate: int, new_rate: int) -> Tensor:
    """Band-limited resampling by windowed sinc interpolation, differentiable.

    J. O. Smith's algorithm (https://ccrma.stanford.edu/~jos/resample/) as the library julius has it, which
    convolves with one filter for each phase. Rates that share hardly a divisor (47,999 to 48,000) have so
    many phases that the filters fill gigabytes: then the same weights are computed for each output alone.

    Args:
        waveform: [..., time].
        old_rate, new_rate: in hertz, positive integers.

    Returns:
        [..., floor(time * new_rate / old_rate)], of the same dtype.

    Raises:
        InputError: a rate is not a positive integer.
    """
    for rate in (old_rate, new_rate):
        if isinstance(rate, bool) or not isinstance(rate, int) or rate <= 0:
            raise InputError(f"a sample rate is a positive integer of hertz, not {rate!r}")
    if old_rate == new_rate or not waveform.shape[-1]:
        return waveform
    divisor = math.gcd(old_rate, new_rate)
    old, new = old_rate // divisor, new_rate // divisor
    length = waveform.shape[-1] * new // old
    if new * old > LARGEST_KERNEL:
        return _interpolate(waveform, old, new, length)
    resampler = _resampler(old, new, waveform.device, waveform.dtype)
    # `full`, then cut: julius works lengths out in float32, which is off by samples after some minutes.
    if waveform.shape[-1] <= RESAMPLED_AT_ONCE:
        resampled: Tensor = resampler(waveform, full=True)
        return resampled[..., :length]
    reach = old * (1 + math.ceil(ZEROS / (min(old, new) * ROLLOFF)))
    at_once = old * (RESAMPLED_AT_ONCE // old + 1)
    pieces = []
    for first in range(0, waveform.shape[-1], at_once):
        before = min(first, reach)
        piece = resampler(waveform[..., first - before : first + at_once + reach], full=True)
        pieces.append(piece[..., before // old * new :][..., : at_once // old * new])
    return torch.cat(pieces, dim=-1)[..., :length]


@lru_cache(maxsize=16)
def _resampler(old: int, new: int, device: torch.device, dtype: torch.dtype) -> ResampleFrac:
    # Cached for later: a kernel made in inference mode could never be differentiated through.
    with torch.inference_mode(False):
        return ResampleFrac(old, new, ZEROS, ROLLOFF).to(device, dtype)


def _interpolate(waveform: Tensor, old: int, new: int, length: int) -> Tensor:
    """What `julius.ResampleFrac(old, new)` computes, one output at a time."""
    cutoff = min(old, new) * ROLLOFF  # in units in which the rates are `old` and `new`
    reach = math.ceil(ZEROS * old / cutoff)
    offsets = torch.arange(-reach, reach + 2)
    pieces = []
    at_once = max(1, (1 << 22) // len(offsets))  # outputs, of 4 million weights together
    for first in range(0, length, at_once):
        outputs = torch.arange(first, min(first + at_once, length))
        inputs = (outputs * old // new)[:, None] + offsets
        phase = (inputs.double() / old - outputs[:, None].double() / new) * cutoff
        phase = phase.clamp(-ZEROS, ZEROS)
        weights = torch.sinc(phase) * torch.cos(math.pi * phase / ZEROS / 2) ** 2
        weights = (weights / weights.sum(dim=-1, keepdim=True)).to(waveform)
        inputs = inputs.clamp(0, waveform.shape[-1] - 1).to(waveform.device)
        pieces.append((waveform[..., inputs] * weights).sum(dim=-1))
    return torch.cat(pieces, dim=-1) if pieces else waveform[..., :0]


SILENCE = 1e-4
"""Peak below which a sound counts as silent: -80 dB of full scale."""


def find_faults(waveform: Tensor) -> list[str]:
    """What is wrong with a generated sound, one sentence a fault with its usual cause; empty for a sound one.

    Args:
        waveform: [channels, time], as the decoder gave it, before it is brought to a peak or to 16 bits.
    """
    waveform = waveform.detach().to("cpu", torch.float32)
    if not waveform.isfinite().all():
        return ["the sound holds NaN or infinity: usually half precision overflowed; use dtype float32"]
    peak = waveform.abs().max().item()
    if peak < SILENCE:
        return [
            f"the sound is silent (peak {peak:.1e}): usually the guidance pushed too hard (lower c3), or the "
            "requested part lies behind the end of what the model made (lower start or duration)"
        ]
    if (waveform.amax(dim=-1) - waveform.amin(dim=-1)).max().item() < SILENCE * peak:
        return [
            f"the sound is constant (every sample near {waveform[0, 0].item():.3g}): usually too few steps, "
            "or weights that do not belong to this decoder"
        ]
    share = _flat_top_share(waveform, peak)
    if share > 1e-3:
        return [
            f"the sound is clipped ({share:.1%} of its samples sit flat at the peak): usually the guidance "
            "scale is too high"
        ]
    return []


def _flat_top_share(waveform: Tensor, peak: float, run: int = 3) -> float:
    """Share of the samples that lie in runs of at least `run` samples at the peak: what a limiter leaves.

    A pure tone only grazes its peak: its neighbouring samples differ by more than a millionth.
    """
    if waveform.shape[-1] < run:
        return 0.0
    at_peak = (waveform.abs() >= peak * (1 - 1e-6)).float()
    runs = at_peak.unfold(-1, run, 1).prod(dim=-1)
    # A sample belongs to a run if any of the `run` windows that contain it is all at the peak.
    inside = F.max_pool1d(F.pad(runs, (run - 1, run - 1)), run, stride=1)
    return inside.mean().item()
