"""The published anti-memorization guidance (Messina et al. 2025, arXiv 2509.14934).

Its equations are in `unheard.guidance.amg.equations`; this module decides what has to be computed for them,
and when. It works per sample: a batch of different prompts gives what each prompt gives alone.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor

from unheard.backbones.base import Conditioning
from unheard.diffusion.levels import level_of, levels_of
from unheard.diffusion.prediction import Denoise, classifier_free
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.diffusion.settings import PURE_NOISE
from unheard.errors import GuidanceError, InputError
from unheard.guidance.amg import equations
from unheard.guidance.amg.settings import AMG
from unheard.guidance.base import NEAREST, GuidanceWarning, Step


class NeighbourSearch(Protocol):
    """The training set, as the guidance asks it."""

    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Unit vectors [batch, dim] to the similarities and positions [batch, k] of the nearest items."""

    def vectors(self, positions: Tensor) -> Tensor:
        """Positions [batch] to the items' unit vectors [batch, dim]."""


SILENCE = 1e-6  # the embedder's floor of the peak; no sound below it has a direction

# Gradients are carried at this multiple, so that a float16 model's do not vanish on the way (Micikevicius et
# al. 2018, arXiv 1710.03740); a power of two changes no digit.
GRADIENT_SCALE = 1024.0


LIKELY = 0.1
"""How far below the threshold the last similarity may lie where the gate is expected to open."""


@dataclass(frozen=True)
class Foresight:
    """What a similarity will be, without decoding.

    Attributes:
        embed: predictions [batch, *latent_shape] to about the unit vectors [batch, dim] of their sounds.
        margin: how far a similarity may lie above what these give.
    """

    embed: Callable[[Tensor], Tensor]
    margin: float


# A prediction is for a sample and a caption: the prompt, nothing, or (0 and up) that of an item in the index.
Pair = tuple[int, int]
PROMPT, NOTHING = -1, -2


@dataclass(frozen=True)
class _Graph:
    """Predictions for the prompts of some samples, with the graph from their `x`."""

    samples: list[int]
    x: Tensor
    denoised: Tensor

    def rows(self) -> dict[int, Tensor]:
        """The predictions by sample, without the graph."""
        return dict(zip(self.samples, self.denoised.detach(), strict=True))

    def backward(self, onward: dict[int, Tensor]) -> dict[int, Tensor]:
        """From the gradients in the predictions of some samples to those of the similarities in `x`."""
        nothing = torch.zeros_like(self.denoised[0])
        rows = torch.stack([onward.get(sample, nothing) for sample in self.samples])
        (gradient,) = torch.autograd.grad(self.denoised, self.x, rows)
        by_sample = dict(zip(self.samples, gradient / GRADIENT_SCALE, strict=True))
        return {sample: by_sample[sample] for sample in onward}


@dataclass(frozen=True)
class _Embedded:
    """Predictions of some samples that were decoded and embedded, with the graph from the predictions."""

    samples: list[int]
    denoised: Tensor
    embedding: Tensor
    neighbour: Tensor

    def backward(self, samples: list[int], index: NeighbourSearch) -> dict[int, Tensor]:
        """`GRADIENT_SCALE * d similarity / d prediction` of some of them, the nearest items held fixed."""
        rows = [row for row, sample in enumerate(self.samples) if sample in samples]
        if not rows:
            return {}
        # A similarity depends on its own sample alone: the sum's gradient holds each sample's.
        with torch.enable_grad():
            similarity = _rows(self.embedding, rows) * index.vectors(_rows(self.neighbour, rows))
            (gradient,) = torch.autograd.grad(GRADIENT_SCALE * similarity.sum(), self.denoised)
        return {self.samples[row]: gradient[row] for row in rows}


@dataclass(frozen=True)
class _Nearest:
    """The item nearest to a prediction; `embedded` is the way back from there, where there is one."""

    similarity: Tensor
    neighbour: Tensor
    embedded: _Embedded | None = None


@dataclass(frozen=True)
class _Needs:
    """What a step computes besides the prompts' predictions: samples' gradients, and further predictions."""

    gradient: list[int]
    predictions: list[Pair]


@dataclass(frozen=True)
class _Gate:
    """Scales of all samples, which opened, the neighbours to turn away from, and what all that needs.

    `similarities` are those of the samples that were asked.
    """

    s1: Tensor
    s2: Tensor
    opened: list[int]
    neighbours: list[Pair]
    needs: _Needs
    similarities: dict[int, float]


class AMGDenoiser:
    """Classifier-free guidance with anti-memorization guidance on top, where its gate opens.

    The gate is asked first. A sample whose gate is shut costs a plain step, one decoding and one embedding:
    no gradient, no neighbour's prediction, and far from the threshold no graph. Where it opens, the gradient
    of the similarity goes back through embedder, decoder and denoiser to `x`. Where `s1 + s2` reach `s0 - 1`,
    as they do at high similarity, the unconditional prediction drops out of the result and is not made.

    What a sample needed at the last step it will most likely need again, so that much is expected: the
    neighbour's prediction is taken along in the batched call, the unconditional one is left out. Where the
    last similarity lies above the threshold or less than `LIKELY` below, the prompt's is made with a graph at
    once, so that nothing is computed twice if the gate opens. Where that holds for all samples, the others
    wait for the gate and need not be expected. Where an expectation fails, what is missing is made up for and
    what is too much is dropped: the result is the same either way.

    Where the settings say so, a sample far below the threshold is asked in some steps alone (`ask_every`).
    In the others it costs a plain step, and the trace has no value of it. Where there is a `foresight`, a
    sample that it sees below the threshold is not asked either.

    One instance belongs to one trajectory: it keeps the trace and the expectations. The parameters of the
    networks behind `denoise`, `decode` and `embed` should not require gradients; only `x` does.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`, differentiable in `x`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: `s0`. At 1 or less there is no room for `s1` and `s2`: only dissimilarity acts, and a
            `GuidanceWarning` says so.
        settings: weights and thresholds.
        prompt_guidance: what stands for `D_u` in all terms; see `unheard.diffusion.prompt_guidance`.
        decode: latents to the waveform [batch, channels, time] of the requested duration; differentiable.
        embed: waveform to unit vectors [batch, dim]; differentiable.
        index: the training set's embeddings.
        encode_neighbours: positions in the index to the conditioning of these items' captions and timings.
            Asked once for each item.
        foresight: tells from predictions alone how similar they are, and how far that may be wrong; None
            decodes whatever is asked.

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
        settings: AMG,
        decode: Callable[[Tensor], Tensor],
        embed: Callable[[Tensor], Tensor],
        index: NeighbourSearch,
        encode_neighbours: Callable[[list[int]], Any],
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
        foresight: Foresight | None = None,
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.settings = settings
        self.decode = decode
        self.embed = embed
        self.index = index
        self.encode_neighbours = encode_neighbours
        self.foresight = foresight
        self.trace: list[Step] = []
        everyone = range(len(conditional))
        self._captions: dict[int, Any] = {}
        self._batched: tuple[list[Pair], Any] | None = None
        self._given = {(sample, NOTHING): unconditional.select([sample]) for sample in everyone}
        self._given |= {(sample, PROMPT): conditional.select([sample]) for sample in everyone}
        self._expected = _Needs(gradient=[], predictions=[(sample, NOTHING) for sample in everyone])
        self._similarities: dict[int, float] = {}
        if guidance_scale <= 1 and (settings.c1 > 0 or settings.c2 > 0):
            idle = "with c3 = 0 the guidance does nothing"
            left = "only dissimilarity (c3) acts" if settings.c3 > 0 else idle
            warnings.warn(
                f"a guidance scale of {guidance_scale} leaves no room for c1 and c2: {left}",
                GuidanceWarning,
                stacklevel=2,
            )

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch].

        Raises:
            GuidanceError: the similarity or its gradient is not finite.
            InputError: a beginning in pure noise, where the dissimilarity in noise space has no bound.
        """
        if not self.trace:
            self._check_beginning(sigma)
        known, nearest, graph = self._predict_the_expected(x, sigma)
        gate = self._ask_gate(sigma, nearest, known)
        self._expected = gate.needs
        self._similarities |= gate.similarities

        gradient = self._similarity_gradient(x, sigma, gate.needs.gradient, nearest, graph)
        known |= self._predict(x, sigma, [pair for pair in gate.needs.predictions if pair not in known])
        self._check_finite(gradient, known)  # after all is launched, since it waits for the device
        return self._combine(x, sigma, known, gradient, gate)

    def _check_beginning(self, sigma: Tensor) -> None:
        noise_space = self.settings.c3 > 0 and self.settings.dissimilarity_space == "noise"
        if noise_space and float(sigma.max()) >= PURE_NOISE:
            raise InputError(
                "dissimilarity_space is 'noise', which weighs by sigma^2, but the schedule begins in pure "
                "noise: take 'denoised', or the schedule polyexponential"
            )

    def _predict_the_expected(
        self, x: Tensor, sigma: Tensor
    ) -> tuple[dict[Pair, Tensor], dict[int, _Nearest], _Graph | None]:
        """The prompts' predictions with the nearest items of those asked, and what else can be expected.

        All that needs no graph goes through the denoiser in one call. Where the gate can be asked without it,
        it waits for the answer, which says what it is.
        """
        settings, step = self.settings, len(self.trace)
        near = self._within(settings.ask_margin, sigma)
        asked = [sample for sample in range(len(x)) if step % settings.ask_every == 0 or sample in near]
        likely = self._within(LIKELY, sigma) if settings.c3 > 0 else set()
        graphed = [sample for sample in asked if sample in likely]
        others = [sample for sample in range(len(x)) if sample not in graphed]
        prompts = [(sample, PROMPT) for sample in others]
        known = self._predict(x, sigma, self._expected.predictions + prompts if others else [])
        unsure = {sample: known[sample, PROMPT] for sample in others if sample in asked}
        nearest = self._find_nearest(self._not_foreseen(unsure, sigma))
        if not graphed:
            return known, nearest, None
        graph = self._predict_with_graph(x, sigma, graphed)
        known |= {(sample, PROMPT): row for sample, row in graph.rows().items()}
        return known, nearest | self._find_nearest(graph.rows(), with_graph=True), graph

    def _not_foreseen(self, denoised: dict[int, Tensor], sigma: Tensor) -> dict[int, Tensor]:
        """Those of some samples' predictions that the foresight does not see below the threshold."""
        if self.foresight is None or not denoised:
            return denoised
        vectors = self.foresight.embed(torch.stack([*denoised.values()]))
        seen = dict(zip(denoised, self.index.search(vectors)[0][:, 0].tolist(), strict=True))
        self._similarities |= seen
        thresholds = self._thresholds(sigma)
        return {
            sample: row
            for sample, row in denoised.items()
            # in this form, since NaN is to be asked
            if not seen[sample] + self.foresight.margin <= thresholds[sample]
        }

    def _thresholds(self, sigma: Tensor) -> list[float]:
        """Of each sample at this step."""
        levels = torch.tensor(levels_of(sigma), dtype=sigma.dtype)  # on the CPU, as the trace has them
        limits = equations.threshold(levels, self.settings.lambda_min, self.settings.lambda_max)
        return [float(limit) for limit in limits.tolist()]

    def _within(self, margin: float, sigma: Tensor) -> set[int]:
        """The samples whose last similarity is above this step's threshold, or less than a margin below."""
        thresholds = self._thresholds(sigma)
        return {
            sample
            for sample, similarity in self._similarities.items()
            if similarity > thresholds[sample] - margin
        }

    def _predict(self, x: Tensor, sigma: Tensor, pairs: list[Pair]) -> dict[Pair, Tensor]:
        """Predictions without a graph, in one call."""
        if not pairs:
            return {}
        samples = [sample for sample, _ in pairs]
        predictions = self.denoise(_rows(x, samples), _rows(sigma, samples), self._conditioning(pairs))
        return dict(zip(pairs, predictions, strict=True))

    def _predict_with_graph(self, x: Tensor, sigma: Tensor, samples: list[int]) -> _Graph:
        """Predictions for the prompts of `samples`, with the graph from their `x`."""
        with torch.enable_grad():
            source = _rows(x, samples).detach().requires_grad_()
            conditioning = self._conditioning([(sample, PROMPT) for sample in samples])
            return _Graph(samples, source, self.denoise(source, _rows(sigma, samples), conditioning))

    def _conditioning(self, pairs: list[Pair]) -> Any:
        """The conditionings of the pairs as a batch; an item's caption is encoded when it is first met.

        That of the last pairs is kept: most steps ask for the same.
        """
        if self._batched is not None and self._batched[0] == pairs:
            return self._batched[1]
        unmet = sorted({caption for _, caption in pairs if caption >= 0 and caption not in self._captions})
        if unmet:
            encoded = self.encode_neighbours(unmet)
            self._captions |= {caption: encoded.select([row]) for row, caption in enumerate(unmet)}
        parts = [self._captions[pair[1]] if pair[1] >= 0 else self._given[pair] for pair in pairs]
        self._batched = pairs, type(parts[0]).cat(parts)
        return self._batched[1]

    def _find_nearest(self, denoised: dict[int, Tensor], with_graph: bool = False) -> dict[int, _Nearest]:
        """Decode and embed the predictions of samples, and find their nearest items."""
        nearest: dict[int, _Nearest] = {}
        for samples in _groups(denoised):
            with torch.set_grad_enabled(with_graph):
                source = torch.stack([denoised[sample] for sample in samples]).requires_grad_(with_graph)
                embedding = self.embed(self.decode(source))
            similarity, neighbour = self._nearest(embedding.detach())
            embedded = _Embedded(samples, source, embedding, neighbour) if with_graph else None
            for sample, value, position in zip(samples, similarity, neighbour, strict=True):
                nearest[sample] = _Nearest(value, position, embedded)
        return nearest

    def _nearest(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Similarity and position [batch] of the items nearest to embeddings [batch, dim]."""
        similarity, neighbour = self.index.search(embedding, k=1)
        return similarity[:, 0], neighbour[:, 0]

    def _ask_gate(self, sigma: Tensor, nearest: dict[int, _Nearest], known: dict[Pair, Tensor]) -> _Gate:
        """Compare the similarities of those asked with the threshold, and write the trace."""
        everyone, s0 = range(len(sigma)), self.guidance_scale
        if not nearest:
            return self._leave_shut(sigma)
        threshold = equations.threshold(sigma, self.settings.lambda_min, self.settings.lambda_max)
        unasked = _Nearest(torch.full_like(sigma[0], -1.0), torch.zeros_like(sigma[0], dtype=torch.long))
        answers = [nearest.get(sample, unasked) for sample in everyone]
        similarity = torch.stack([answer.similarity for answer in answers])
        neighbour = torch.stack([answer.neighbour for answer in answers])
        s1 = equations.despecification_scale(similarity, self.settings.c1, s0)
        s2 = equations.deduplication_scale(similarity, self.settings.c2, s0, s1)
        unconditional = equations.unconditional_weight(s0, s1, s2)
        acts = (similarity > threshold).to(sigma.dtype)

        # All numbers in one transfer, so that the device is waited for once; the positions are then ready.
        numbers = torch.stack([sigma, similarity, threshold, acts, s1, s2, unconditional]).tolist()
        levels, similarities, thresholds, flags, s1_values, s2_values, weights = numbers
        positions = neighbour.tolist()
        asked = [sample in nearest for sample in everyone]
        acted = [flag == 1 and ask for flag, ask in zip(flags, asked, strict=True)]
        self.trace.append(
            Step(
                sigma=levels[0],
                value=_where(asked, similarities),
                measure=[NEAREST] * len(positions),
                threshold=thresholds,
                neighbour=_where(asked, positions),
                acted=acted,
                s1=_where(asked, s1_values),
                s2=_where(asked, s2_values),
            )
        )
        for sample in nearest:
            # NaN is above no threshold: unchecked, it would shut the gate without a word.
            if not math.isfinite(similarities[sample]):
                self._fail("similarity", sample, known[sample, PROMPT])

        opened = [sample for sample in everyone if acted[sample]]
        neighbours = [(sample, positions[sample]) for sample in opened if s2_values[sample] > 0]
        drops_out = [
            not self.prompt_guidance.remembers and acted[sample] and weights[sample] == 0
            for sample in everyone
        ]
        plain = [(sample, NOTHING) for sample in everyone if not drops_out[sample]]
        needs = _Needs(gradient=opened if self.settings.c3 > 0 else [], predictions=plain + neighbours)
        told = {sample: similarities[sample] for sample in nearest}
        return _Gate(s1, s2, opened, neighbours, needs, told)

    def _leave_shut(self, sigma: Tensor) -> _Gate:
        """Nobody was asked: as plain as a plain step, and the device is not waited for."""
        nobody: list[Any] = [None] * len(sigma)
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                value=nobody,
                measure=[NEAREST] * len(sigma),
                threshold=self._thresholds(sigma),
                neighbour=nobody,
                acted=[False] * len(sigma),
                s1=nobody,
                s2=nobody,
            )
        )
        nothing = torch.zeros_like(sigma)
        plain = [(sample, NOTHING) for sample in range(len(sigma))]
        return _Gate(nothing, nothing, [], [], _Needs(gradient=[], predictions=plain), {})

    def _similarity_gradient(
        self, x: Tensor, sigma: Tensor, samples: list[int], nearest: dict[int, _Nearest], graph: _Graph | None
    ) -> dict[int, Tensor]:
        """`d similarity / d x` of `samples`: by the expected graph, and by another for the unexpected."""
        gradient: dict[int, Tensor] = {}
        if graph is not None and (expected := [sample for sample in samples if sample in graph.samples]):
            gradient |= graph.backward(self._onward(expected, nearest))
        if unexpected := [sample for sample in samples if sample not in gradient]:
            graph = self._predict_with_graph(x, sigma, unexpected)
            again = self._find_nearest(graph.rows(), with_graph=True)
            gradient |= graph.backward(self._onward(unexpected, again))
        return {sample: gradient[sample] for sample in samples}

    def _onward(self, samples: list[int], nearest: dict[int, _Nearest]) -> dict[int, Tensor]:
        """`GRADIENT_SCALE * d similarity / d prediction` of samples."""
        groups = {id(found): found for sample in samples if (found := nearest[sample].embedded) is not None}
        gradient: dict[int, Tensor] = {}
        for group in groups.values():
            gradient |= group.backward(samples, self.index)
        return gradient

    def _check_finite(self, gradient: dict[int, Tensor], known: dict[Pair, Tensor]) -> None:
        if not gradient:
            return
        finite = torch.stack(list(gradient.values())).flatten(1).isfinite().all(dim=1).tolist()
        for sample, is_finite in zip(gradient, finite, strict=True):
            if not is_finite:
                self._fail("gradient of the similarity", sample, known[sample, PROMPT])

    def _combine(
        self,
        x: Tensor,
        sigma: Tensor,
        known: dict[Pair, Tensor],
        gradient: dict[int, Tensor],
        gate: _Gate,
    ) -> Tensor:
        """The guided prediction: classifier-free guidance and, where the gate opened, the three terms."""
        everyone = range(len(sigma))
        conditional = torch.stack([known[sample, PROMPT] for sample in everyone])
        # Where the unconditional prediction drops out it may be unknown, and any other stands in for it.
        unconditional = torch.stack(
            [known.get((sample, NOTHING), conditional[sample]) for sample in everyone]
        )
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        guided = classifier_free(unconditional, conditional, self.guidance_scale)
        # By slices: an index made of a list would have to reach the device, which is waited for.
        for sample in gate.opened:
            one = slice(sample, sample + 1)
            guided[one] += equations.despecification(unconditional[one], conditional[one], gate.s1[one])
        for sample, caption in gate.neighbours:
            one = slice(sample, sample + 1)
            neighbour = known[sample, caption][None]
            guided[one] += equations.deduplication(unconditional[one], neighbour, gate.s2[one])
        for sample, row in gradient.items():
            one, space = slice(sample, sample + 1), self.settings.dissimilarity_space
            guided[one] += equations.dissimilarity(row[None], sigma[one], self.settings.c3, space)
        return guided

    def _fail(self, what: str, sample: int, denoised: Tensor) -> NoReturn:
        """Say which step and sample it was, and how far along the chain the numbers were still finite."""
        waveform = self.decode(denoised[None])
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


def _rows(values: Tensor, samples: list[int]) -> Tensor:
    """The rows of samples; by no index, which would have to reach the device."""
    if samples == [*range(len(values))]:
        return values
    return torch.stack([values[sample] for sample in samples])


def _where(asked: list[bool], values: list[Any]) -> list[Any]:
    """The values of the samples that were asked, and None for the others."""
    return [value if ask else None for ask, value in zip(asked, values, strict=True)]


def _groups(rows: dict[int, Tensor]) -> list[list[int]]:
    """Samples to decode together: all on an accelerator, one at a time on a CPU.

    On a CPU a batch of waveforms gains nothing from being decoded together, and its activations are so large
    that the allocator hands their memory back to the system and fetches it anew each time.
    """
    samples = list(rows)
    if samples and rows[samples[0]].device.type == "cpu":
        return [[sample] for sample in samples]
    return [samples] if samples else []
