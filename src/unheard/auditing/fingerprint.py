"""Fingerprints: which references a sound may come from, found among very many without reading them.

A fingerprint is the magnitude of the two-dimensional Fourier transform of two seconds of features, which
hardly changes when the passage begins a little later or is transposed (Bertin-Mahieux and Ellis 2012,
"Large-scale cover song recognition using the 2D Fourier transform magnitude"), reduced to `SIZE` numbers by a
whitened principal component analysis, and of unit length. No network takes part. The components come from
`python -m lab.calibrate_audit` and lie beside this file.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.features import BANDS, FINE
from unheard.auditing.part_search import highest_of_parts

VERSION = 4
"""Raised whenever features, fingerprints, landmarks or moments are computed in another way: cached ones are
then made again."""
WINDOW, HOP = 80, 32
"""Frames of a fingerprint, and from one to the next: 2 s and 0.8 s."""
SIZE = 64
RATES, SPREADS = 16, 20
"""Coefficients taken of the transform: modulations in time up to 7.5 Hz, and along the bands."""
EDGE = 12
"""Bands over which the features fade out at both ends, so that what is transposed out of sight fades."""
COMPONENTS = Path(__file__).parent / "fingerprint.safetensors"

WINDOWS = 256
"""Windows that are transformed at once: 3.4 minutes of a catalogue's recording."""
FAMILIAR = 0.98
"""Share of the catalogue that a fingerprint may resemble by being ordinary; only what exceeds it counts."""


def modulations(features: Tensor, hop: int = HOP) -> Tensor:
    """Features [frames, VIEWS, BANDS] to compressed magnitudes [windows, coefficients], not reduced yet."""
    features = features[:, FINE]
    if len(features) < WINDOW:
        features = F.pad(features, (0, 0, 0, 0, 0, WINDOW - len(features)))
    fade = torch.ones(BANDS)
    fade[:EDGE] = torch.arange(EDGE) / EDGE
    fade[-EDGE:] = fade[:EDGE].flip(0)
    # the last window ends with the sound, so that no part of it is left out
    starts = list(range(0, len(features) - WINDOW + 1, hop))
    if starts[-1] + WINDOW + hop // 4 < len(features):
        starts.append(len(features) - WINDOW)
    blocks = []
    for first in range(0, len(starts), WINDOWS):
        some = [features[start : start + WINDOW] for start in starts[first : first + WINDOWS]]
        tapered = torch.stack(some).permute(0, 2, 3, 1) * fade[:, None] * torch.hann_window(WINDOW)
        magnitudes = torch.fft.rfft2(tapered, s=(192, WINDOW)).abs()[..., :RATES]
        taken = torch.cat([magnitudes[..., : SPREADS + 1, :], magnitudes[..., -SPREADS:, :]], dim=-2)
        blocks.append(taken.sqrt().flatten(1))
    return torch.cat(blocks)


def fingerprints(features: Tensor, hop: int = HOP) -> Tensor:
    """Features [frames, VIEWS, BANDS] to fingerprints [windows, SIZE] of unit length, one at least."""
    mean, components = _components()
    return F.normalize((modulations(features, hop) - mean) @ components, dim=-1)


def principal_components(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and whitening components [coefficients, SIZE] of modulations [samples, coefficients]."""
    mean = samples.mean(dim=0)
    _, deviations, directions = torch.linalg.svd(samples - mean, full_matrices=False)
    return mean, directions[:SIZE].T / deviations[:SIZE] * len(samples) ** 0.5


@lru_cache(maxsize=1)
def _components() -> tuple[Tensor, Tensor]:
    loaded = load_file(COMPONENTS)
    return loaded["mean"].float(), loaded["components"].float()


def resemblance(queries: Tensor, prints: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How much each part of a catalogue resembles a sound.

    Args:
        queries: the sound's fingerprints [windows, SIZE].
        prints: the catalogue's [all windows, SIZE], float16.
        begins, ends: of each part [parts], in windows; both rising, parts may overlap.

    Returns:
        [parts], 0 or more: over the sound's windows, the mean square of what the part's best cosine exceeds
        half of that window's usual best by.
    """
    best = highest_of_parts(
        lambda start, stop: (queries @ torch.from_numpy(prints[start:stop]).float().T).numpy(), begins, ends
    )
    usual = np.quantile(best, FAMILIAR, axis=1, keepdims=True) if len(begins) > 100 else 0.0
    found: np.ndarray = np.square(np.maximum(best - 0.5 * usual, 0.0)).mean(axis=0)
    return found
