"""What is changed at each step of training, in envelopes `[sounds, frames, BANDS]`, decibels.

Each change has a strength drawn for each sound, and most touch only a share of the sounds.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.envelopes import BANDS


def augmented(decibels: Tensor) -> Tensor:
    """Other versions of the sounds, of the same shape."""
    top = decibels.amax(dim=(1, 2), keepdim=True)
    power = 10 ** (_uneven(decibels) / 10)
    power = _moved(power)
    power = _blurred(power)
    power = _in_a_room(power)
    power = _mixed(power)
    power = _band_limited(power)
    power = power + _noise_floor(power, top)
    changed = 10 * power.clamp(min=1e-12).log10()
    return changed + torch.randn_like(changed) * 3 * _uniform(changed)


def _uneven(decibels: Tensor) -> Tensor:
    """Rounded otherwise, equalised, with other dynamics; low bands scattered, as other phases would."""
    ramp = _ramp(decibels)
    decibels = decibels + torch.rand_like(decibels) - 0.5
    decibels = decibels + 6 * _uniform(decibels) * _curve(decibels, 6, BANDS)[:, None]
    dynamics = _curve(decibels, 13, decibels.shape[1])[:, :, None]
    decibels = decibels + 4 * _uniform(decibels) * dynamics * _some(decibels, 0.3)
    scatter = torch.randn_like(decibels) * (1 - 0.75 * ramp)
    return decibels + 5 * _uniform(decibels) * scatter * _some(decibels, 0.4)


def _moved(power: Tensor) -> Tensor:
    """Events off by up to 15 ms."""
    late = (0.35 * _curve(power, 9, power.shape[1])).clamp(-0.6, 0.6)[:, :, None] * _some(power, 0.5)
    after, before = F.pad(power, (0, 0, 0, 1))[:, 1:], F.pad(power, (0, 0, 1, 0))[:, :-1]
    return power * (1 - late.abs()) + after * late.clamp(min=0) + before * (-late).clamp(min=0)


def _blurred(power: Tensor) -> Tensor:
    """Over three frames, or three bands."""
    along_time = F.avg_pool1d(power.transpose(1, 2), 3, 1, 1, count_include_pad=False).transpose(1, 2)
    power = torch.where(_some(power, 0.35), along_time, power)
    along_bands = F.avg_pool1d(power, 3, 1, 1, count_include_pad=False)
    return torch.where(_some(power, 0.35), along_bands, power)


def _in_a_room(power: Tensor) -> Tensor:
    frame = torch.arange(power.shape[1], device=power.device)
    apart = frame[:, None] - frame
    decay = torch.exp(-apart.clamp(min=0) / (1.5 + 8 * _uniform(power))) * (apart > 0)
    return power + (0.25 * _uniform(power) * _some(power, 0.2) * decay) @ power


def _mixed(power: Tensor) -> Tensor:
    """With another of the sounds, 9 dB softer to 4 dB louder, along half of the frames or all."""
    sounds, frames, _ = power.shape
    other = power.roll((sounds // 4 + 3, int(torch.randint(-20, 21, ()))), (0, 1))
    energies = [some.sum(dim=(1, 2), keepdim=True) for some in (power, other)]
    gain = energies[0] / energies[1].clamp(min=1e-9) * 10 ** ((4 - 13 * _uniform(power)) / 10)
    start = _uniform(power) * frames
    length = frames * (0.5 + 0.5 * _some(power, 0.4))
    frame = torch.arange(frames, device=power.device)[None, :, None]
    here = ((frame - start) % frames) < length
    return torch.where(_some(power, 0.22) & here, power + gain * other, power)


def _band_limited(power: Tensor) -> Tensor:
    ramp = _ramp(power)
    cut = (ramp < 0.22 * _uniform(power)) | (ramp > 1 - 0.35 * _uniform(power))
    return torch.where(_some(power, 0.06) & cut, power * 1e-4, power)


def _noise_floor(power: Tensor, top: Tensor) -> Tensor:
    """The power of noise that is 25 to 70 dB below `top`, of some colour."""
    colour = 8 * _ramp(power) * torch.randn(len(power), 1, 1, device=power.device)
    floor = top - (25 + 45 * _uniform(power)) + colour
    scatter = -torch.rand_like(power).clamp(min=1e-6).log()
    return 10 ** (floor / 10) * scatter.sqrt()


def _uniform(like: Tensor) -> Tensor:
    """0 to 1 for each sound, `[sounds, 1, 1]`."""
    return torch.rand(len(like), 1, 1, device=like.device)


def _some(like: Tensor, share: float) -> Tensor:
    """Whether it happens to a sound, `[sounds, 1, 1]`."""
    return _uniform(like) < share


def _curve(like: Tensor, points: int, length: int) -> Tensor:
    """Straight lines between random points of deviation 1, `[sounds, length]`."""
    heights = torch.randn(len(like), 1, points, device=like.device)
    return F.interpolate(heights, length, mode="linear", align_corners=True)[:, 0]


def _ramp(like: Tensor) -> Tensor:
    """From 0 at the lowest band to 1 at the highest."""
    return torch.linspace(0, 1, BANDS, device=like.device)
