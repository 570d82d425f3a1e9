"""Fréchet audio distance (FAD): how far two sets of sounds are apart as Gaussians of their embeddings.

    |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)

Conventions: the squared distance, as fadtk and the paper report it; covariances with `n - 1`. It is biased
upwards on small sets, by more the smaller they are: compare sets of one size, or take the kernel distance.

Kilgour et al. 2019, Fréchet Audio Distance (arXiv 1812.08466); the distance is Dowson and Landau's (1982).
"""

from __future__ import annotations

import numpy as np

from unheard.errors import InputError


def validate(sounds: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets in float64.

    Raises:
        InputError: fewer than two embeddings in a set, dimensions that differ, NaN or infinity.
    """
    pair = (np.asarray(sounds, np.float64), np.asarray(reference, np.float64))
    if any(each.ndim != 2 or len(each) < 2 for each in pair) or pair[0].shape[1] != pair[1].shape[1]:
        raise InputError(
            "a distance of sets needs two or more embeddings of one dimension on both sides, not "
            f"{list(pair[0].shape)} and {list(pair[1].shape)}"
        )
    if not all(np.isfinite(each).all() for each in pair):
        raise InputError("a distance of sets cannot be taken of NaN or infinity")
    return pair


def frechet_audio_distance(sounds: np.ndarray, reference: np.ndarray) -> float:
    """FAD of two sets of embeddings `[sounds, dimension]`; 0 for equal ones, at least 0.

    Raises:
        InputError: see `validate`.
    """
    first, second = validate(sounds, reference)
    shift = first.mean(axis=0) - second.mean(axis=0)
    roots = [_root(each) for each in (first, second)]
    # The eigenvalues of C1 C2 are the squares of the singular values of C1^(1/2) C2^(1/2).
    shared = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    spread = sum(float((root**2).sum()) for root in roots)  # tr C is the squared norm of its root
    return max(0.0, float(shift @ shift) + spread - 2 * float(shared))


def _root(embeddings: np.ndarray) -> np.ndarray:
    """The symmetric square root of the covariance."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(embeddings, rowvar=False)))
    root: np.ndarray = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
