"""What training asks of the network of moments: to find a frame again, and to tell copies from relatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.precision import mixed_precision
from unheard.auditing.moment_network import FAINTEST, MomentNetwork

TEMPERATURE = 0.08
ANCHORS, EVERY, NEAR = 12, 3, 6
"""Frames asked about in a sound; every which frame stands against them; how far off the same sound's do."""
SHIFTS = range(-2, 3)
"""Frames by which a copy may be off."""
LEAST = 5
"""Sounding frames of a passage above which it is judged."""
SHORTEST = 16
"""Frames of the shortest passage."""
SPREAD = 8.0
"""By how much the logistic loss divides sums of log ratios: neighbouring frames say much the same."""


@dataclass(frozen=True)
class Versions:
    """Two versions of each of a batch of sounds, as the network hears them.

    Attributes:
        vectors: `[2, sounds, frames, NUMBERS]`.
        weights: `[2, sounds, frames]`.
        sounding: `[2, sounds, frames]`.
        kin: whether two sounds are never counted as different, `[sounds, sounds]`; a sound is its own kin.
    """

    vectors: Tensor
    weights: Tensor
    sounding: Tensor
    kin: Tensor


@dataclass(frozen=True)
class Sums:
    """Largest sums of log ratios `[sounds]`: of copies at their place, of relatives at whatever lag is best.

    `counted` and `relatives_counted` say which are to be judged; `live` how many frames could speak.
    """

    copies: Tensor
    relatives: Tensor
    counted: Tensor
    relatives_counted: Tensor
    live: Tensor


def frames_found(heard: Versions, loud: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast of frames (InfoNCE, van den Oord and others 2018): the loss, and the share found.

    Frames of one version are to be nearer to the same in the other version than to all frames of other
    sounds, and of the same sound further than `NEAR` away. Only frames that are `loud` `[sounds, frames]`
    are asked about.
    """
    _, sounds, frames, _ = heard.vectors.shape
    device = heard.vectors.device
    asked = (torch.rand(sounds, frames, device=device) * loud).topk(ANCHORS, dim=1).indices
    weights = loud.gather(1, asked).float()
    against = torch.arange(int(torch.randint(EVERY, ())), frames, EVERY, device=device)
    same = torch.eye(sounds, dtype=torch.bool, device=device)
    near = same[:, None, :, None] & ((asked[:, :, None, None] - against).abs() <= NEAR)
    out = near | (heard.kin & ~same)[:, None, :, None] | ~loud[:, against][None, None]
    losses, shares = [], []
    for ours, theirs in (heard.vectors, heard.vectors.flip(0)):
        rows = asked[:, :, None].expand(-1, -1, ours.shape[2])
        anchors = ours.gather(1, rows)
        right = (anchors * theirs.gather(1, rows)).sum(dim=2) / TEMPERATURE
        with mixed_precision(device.type):
            products = anchors.flatten(0, 1) @ theirs[:, against].flatten(0, 1).T
        wrong = (products.float() / TEMPERATURE).view(sounds, ANCHORS, sounds, -1).masked_fill(out, -1e4)
        losses.append((F.softplus(wrong.logsumexp(dim=(2, 3)) - right) * weights).sum() / weights.sum())
        shares.append(((right > wrong.amax(dim=(2, 3))) * weights).sum() / weights.sum())
    return torch.stack(losses).mean(), torch.stack(shares).mean()


class PairLoss(nn.Module):
    """Logistic loss of the sums of copies and relatives, around what chance gives at their length."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = nn.Parameter(torch.tensor([4.0, 4.0]))

    def forward(self, sums: Sums) -> Tensor:
        chance = self.chance[0] + self.chance[1] * (sums.live + 4).log()
        copies = F.softplus((chance - sums.copies) / SPREAD) * sums.counted
        relatives = F.softplus((sums.relatives - chance) / SPREAD) * sums.relatives_counted
        found = copies.sum() / sums.counted.sum().clamp(min=1)
        return found + relatives.sum() / sums.relatives_counted.sum().clamp(min=1)


def passage_sums(network: MomentNetwork, heard: Versions, whole: bool) -> Sums:
    """The sums of a passage of each sound, or of the whole; relatives are the next in each group of four."""
    vectors, weights, sounding = heard.vectors, heard.weights, heard.sounding
    _, sounds, frames, _ = vectors.shape
    device = vectors.device
    inside = _passages(sounds, frames, whole, device)
    live = (inside & sounding[0]).sum(dim=1)

    placed = []
    for shift in SHIFTS:
        theirs, weight, sounds_too = (some[1].roll(-shift, 1) for some in (vectors, weights, sounding))
        cosines = (vectors[0] * theirs).sum(dim=2)
        both, either = sounding[0] & sounds_too, sounding[0] | sounds_too
        placed.append(network.log_ratios(cosines, weights[0] * weight, both, either))
    copies = largest_sums(torch.stack(placed, 2).masked_fill(~inside[:, :, None], FAINTEST)).amax(dim=1)

    other = torch.arange(sounds, device=device).view(-1, 4).roll(1, 1).flatten()
    cosines = vectors[0] @ vectors[1][other].transpose(1, 2)
    both = sounding[0][:, :, None] & sounding[1][other][:, None]
    either = sounding[0][:, :, None] | sounding[1][other][:, None]
    ratios = network.log_ratios(cosines, weights[0][:, :, None] * weights[1][other][:, None], both, either)
    relatives = largest_sums(by_lag(ratios.masked_fill(~inside[:, :, None], FAINTEST))).amax(dim=1)

    kin = heard.kin[torch.arange(sounds, device=device), other]
    return Sums(copies, relatives, live > LEAST, ~kin & (live > LEAST), live.float())


def _passages(sounds: int, frames: int, whole: bool, device: torch.device) -> Tensor:
    """Which frames of a sound are of its passage, `[sounds, frames]`; lengths are even in their logarithm."""
    if whole:
        return torch.ones(sounds, frames, dtype=torch.bool, device=device)
    drawn = torch.rand(sounds, 1, device=device)
    length = torch.exp(math.log(SHORTEST) + drawn * math.log(frames / SHORTEST))
    start = torch.rand(sounds, 1, device=device) * (frames - length)
    frame = torch.arange(frames, device=device)
    return (frame >= start) & (frame < start + length)


def by_lag(ratios: Tensor) -> Tensor:
    """`[sounds, frames, frames]` to one column a lag, `[sounds, frames, 2 * frames - 1]`."""
    sounds, frames, _ = ratios.shape
    skewed = F.pad(ratios.flip(1), (0, frames), value=FAINTEST).flatten(1)
    return skewed[:, : frames * (2 * frames - 1)].view(sounds, frames, 2 * frames - 1)


def largest_sums(ratios: Tensor) -> Tensor:
    """The largest sum of a stretch along the second dimension: `[sounds, frames, n]` to `[sounds, n]`."""
    upto = F.pad(ratios.cumsum(dim=1), (0, 0, 1, 0))
    return (upto - torch.cummin(upto, dim=1).values).amax(dim=1)
