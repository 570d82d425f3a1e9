"""The training recordings around samples, as a detour's gates ask for them, without an index."""

from __future__ import annotations

import torch

from unheard.guidance.detour.gates.base import Found


class Nearby:
    """One recording for each prompt, found by ear; or of its very caption."""

    def __init__(self, recordings: list[torch.Tensor], own: bool = False) -> None:
        self.recordings, self.own, self.complete, self.share = recordings, own, True, 1.0
        self.others: dict[int, torch.Tensor] = {}
        self.heard: list[torch.Tensor] = []
        self.asked: list[int] = []
        self.missing: list[int] = []
        self.least: list[float] = []
        self.at_a_glance: dict[int, torch.Tensor] = {}

    def of_caption(self, sample: int) -> Found:
        return Found([0], [self.recordings[sample]]) if self.own else Found([], [])

    def sounding_like(self, denoised: torch.Tensor) -> list[list[int]]:
        self.heard.append(denoised)
        return [[0] for _ in denoised]

    def around(self, sample: int, sounding: list[int]) -> Found:
        return Found([0], [self.recordings[sample]], self.share) if sounding or self.own else Found([], [])

    def around_caption(self, position: int) -> Found:
        self.asked.append(position)
        return Found([*self.others], [*self.others.values()])

    def missing_around(self, sample: int, position: int | None) -> list[int]:
        return self.missing

    def nearest(self, denoised: torch.Tensor, least: float = -1.0) -> Found:
        self.least.append(least)
        return Found([*self.at_a_glance], [*self.at_a_glance.values()])


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Shift by shift, the slow way."""
    one, other = (each.double() - each.double().mean(dim=1, keepdim=True) for each in (one, other))
    frames, length = one.shape[1], other.shape[1]
    least = float(other.square().sum()) * min(frames, length) / length
    values = []
    for shift in range(1 - length, frames):
        met = other[:, max(0, -shift) : frames - shift]
        product = (one[:, max(0, shift) : shift + length] * met).sum()
        values.append(float(product) / max(float(met.square().sum()), least) ** 0.5)
    return max(values) / float(one.norm())
