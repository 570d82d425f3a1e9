"""Repulsion from the volume that the nearest training items span, with a low-passed gradient.

The embedding `e` of the prediction and those of its `k` nearest items span a parallelepiped, whose volume is
the root of the determinant of their Gram matrix. A sound that is a blend of its neighbours lies in their
span, where the volume is 0; the guidance ascends its logarithm. Only one factor depends on `e`:

    log volume = 1/2 log det (G + r I) + 1/2 log (1 + r - g' (G + r I)^-1 g)

with `G` the Gram matrix of the items, `g` their cosines to `e`, and a ridge `r` that keeps both finite. The
gradient is passed back to `x` like that of the published dissimilarity; its fast changes along time, which a
listener hears as noise, are cut off. What follows the published guidance up from one neighbour to several is
known to us by description alone: formula and weights are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unheard.backbones.base import Conditioning
from unheard.diffusion.levels import level_of
from unheard.diffusion.prediction import Denoise, classifier_free, predict_both
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.errors import GuidanceError
from unheard.guidance.amg import equations
from unheard.guidance.amg.denoiser import NeighbourSearch
from unheard.guidance.base import NEAREST, Step
from unheard.guidance.volumetric.settings import Volumetric

RIDGE = 1e-3


class VolumetricDenoiser:
    """Classifier-free guidance, and ascent of the log volume where the nearest item is above a threshold.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`, differentiable in `x`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        prompt_guidance: what stands for the prediction without a prompt.
        settings: weight, neighbours, thresholds, pass band.
        decode: latents to the waveform [batch, channels, time]; differentiable.
        embed: waveform to unit vectors [batch, dim]; differentiable.
        index: the training set's embeddings.
        time_axis: of latents, from the end; the gradient is smoothed along it.

    Attributes:
        trace: a `Step` for each call so far.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        settings: Volumetric,
        decode: Callable[[Tensor], Tensor],
        embed: Callable[[Tensor], Tensor],
        index: NeighbourSearch,
        time_axis: int = -1,
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.settings = settings
        self.decode = decode
        self.embed = embed
        self.index = index
        self.time_axis = time_axis
        self.trace: list[Step] = []
        self._conditional, self._unconditional = conditional, unconditional
        self._both = type(conditional).cat([unconditional, conditional])

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch].

        Raises:
            GuidanceError: a gradient that is not finite.
        """
        unconditional, conditional = predict_both(self.denoise, x, sigma, self._both)
        embeddings = torch.cat([self.embed(self.decode(each[None])) for each in conditional])
        similarities, neighbours = self.index.search(embeddings, k=self.settings.neighbours)
        threshold = equations.threshold(sigma, self.settings.lambda_min, self.settings.lambda_max)
        acted = (similarities[:, 0] > threshold).tolist()
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                value=similarities[:, 0].tolist(),
                measure=[NEAREST] * len(x),
                threshold=threshold.tolist(),
                neighbour=neighbours[:, 0].tolist(),
                acted=acted,
            )
        )
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        guided = classifier_free(unconditional, conditional, self.guidance_scale)
        for sample in (number for number, flag in enumerate(acted) if flag):
            gradient = self._gradient(x, sigma, sample, self.index.vectors(neighbours[sample]))
            if not gradient.isfinite().all():
                raise GuidanceError(
                    f"step {len(self.trace)} (sigma {float(sigma[sample]):.4g}), sample {sample}: the "
                    "volume's gradient is not finite: load the model in bfloat16 or float32, or lower weight"
                )
            smooth, weight = low_pass(gradient, self.settings.pass_band, self.time_axis), self.settings.weight
            guided[[sample]] += equations.dissimilarity(smooth, sigma[[sample]], weight, "denoised")
        return guided

    def _gradient(self, x: Tensor, sigma: Tensor, sample: int, items: Tensor) -> Tensor:
        """`d (-log volume) / d x` of a sample, [1, *latent_shape]; its items are held fixed."""
        with torch.enable_grad():
            source = x[[sample]].detach().requires_grad_()
            denoised = self.denoise(source, sigma[[sample]], self._conditional.select([sample]))
            embedding = self.embed(self.decode(denoised))
            (gradient,) = torch.autograd.grad(-log_volume(embedding[0], items), source)
        return gradient


def log_volume(embedding: Tensor, items: Tensor) -> Tensor:
    """The part of the log volume that depends on the embedding [dim]: `1/2 log (1 + r - g' (G + r I)^-1 g)`.

    Args:
        embedding: a unit vector.
        items: unit vectors [items, dim].

    Returns:
        From `1/2 log r`, where the embedding lies in the items' span, to `1/2 log (1 + r)`, where it is
        orthogonal to all.
    """
    cosines = items @ embedding
    gram = items @ items.T + RIDGE * torch.eye(len(items), dtype=items.dtype, device=items.device)
    within: Tensor = cosines @ torch.linalg.solve(gram, cosines)
    return 0.5 * (1 + RIDGE - within).log()  # a Schur complement: never below the ridge


def low_pass(gradient: Tensor, pass_band: float, time_axis: int = -1) -> Tensor:
    """The lowest share `pass_band` of the frequencies along time of a gradient of any shape; 1 keeps all."""
    moved = gradient.float().movedim(time_axis, -1)
    spectrum = torch.fft.rfft(moved, dim=-1)
    kept = max(round(pass_band * spectrum.shape[-1]), 1)
    spectrum[..., kept:] = 0
    smooth: Tensor = torch.fft.irfft(spectrum, n=moved.shape[-1], dim=-1)
    return smooth.movedim(-1, time_axis).to(gradient)
