"""Guidance as a wrapper: a denoiser in, a denoiser out, so that a sampler never learns of it.

`ClassifierFreeGuidance` is the plain kind. `GuidedDenoiser` adds anti-memorization guidance, whose equations
are in `unheard.amg`; this module decides what has to be computed for them, and when. Both work per sample: a
batch of different prompts gives what each prompt gives alone.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, Self

import torch
from torch import Tensor

from unheard import amg
from unheard.errors import GuidanceError
from unheard.settings import AMG


class Conditioning(Protocol):
    """What a backbone makes of prompts, a batch of them."""

    def __len__(self) -> int: ...

    def select(self, samples: list[int]) -> Self: ...

    @staticmethod
    def cat(parts: Sequence[Any]) -> Any: ...


class NeighbourSearch(Protocol):
    """The training set, as the guidance asks it."""

    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Unit vectors [batch, dim] to the similarities and positions [batch, k] of the nearest items."""

    def vectors(self, positions: Tensor) -> Tensor:
        """Positions [batch] to the items' unit vectors [batch, dim]."""


Denoise = Callable[[Tensor, Tensor, Any], Tensor]

SILENCE = 1e-6  # the embedder's floor of the peak; no sound below it has a direction


class GuidanceWarning(UserWarning):
    """The guidance runs, but not all of it can act."""


@dataclass(frozen=True)
class Step:
    """What happened in one denoising step; lists have one entry a sample, and are None under plain guidance.

    Attributes:
        sigma: noise level of the step.
        similarity: cosine to the nearest training item, as the embedder hears the conditional prediction.
        threshold: similarity above which the guidance acts.
        neighbour: position of the nearest training item in the index.
        acted: whether the guidance acted.
        s1, s2: scales of despecification and deduplication at this similarity, applied where `acted`.
    """

    sigma: float
    similarity: list[float] | None = None
    threshold: list[float] | None = None
    neighbour: list[int] | None = None
    acted: list[bool] | None = None
    s1: list[float] | None = None
    s2: list[float] | None = None


class ClassifierFreeGuidance:
    """Plain classifier-free guidance, both predictions in one batched call.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: `s0`; 1 gives the conditional prediction.

    Attributes:
        trace: a `Step` for each call so far, with the noise level alone.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
    ) -> None:
        self.denoise = denoise
        self.conditioning = type(conditional).cat([unconditional, conditional])
        self.guidance_scale = guidance_scale
        self.trace: list[Step] = []

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch]."""
        predictions = self.denoise(torch.cat([x, x]), torch.cat([sigma, sigma]), self.conditioning)
        unconditional, conditional = predictions.chunk(2)
        self.trace.append(Step(sigma=float(sigma[0])))
        return amg.classifier_free(unconditional, conditional, self.guidance_scale)


@dataclass(frozen=True)
class _Graph:
    """Conditional predictions of `samples`, and the way back from their embeddings to their `x`."""

    samples: list[int]
    x: Tensor
    denoised: Tensor
    embedding: Tensor


@dataclass(frozen=True)
class _Predictions:
    """What is known before the gate is asked.

    `graph` covers the samples that were expected to open; `neighbours` holds their neighbours' predictions by
    (sample, position in the index).
    """

    unconditional: Tensor
    conditional: Tensor
    embedding: Tensor
    graph: _Graph | None
    neighbours: dict[tuple[int, int], Tensor]


@dataclass(frozen=True)
class _Gate:
    """Nearest item and scales of all samples, which of them opened, which of those have room for `s2`."""

    neighbour: Tensor
    positions: list[int]
    s1: Tensor
    s2: Tensor
    opened: list[int]
    deduplicated: list[int]


class GuidedDenoiser:
    """Classifier-free guidance with anti-memorization guidance on top, where its gate opens.

    The gate is asked first. A sample whose gate is shut costs a plain step, one decoding and one embedding:
    no gradient, no neighbour's prediction, no graph. Where it opens, the gradient of the similarity needs a
    graph from `x` through denoiser, decoder and embedder. A gate that was open at the last step will most
    likely be open again with the same neighbour, so such samples are *expected*: their conditional prediction
    is made with a graph at once, and their neighbour's prediction is taken along with the unconditional ones.
    If the expectation fails, the graph is dropped; if a gate opens unexpectedly, the graph is built for those
    samples alone. The result is the same either way.

    One instance belongs to one trajectory: it keeps the trace and the expectations. Networks behind
        `denoise`, `decode` and `embed` should not require gradients of their parameters; only `x` does.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`, differentiable in `x`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: `s0`. At 1 or less there is no room for `s1` and `s2`: only dissimilarity acts, and a
            `GuidanceWarning` says so.
        amg: weights and thresholds.
        decode: latents to the waveform [batch, channels, time] of the requested duration; differentiable.
        embed: waveform to unit vectors [batch, dim]; differentiable.
        index: the training set's embeddings.
        encode_neighbours: positions in the index to the conditioning of these items' captions and timings.
            Asked once for each item.

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
        amg: AMG,
        decode: Callable[[Tensor], Tensor],
        embed: Callable[[Tensor], Tensor],
        index: NeighbourSearch,
        encode_neighbours: Callable[[list[int]], Any],
    ) -> None:
        self.denoise = denoise
        self.conditional = conditional
        self.unconditional = unconditional
        self.guidance_scale = guidance_scale
        self.settings = amg
        self.decode = decode
        self.embed = embed
        self.index = index
        self.encode_neighbours = encode_neighbours
        self.trace: list[Step] = []
        self._captions: dict[int, Any] = {}
        self._expected_open: list[int] = []
        self._expected_neighbours: list[tuple[int, int]] = []
        if guidance_scale <= 1 and (amg.c1 > 0 or amg.c2 > 0):
            left = "only dissimilarity (c3) acts" if amg.c3 > 0 else "with c3 = 0 the guidance does nothing"
            warnings.warn(
                f"a guidance scale of {guidance_scale} leaves no room for c1 and c2: {left}",
                GuidanceWarning,
                stacklevel=2,
            )

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch].

        Raises:
            GuidanceError: the similarity or its gradient is not finite.
        """
        predictions = self._predict(x, sigma)
        gate = self._ask_gate(predictions, sigma)
        unconditional, conditional = predictions.unconditional, predictions.conditional
        guided = amg.classifier_free(unconditional, conditional, self.guidance_scale)

        if some := gate.opened:
            guided[some] += amg.despecification(unconditional[some], conditional[some], gate.s1[some])
        if some and self.settings.c3 > 0:
            gradient = self._similarity_gradient(x, sigma, predictions, gate)
            space = self.settings.dissimilarity_space
            guided[some] += amg.dissimilarity(gradient, sigma[some], self.settings.c3, space)
        if some := gate.deduplicated:
            neighbour = self._predict_neighbours(x, sigma, predictions, gate)
            guided[some] += amg.deduplication(unconditional[some], neighbour, gate.s2[some])

        self._expected_open = gate.opened if self.settings.c3 > 0 else []
        self._expected_neighbours = [(sample, gate.positions[sample]) for sample in gate.deduplicated]
        return guided

    def _predict(self, x: Tensor, sigma: Tensor) -> _Predictions:
        """Everything before the gate: predictions, embeddings, and what the expectations ask for.

        All that needs no graph goes through the denoiser in one call: the unconditional predictions, the
        conditional ones of samples whose gate is expected to be shut, and the expected neighbours'.
        """
        everyone = list(range(len(x)))
        shut = [sample for sample in everyone if sample not in self._expected_open]
        neighboured = [sample for sample, _ in self._expected_neighbours]

        samples = everyone + shut + neighboured
        conditionings = [self.unconditional, self.conditional.select(shut)] if shut else [self.unconditional]
        conditionings += self._encode([position for _, position in self._expected_neighbours])
        predicted = self.denoise(x[samples], sigma[samples], type(self.conditional).cat(conditionings))
        sizes = [len(everyone), len(shut), len(neighboured)]
        unconditional, conditional, neighbour = predicted.split(sizes)
        neighbours = dict(zip(self._expected_neighbours, neighbour, strict=True))

        if not self._expected_open:
            embedding = self.embed(self.decode(conditional))
            return _Predictions(unconditional, conditional, embedding, None, neighbours)

        graph = self._predict_with_graph(x, sigma, self._expected_open)
        denoised_of = dict(zip(graph.samples, graph.denoised, strict=True))
        embedding_of = dict(zip(graph.samples, graph.embedding.detach(), strict=True))
        if shut:
            denoised_of |= dict(zip(shut, conditional, strict=True))
            embedding_of |= dict(zip(shut, self.embed(self.decode(conditional)), strict=True))
        return _Predictions(
            unconditional,
            torch.stack([denoised_of[sample] for sample in everyone]),
            torch.stack([embedding_of[sample] for sample in everyone]),
            graph,
            neighbours,
        )

    def _predict_with_graph(self, x: Tensor, sigma: Tensor, samples: list[int]) -> _Graph:
        """The conditional predictions of `samples` and their embeddings, with the graph from `x`."""
        with torch.enable_grad():
            source = x[samples].detach().requires_grad_()
            denoised = self.denoise(source, sigma[samples], self.conditional.select(samples))
            embedding = self.embed(self.decode(denoised))
        return _Graph(samples, source, denoised.detach(), embedding)

    def _ask_gate(self, predictions: _Predictions, sigma: Tensor) -> _Gate:
        """Compare every sample's similarity to its nearest item with the threshold, and write the trace."""
        similarity, neighbour = (found[:, 0] for found in self.index.search(predictions.embedding, k=1))
        threshold = amg.threshold(sigma, self.settings.lambda_min, self.settings.lambda_max)
        s1 = amg.despecification_scale(similarity, self.settings.c1, self.guidance_scale)
        s2 = amg.deduplication_scale(similarity, self.settings.c2, self.guidance_scale, s1)
        acts = (similarity > threshold).to(sigma.dtype)

        # All numbers in one transfer, so that the device is waited for once; the positions are then ready.
        numbers = torch.stack([sigma, similarity, threshold, acts, s1, s2]).tolist()
        step = Step(
            sigma=numbers[0][0],
            similarity=numbers[1],
            threshold=numbers[2],
            neighbour=neighbour.tolist(),
            acted=[flag == 1 for flag in numbers[3]],
            s1=numbers[4],
            s2=numbers[5],
        )
        self.trace.append(step)
        for sample, value in enumerate(numbers[1]):
            # NaN is above no threshold: unchecked, it would shut the gate without a word.
            if not math.isfinite(value):
                self._fail("similarity", sample, predictions.conditional)

        opened = [sample for sample, flag in enumerate(numbers[3]) if flag == 1]
        deduplicated = [sample for sample in opened if numbers[5][sample] > 0]
        return _Gate(neighbour, neighbour.tolist(), s1, s2, opened, deduplicated)

    def _similarity_gradient(
        self, x: Tensor, sigma: Tensor, predictions: _Predictions, gate: _Gate
    ) -> Tensor:
        """Gradient in `x` of the similarity to the nearest item, held fixed; a row a sample that opened."""
        graphs = [predictions.graph] if predictions.graph is not None else []
        expected = [sample for graph in graphs for sample in graph.samples]
        if unexpected := [sample for sample in gate.opened if sample not in expected]:
            graphs.append(self._predict_with_graph(x, sigma, unexpected))

        row_of: dict[int, Tensor] = {}
        for graph in graphs:
            opened = [row for row, sample in enumerate(graph.samples) if sample in gate.opened]
            if opened:
                with torch.enable_grad():
                    nearest = self.index.vectors(gate.neighbour[graph.samples])
                    similarity = (graph.embedding * nearest).sum(dim=-1)[opened]
                    # A similarity depends on its own x alone: the sum's gradient holds each sample's.
                    (rows,) = torch.autograd.grad(similarity.sum(), graph.x)
                row_of |= {graph.samples[row]: rows[row] for row in opened}

        gradient = torch.stack([row_of[sample] for sample in gate.opened])
        finite = gradient.flatten(1).isfinite().all(dim=1).tolist()
        for sample, is_finite in zip(gate.opened, finite, strict=True):
            if not is_finite:
                self._fail("gradient of the similarity", sample, predictions.conditional)
        return gradient

    def _predict_neighbours(self, x: Tensor, sigma: Tensor, predictions: _Predictions, gate: _Gate) -> Tensor:
        """Predictions for the nearest items' captions; a row for each sample with room for deduplication."""
        wanted = [(sample, gate.positions[sample]) for sample in gate.deduplicated]
        known = predictions.neighbours
        if missing := [pair for pair in wanted if pair not in known]:
            samples = [sample for sample, _ in missing]
            conditioning = type(self.conditional).cat(self._encode([position for _, position in missing]))
            predicted = self.denoise(x[samples], sigma[samples], conditioning)
            known = known | dict(zip(missing, predicted, strict=True))
        return torch.stack([known[pair] for pair in wanted])

    def _encode(self, positions: list[int]) -> list[Any]:
        """The conditionings of training items' captions, one each; encoded when first met."""
        if unmet := sorted({position for position in positions if position not in self._captions}):
            encoded = self.encode_neighbours(unmet)
            self._captions |= {position: encoded.select([row]) for row, position in enumerate(unmet)}
        return [self._captions[position] for position in positions]

    def _fail(self, what: str, sample: int, conditional: Tensor) -> NoReturn:
        """Say which step and sample it was, and how far along the chain the numbers were still finite."""
        denoised = conditional[[sample]]
        waveform = self.decode(denoised)
        remedy = "float16 overflows easily: load the model in bfloat16 or float32"
        if not denoised.isfinite().all():
            cause = f"because the model's prediction is not ({remedy})"
        elif not waveform.isfinite().all():
            cause = f"because the decoded sound is not ({remedy})"
        elif waveform.abs().max() < SILENCE:
            cause = "because the decoded sound is silent, and silence has no direction (try another seed)"
        else:
            cause = f"although prediction and sound are ({remedy})"
        raise GuidanceError(
            f"step {len(self.trace)} (sigma {self.trace[-1].sigma:.4g}), sample {sample}: "
            f"the {what} is not finite, {cause}"
        )
