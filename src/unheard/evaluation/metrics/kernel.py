"""Kernel audio distance (KAD): maximum mean discrepancy of two sets of embeddings, unbiased on small ones.

    100 * (mean k(x, x') + mean k(y, y') - 2 mean k(x, y)),    k(a, b) = exp(-|a - b|^2 / (2 b^2))

Conventions: pairs of a sound with itself are left out, so that it is exact on the mean and a single
value may be below 0; the bandwidth `b` is the median distance within the reference, the lower of two middle
ones, so that one reference measures all sets alike; the factor 100 is the paper's.

Chung et al. 2025, KAD (arXiv 2502.15602); the estimator is Gretton et al.'s (2012, JMLR 13, 723).
"""

from __future__ import annotations

import numpy as np

from unheard.errors import InputError
from unheard.evaluation.metrics.frechet import validate

SCALE = 100.0


def kernel_audio_distance(
    sounds: np.ndarray, reference: np.ndarray, *, bandwidth: float | None = None
) -> float:
    """KAD of two sets of embeddings `[sounds, dimension]`; its expectation is 0 for sets of one origin.

    Args:
        sounds: what is judged.
        reference: what it is compared with.
        bandwidth: of the kernel; None for the median distance within the reference.

    Raises:
        InputError: see `frechet.validate`; a bandwidth that is not above 0, as where most of the reference
            is one sound again and again.
    """
    first, second = validate(sounds, reference)
    width = median_distance(second) if bandwidth is None else bandwidth
    if not width > 0:
        raise InputError(f"the kernel's bandwidth is {width}: more than half of the reference is one sound")
    within = [_off_diagonal_mean(_kernel(each, each, width)) for each in (first, second)]
    return SCALE * (sum(within) - 2 * float(_kernel(first, second, width).mean()))


def kernel_audio_distances(
    sounds: np.ndarray, reference: np.ndarray, groups: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """KAD for draws of groups of sounds, as the bootstrap over prompts asks for, `[draws]`.

    A group that is drawn `d` times is there `d` times, as that many groups that are alike by chance: its
    sounds are paired with those of other groups `d` times as often, but never with those of a copy of their
    own group. Such pairs are nearer to each other than sounds of two different groups are, and every draw
    would lie nearer to itself than the sounds do. So pairs of two groups `g` and `h` count `d_g d_h` times,
    pairs within a group `d_g` times.

    Args:
        sounds: embeddings `[sounds, dimension]`.
        reference: what they are compared with; its bandwidth and its own pairs are the same in every draw.
        groups: the group of each sound, a column of `drawn`, `[sounds]`.
        drawn: how often each group is in a draw, `[draws, groups]`.

    Returns:
        NaN for a draw in which no sound has another to be paired with.

    Raises:
        InputError: as `kernel_audio_distance`.
    """
    first, second = validate(sounds, reference)
    width = median_distance(second)
    if not width > 0:
        raise InputError(f"the kernel's bandwidth is {width}: more than half of the reference is one sound")
    member = (groups[:, None] == np.arange(drawn.shape[1])).astype(np.float64)
    within = _kernel(first, first, width)
    np.fill_diagonal(within, 0.0)
    pairs = np.outer(sizes := member.sum(axis=0), sizes) - np.diag(sizes)
    across = member.T @ _kernel(first, second, width).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = _over_pairs(drawn, member.T @ within @ member) / _over_pairs(drawn, pairs)
        between = (drawn @ across) / (drawn @ sizes)
    distances: np.ndarray = SCALE * (own + _off_diagonal_mean(_kernel(second, second, width)) - 2 * between)
    return distances


def median_distance(embeddings: np.ndarray) -> float:
    """The median Euclidean distance between two different rows; of an even number the lower middle one."""
    rows, columns = np.triu_indices(len(embeddings), k=1)
    squares = _squared_distances(embeddings, embeddings)[rows, columns]
    middle = (len(squares) - 1) // 2
    return float(np.sqrt(np.partition(squares, middle)[middle]))


def _kernel(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    values: np.ndarray = np.exp(-_squared_distances(first, second) / (2 * width**2))
    return values


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[sounds, others]; rounding never takes one below 0."""
    norms = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None]
    squares: np.ndarray = norms - 2 * first @ second.T
    return squares.clip(min=0)


def _over_pairs(drawn: np.ndarray, of_groups: np.ndarray) -> np.ndarray:
    """Sums `[draws]` of what pairs of groups have `[groups, groups]`, and each group with itself."""
    alone = np.diag(of_groups)
    sums: np.ndarray = ((drawn @ (of_groups - np.diag(alone))) * drawn).sum(axis=1) + drawn @ alone
    return sums


def _off_diagonal_mean(square: np.ndarray) -> float:
    count = len(square)
    return float((square.sum() - np.trace(square)) / (count * (count - 1)))
