"""Distils a gate head from a model's decoder and embedder, and measures how far it can be trusted.

The predictions of plain trajectories, at all noise levels, are decoded and embedded as the gate would have
them. A decoder is local in time, so two of these sounds, cut at one frame and put together, are a third
whose latents are known: such splices cost an embedding and no decoding. Captions are split three ways: to
train, to set the margin, and to count how often it does not suffice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.base import by_frame, trim
from unheard.common.checks import require_whole
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.errors import InputError
from unheard.generation import request as checks
from unheard.generation.calibration.captions import ordinary_captions, repeated_captions
from unheard.generation.calibration.thresholds import threshold_of
from unheard.generation.model import Model
from unheard.guidance.amg.gate_head import Fit, GateHead
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.index import Index

SOUNDS, EVERY = 300, 3
"""Trajectories, and of which of their steps the predictions are decoded."""
DIFFERING = 0.001
"""Share of predictions whose similarity may lie above the head's by more than the margin."""
PARTS = ("train", "train", "train", "margin", "test")
"""What each caption is for, by turns."""
SPLICES = 2
"""For each prediction that is trained on."""
EPOCHS, BATCH, RATE, DECAY = 60, 64, 2e-3, 0.05


@dataclass
class Predictions:
    """Predictions of sounds on their way.

    Attributes:
        latents: [n, features, frames].
        embeddings: of their sounds, [n, dimension].
    """

    latents: Tensor
    embeddings: Tensor

    def __len__(self) -> int:
        return len(self.latents)


def train(
    model: Model,
    index: Index | str = "auto",
    *,
    duration: float | None = None,
    sounds: int = SOUNDS,
    seed: int = 0,
    progress: Report | None = None,
) -> tuple[GateHead, Fit]:
    """A gate head for a model, its embedder and sounds of a duration.

    Args:
        model: loaded from files.
        index: the training set, whose captions are the prompts: those that several items have, which may be
            memorised, and as many as are left of those that one item has.
        duration: seconds; None for the model's default.
        sounds: trajectories, at least 5.
        seed: of captions, noise, splices and weights.
        progress: called with how many trajectories or epochs are done.

    Raises:
        InputError: a value that cannot be used, no index, too few captions, or a model or embedder that was
            loaded from no files: nothing would tell whose head it is.
    """
    require_whole("sounds", sounds, len(PARTS))
    seconds = min(model.defaults.duration, model.backbone.max_duration) if duration is None else duration
    checks.check_duration(seconds, model.backbone.max_duration, model.backbone.name)
    checks.check_seed(seed)
    training_set = model.training_set(index)
    fingerprint, embedder = model.fingerprint, model.embedder.sha256
    if training_set.index is None:
        raise InputError(f"{model.name} brings no index: give one (--index PATH)")
    if fingerprint is None or embedder is None:
        raise InputError(
            f"{model.name} or its embedder was loaded from no folder: nothing tells it from others"
        )
    report = progress or (lambda done, total, note="": None)
    made = _Collecting(model, seconds, random.Random(seed))
    captions = captions_by_part(training_set.index, sounds, seed)
    for number in range(sounds):  # where captions are few, each is taken again with other noise
        caption, part = captions[number % len(captions)]
        made.add(caption, seed + number, part)
        report(number + 1, sounds, "trajectories")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trained = made.spliced()
        head = _distil(trained, model.backbone.device, lambda done: report(done, EPOCHS, "epochs"))
    too_low = {
        part: _too_low(head, made.of(part), training_set.index, model.backbone.device)
        for part in ("margin", "test")
    }
    margin = max(threshold_of(too_low["margin"], DIFFERING).value, *too_low["margin"], 0.0)
    fit = Fit(
        model=model.name,
        fingerprint=fingerprint,
        embedder=embedder,
        features=trained.latents.shape[1],
        dimension=trained.embeddings.shape[1],
        duration=float(seconds),
        margin=margin,
        trained=len(made.of("train")),
        calibrated=len(too_low["margin"]),
        tested=len(too_low["test"]),
        beyond=sum(value > margin for value in too_low["test"]),
    )
    return head, fit


def captions_by_part(index: Index, sounds: int, seed: int) -> list[tuple[str, str]]:
    """The captions that `train` takes, each with which of `PARTS` it is for.

    Half of them are repeated ones, if there are so many; in an order that gives each part some of both.

    Raises:
        InputError: too few captions.
    """
    repeated = repeated_captions(index, sounds // 2)
    found = repeated + ordinary_captions(index, sounds - len(repeated), seed=seed, without=repeated)
    if len(found) < len(PARTS):
        raise InputError(f"the index has {plural(len(found), 'caption')}: {len(PARTS)} at least are needed")
    random.Random(seed).shuffle(found)
    return [(caption, PARTS[number % len(PARTS)]) for number, caption in enumerate(found)]


class _Collecting:
    """Gathers predictions, those to train on with their sounds."""

    def __init__(self, model: Model, duration: float, draw: random.Random) -> None:
        self._model, self._duration, self._draw = model, duration, draw
        self._latents: dict[str, list[Tensor]] = {part: [] for part in PARTS}
        self._embeddings: dict[str, list[Tensor]] = {part: [] for part in PARTS}
        self._waveforms: list[Tensor] = []

    @torch.no_grad()
    def add(self, caption: str, seed: int, part: str) -> None:
        """The predictions of every third step of a caption's trajectory."""
        backbone, axis = self._model.backbone, self._model.backbone.time_axis
        for prediction in self._predictions(caption, seed):
            latents = trim(prediction, backbone.frames(self._duration), axis)
            waveform = backbone.decode(latents)
            self._latents[part].append(by_frame(latents[0], axis).cpu())
            self._embeddings[part].append(self._embed(waveform))
            if part == "train":
                self._waveforms.append(waveform[0].half().cpu())

    def of(self, part: str) -> Predictions:
        return Predictions(torch.stack(self._latents[part]), torch.stack(self._embeddings[part]))

    @torch.no_grad()
    def spliced(self) -> Predictions:
        """The predictions to train on, and splices of them."""
        own, latents, embeddings = self.of("train"), [], []
        frames = own.latents.shape[-1]
        hop = self._waveforms[0].shape[-1] / frames
        for _ in range(SPLICES * len(own) if frames > 1 else 0):
            (a, b), cut = self._draw.sample(range(len(own)), 2), self._draw.randrange(1, frames)
            at = round(cut * hop)
            latents.append(torch.cat([own.latents[a][:, :cut], own.latents[b][:, cut:]], dim=-1))
            sound = torch.cat([self._waveforms[a][:, :at], self._waveforms[b][:, at:]], dim=-1)
            embeddings.append(self._embed(sound.float().to(self._model.backbone.device)[None]))
        if not latents:
            return own
        return Predictions(
            torch.cat([own.latents, torch.stack(latents)]),
            torch.cat([own.embeddings, torch.stack(embeddings)]),
        )

    def _embed(self, waveform: Tensor) -> Tensor:
        embedding = self._model.embedder.embed_audio(waveform, self._model.backbone.sample_rate)
        return embedding[0].float().cpu()

    def _predictions(self, caption: str, seed: int) -> list[Tensor]:
        """`D_c` at every third step of a plain trajectory, from a random one of the first three on."""
        backbone, sampling = self._model.backbone, self._model.defaults.sampling
        conditional, unconditional = backbone.encode_both([caption], [None], [0.0], [self._duration])
        every: list[Tensor] = []

        def denoise(x: Tensor, sigma: Tensor, conditioning: Any) -> Tensor:
            predictions = backbone.denoise(x, sigma, conditioning)
            every.append(predictions[-1:])  # that under the prompt is the last, or the only one
            return predictions

        plain = ClassifierFreeGuidance(
            denoise,
            conditional,
            unconditional,
            guidance_scale=sampling.guidance_scale,
            prompt_guidance=backbone.prompt_guidance(),
        )
        sigmas, shape = backbone.sigmas(sampling), backbone.noise_shape(self._duration)
        start = float(sigmas[0]) * initial_noise(shape, [seed], backbone.device)
        noise = noise_of(sampling, sigmas, shape, [seed], backbone.device)
        SAMPLERS[sampling.sampler](plain, start, sigmas, noise)
        return every[self._draw.randrange(EVERY) :: EVERY]


def _distil(examples: Predictions, device: torch.device, report: Callable[[int], None]) -> GateHead:
    """A head that gives the examples' embeddings, as far as it can."""
    head = GateHead(examples.latents.shape[1], examples.embeddings.shape[1]).to(device)
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    batches = -(-len(examples) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * batches)
    for epoch in range(EPOCHS):
        for some in torch.split(torch.randperm(len(examples)), BATCH):
            latents, target = (each[some].to(device) for each in (examples.latents, examples.embeddings))
            loss = 1 - (head(latents) * target).sum(dim=-1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        report(epoch + 1)
    return head.eval().requires_grad_(False)


@torch.no_grad()
def _too_low(head: GateHead, predictions: Predictions, index: Index, device: torch.device) -> list[float]:
    """By how much the exact similarity to the nearest item lies above what the head says, for each."""
    exact, foreseen = (
        index.search(vectors.to(device))[0][:, 0]
        for vectors in (predictions.embeddings, head(predictions.latents.to(device)))
    )
    return [float(value) for value in (exact - foreseen).tolist()]
