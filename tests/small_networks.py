"""Small networks that count their calls, as denoiser, decoder and embedder of a guidance."""

from __future__ import annotations

import torch
from torch import nn
from toy_world import ToyConditioning, ToyIndex, unit

from unheard.guidance.amg.denoiser import AMGDenoiser
from unheard.guidance.amg.settings import AMG
from unheard.guidance.classifier_free import ClassifierFreeGuidance

OPEN = {"lambda_min": -2.0, "lambda_max": -2.0}
SHUT = {"lambda_min": 2.0, "lambda_max": 2.0}
"""Thresholds under which AMG's gate is always open, and never."""


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(2, 2, 3, padding=1)

    def forward(self, x, sigma, conditioning):
        ab = 1 / (1 + sigma**2)[:, None, None]
        return x * ab + (1 - ab) * torch.tanh(self.mix(x * ab.sqrt()) + conditioning.arrays)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 1, 8, stride=4, padding=2)

    def forward(self, latents):
        return self.up(latents)


class Embedder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listen = nn.Conv1d(1, 8, 5)

    def forward(self, waveform):
        peak = waveform.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        return unit(self.listen(waveform / peak).square().mean(dim=2))


class Counted:
    """A network that notes, for each call, the batch and whether a graph was built."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)
        self.calls: list[tuple[int, bool]] = []

    def __call__(self, x, *rest):
        result = self.network(x, *rest)
        self.calls.append((len(x), result.requires_grad))
        return result


class SmallWorld:
    def __init__(self, batch: int = 3) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.denoise, self.decode, self.embed = (
                Counted(Denoiser()),
                Counted(Decoder()),
                Counted(Embedder()),
            )
            self.prompts, self.captions = torch.randn(batch, 2, 6), torch.randn(5, 2, 6)
            self.index = ToyIndex(torch.randn(5, 8))
            self.x = torch.randn(batch, 2, 6)
        self.sigma = torch.full((batch,), 1.5)
        self.encoded: list[int] = []

    def encode_neighbours(self, positions: list[int]) -> ToyConditioning:
        self.encoded += positions
        return ToyConditioning(self.captions[positions])

    @property
    def conditional(self) -> ToyConditioning:
        return ToyConditioning(self.prompts)

    @property
    def unconditional(self) -> ToyConditioning:
        return ToyConditioning(torch.zeros_like(self.prompts))

    def guide(self, amg: AMG, s0: float = 7.0) -> AMGDenoiser:
        return AMGDenoiser(
            self.denoise,
            self.conditional,
            self.unconditional,
            guidance_scale=s0,
            settings=amg,
            decode=self.decode,
            embed=self.embed,
            index=self.index,
            encode_neighbours=self.encode_neighbours,
        )

    def plain(self, s0: float = 7.0) -> ClassifierFreeGuidance:
        return ClassifierFreeGuidance(self.denoise, self.conditional, self.unconditional, guidance_scale=s0)
