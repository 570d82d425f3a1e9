"""Copies that a network trained on recorded sound effects embeds alike, moment by moment; asked on request.

`unheard.embedders.sound_effects` says every 0.19 s what the 1.6 s around it sound like. Of its numbers,
whitened, each sound's own mean is taken out: what stays the same through a sound is its instrument, its room
or the band it was sent through, which others have too. What is left are its changes. Two sounds are laid
over one another at every shift, and the cosines of moments that meet are summed, over the root of how many
there are: chance sums to the same whatever the length.

Register it with `unheard.auditing.evidence.register(LearnedEmbedding)`. The whitening and the null
distribution lie beside this file, made by `python -m lab.embedding_evidence`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.alignment import best_run
from unheard.auditing.calibration import Null, stored_null
from unheard.auditing.evidence.base import Finding, passage
from unheard.auditing.features import PERIOD, Signal

WHITENING = Path(__file__).with_suffix(".safetensors")
NULL = Path(__file__).with_suffix(".json")

SIZE = 32
"""Numbers that are kept of the network's."""
SPACING = 4
"""Frames from one moment compared to the next: 0.1 s."""
LEAST = 10
"""Moments that have to meet: 1 s."""
INDEPENDENT = 0.54
"""Steps of the network in a moment: so many of the moments that meet say something of their own."""
ASSUMED_RELATIVES = 5
"""References of any catalogue that are taken for relatives of a sound: a pack has so many takes."""


class LearnedEmbedding:
    """Sums of cosines of embedded moments at the best shift; its score is 0 or more."""

    name: ClassVar[str] = "learned embedding"

    @property
    def calibration(self) -> dict[str, Any]:
        """What the tails were measured on, and how."""
        made_by: dict[str, Any] = _stored()["made_by"]
        return made_by

    def features(self, signal: Signal) -> Tensor:
        """[frames, SIZE]: whitened embeddings; a silent frame is all zeros.

        The network is read when this is first asked.
        """
        from unheard.embedders.sound_effects import bundled

        frames = len(signal.features)
        if not frames:
            return torch.zeros(0, SIZE)
        steps = whitened(bundled().embed_steps(signal.waveform, signal.sample_rate))
        return at_frames(steps, frames) * torch.from_numpy(signal.audible)[:, None]

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The best shift; None if nothing of a second meets, or nothing that meets is alike."""
        ours, theirs = centred(piece[::SPACING]), centred(part[::SPACING])
        if min(len(ours), len(theirs)) < LEAST:
            return None
        cosines = ours @ theirs.T
        heard = torch.outer(ours.any(dim=1).float(), theirs.any(dim=1).float())
        sums, met = along_diagonals(cosines), along_diagonals(heard)
        scores = torch.where(met >= LEAST, sums * (INDEPENDENT / met.clamp(min=1)).sqrt(), 0.0)
        best = int(scores.argmax())
        if scores[best] <= 0:
            return None
        shift = best - (len(ours) - 1)
        start, end = densest(cosines.diagonal(shift))
        first, other = max(0, -shift), max(0, shift)
        return Finding(
            score=float(scores[best]),
            start=(first + start) * SPACING,
            end=min((first + end) * SPACING, len(piece)),
            reference_start=(other + start) * SPACING,
            reference_end=min((other + end) * SPACING, len(part)),
            covers=partial(passage, len(piece), (first + start) * SPACING, (first + end) * SPACING),
        )

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons with a relative that is no copy that reach this score, 0 to 1."""
        return _null().false_alarm_rate(score)

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """How many of so many comparisons reach the score by chance, some with relatives."""
        return _null().expected_false_alarms(score, comparisons, ASSUMED_RELATIVES)


def at_frames(steps: Tensor, frames: int) -> Tensor:
    """Embeddings at each step [steps, numbers] to those at each frame [frames, numbers], linearly."""
    from unheard.embedders.sound_effects import STEP

    position = (torch.arange(frames) * PERIOD / STEP - 0.5).clamp(0, len(steps) - 1)
    before = position.floor().long()
    after = (before + 1).clamp(max=len(steps) - 1)
    return torch.lerp(steps[before], steps[after], (position - before)[:, None])


def centred(moments: Tensor) -> Tensor:
    """Moments [moments, numbers] without their mean, at unit length; silent ones stay zeros."""
    heard = moments.any(dim=1, keepdim=True)
    mean = moments.sum(dim=0) / heard.sum().clamp(min=1)
    return F.normalize((moments - mean) * heard, dim=1)


def along_diagonals(table: Tensor) -> Tensor:
    """Sums [rows + columns - 1] over the diagonals of a table [rows, columns], the lower left first."""
    rows, columns = table.shape
    # flipped, and each row moved by one more than that before: what was a diagonal is a column
    sheared = F.pad(table.flip(0), (0, rows)).flatten()[: rows * (rows + columns - 1)]
    return sheared.view(rows, rows + columns - 1).sum(dim=0)


def densest(alike: Tensor) -> tuple[int, int]:
    """Start and end of the run with the largest sum of what exceeds half the values' mean."""
    return best_run((alike - alike.mean() / 2).double().numpy())


def whitening(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [numbers] and whitening principal components [numbers, SIZE] of embeddings [samples, numbers]."""
    mean = samples.mean(dim=0)
    _, deviations, directions = torch.linalg.svd(samples - mean, full_matrices=False)
    return mean, directions[:SIZE].T / deviations[:SIZE] * len(samples) ** 0.5


def whitened(steps: Tensor) -> Tensor:
    """Embeddings [steps, numbers] as the package whitens them [steps, SIZE]."""
    mean, components = _whitening()
    return (steps - mean) @ components


@lru_cache(maxsize=1)
def _whitening() -> tuple[Tensor, Tensor]:
    loaded = load_file(WHITENING)
    return loaded["mean"].float(), loaded["components"].float()


@lru_cache(maxsize=1)
def _stored() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(NULL.read_text("utf-8"))
    return stored


@lru_cache(maxsize=1)
def _null() -> Null:
    return stored_null({sort: _stored()[sort] for sort in ("unrelated", "relatives")})
