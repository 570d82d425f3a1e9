"""Where the sound on its way is a training recording, its caption is left for a neighbouring one.

The gate is asked in latent space: the conditional prediction `D_c` is correlated with the latents of a few
training items at the best time shift, by FFT. No decoding, no embedder and no gradient is in the loop. A
prediction that is a recording shows in the first step already, in full noise. Where the gate opens, the
sample goes on under the caption nearest to its prompt that the training set has but once, blended with the
prompt's conditioning: with the largest share of it, in tenths, that does not copy. Where even that caption
alone copies, the next one is taken. It never comes back: under its old caption the trajectory would fall
into the recording again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from unheard import amg
from unheard.guidance.step import Conditioning, Denoise, Step, predict_both
from unheard.settings import Detour


class DetourDenoiser:
    """Classifier-free guidance that leaves a caption whose prediction is a candidate's recording.

    One instance belongs to one trajectory.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        settings: the threshold, and the largest share of the prompt.
        frames: frames of latents that the requested duration covers.
        find: the first prediction of every sample [batch, channels, frames] to each one's candidates: their
            positions in the index, and their latents, each [channels, its frames].
        ways: for each sample, positions of the items whose captions are tried, in this order.
        encode_captions: positions to the conditioning of these items' captions, with the timing asked for.

    Attributes:
        trace: a `Step` for each call; `similarity` is the correlation before anything was left, `neighbour`
            the candidate, `acted` whether the sample is on another way.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        settings: Detour,
        frames: int,
        find: Callable[[Tensor], list[tuple[list[int], list[Tensor]]]],
        ways: Sequence[Sequence[int]],
        encode_captions: Callable[[list[int]], Any],
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.settings = settings
        self.frames = frames
        self.find = find
        self.encode_captions = encode_captions
        self.trace: list[Step] = []
        self._unconditional = unconditional
        self._prompt: list[Any] = [conditional.select([sample]) for sample in range(len(conditional))]
        self._caption = list(self._prompt)
        self._ways = [
            [(way, share) for place, way in enumerate(some) for share in self._shares(place)] for some in ways
        ]
        self._left = [False] * len(conditional)
        self._candidates: list[tuple[list[int], Recordings]] = []

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch]."""
        conditioning = type(self._unconditional).cat([self._unconditional, *self._caption])
        unconditional, conditional = predict_both(self.denoise, x, sigma, conditioning)
        if not self._candidates:
            self._candidates = [
                (positions, Recordings(latents, self.frames)) for positions, latents in self.find(conditional)
            ]
        asked = [self._ask(sample, conditional[sample]) for sample in range(len(x))]
        copies = [sample for sample, (value, _) in enumerate(asked) if value > self.settings.threshold]
        while turning := [sample for sample in copies if self._ways[sample]]:
            for sample in turning:
                way, share = self._ways[sample].pop(0)
                self._caption[sample] = self._prompt[sample].blended(self.encode_captions([way]), share)
                self._left[sample] = True
            captions = type(self._unconditional).cat([self._caption[sample] for sample in turning])
            conditional[turning] = self.denoise(x[turning], sigma[turning], captions)
            copies = [
                sample
                for sample in turning
                if self._ask(sample, conditional[sample])[0] > self.settings.threshold
            ]
        self.trace.append(
            Step(
                sigma=float(sigma[0]),
                similarity=[value for value, _ in asked],
                threshold=[self.settings.threshold] * len(x),
                neighbour=[position for _, position in asked],
                acted=list(self._left),
            )
        )
        return amg.classifier_free(unconditional, conditional, self.guidance_scale)

    def _shares(self, place: int) -> list[float]:
        """Shares of the prompt under a sample's `place`-th way: falling under the first one, then none."""
        tenths = round(10 * self.settings.prompt_share) if place == 0 else 0
        return [tenth / 10 for tenth in range(tenths, -1, -1)]

    def _ask(self, sample: int, denoised: Tensor) -> tuple[float, int | None]:
        """The highest correlation of a prediction with its candidates, and which; 0 and None without any."""
        positions, recordings = self._candidates[sample]
        if not positions:
            return 0.0, None
        values = recordings.correlations(denoised[:, : self.frames])
        best = int(values.argmax())
        return float(values[best]), positions[best]


class Recordings:
    """Latents of recordings, ready to be correlated with predictions.

    Args:
        latents: one or more [channels, frames]; lengths may differ.
        frames: of the predictions.
    """

    def __init__(self, latents: Sequence[Tensor], frames: int) -> None:
        centred = [_centred(each) for each in latents]
        self._size = frames + max((each.shape[-1] for each in centred), default=0)
        self._norms = torch.stack([each.norm() for each in centred]) if centred else torch.empty(0)
        spectra = [torch.fft.rfft(each, self._size).conj() for each in centred]
        self._spectra = torch.stack(spectra) if spectra else torch.empty(0)

    def correlations(self, denoised: Tensor) -> Tensor:
        """Correlations [recordings] of latents [channels, frames] at the best time shift, -1 to 1.

        Every channel's mean over time is taken out; what is shifted out is lost, and zeros come in.
        """
        own = _centred(denoised)
        spectrum = torch.fft.rfft(own, self._size)
        products = torch.fft.irfft(torch.einsum("cf,ncf->nf", spectrum, self._spectra), self._size)
        return products.amax(dim=-1) / (own.norm() * self._norms).clamp(min=1e-6)


def _centred(latents: Tensor) -> Tensor:
    latents = latents.float()
    return latents - latents.mean(dim=-1, keepdim=True)
