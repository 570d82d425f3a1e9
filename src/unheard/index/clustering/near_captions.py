"""Captions that say the same in (almost) the same letters.

Alike is measured by the Jaccard similarity of the captions' sets of character trigrams (Broder 1997), after
case, punctuation and spacing have been taken away: 1 for equal ones. MinHash signatures in bands find the
pairs that may be alike without comparing all; each such pair is then measured, so none is invented.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from unheard.index.clustering.near_vectors import Links

PERMUTATIONS = 128
MISSED = 1e-3
"""Highest probability that a pair exactly at the threshold shares no band; those above are missed less."""
SIGNATURE_ERROR = 4.0
"""By how many of its standard deviations the signatures' estimate of a likeness may be too low."""
CHUNK = 1 << 16
CROWD = 64
"""In a band that many captions share (text from one template) each meets so many, in alphabetical order."""


@lru_cache(maxsize=1 << 12)
def trigrams(text: str) -> frozenset[str]:
    """Character trigrams of a normalised caption, its beginning and its end marked."""
    padded = f"  {text} "
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))


def likeness(one: str, other: str) -> float:
    """Jaccard similarity of the trigrams of two normalised captions, 0 to 1."""
    ours, theirs = trigrams(one), trigrams(other)
    shared = len(ours & theirs)
    return shared / (len(ours) + len(theirs) - shared)


def single_linkage(texts: Sequence[str], threshold: float) -> np.ndarray:
    """Clusters: what a chain of pairs with a likeness of at least the threshold connects.

    Args:
        texts: normalised captions, each once.
        threshold: of `likeness`, above 0; at 1 every text is a cluster of its own.

    Returns:
        For each text the position of its cluster's first, int64 [count].
    """
    links = Links(len(texts))
    if threshold < 1 and len(texts) > 1:
        for left, right in _candidates(texts, threshold):
            left, right = links.apart(left, right)
            near = [
                likeness(texts[one], texts[other]) >= threshold
                for one, other in zip(left.tolist(), right.tolist(), strict=True)
            ]
            links.join(left[near], right[near])
    return links.first_members()


def _candidates(texts: Sequence[str], threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of positions that hold nearly all those at or above the threshold, and few others."""
    alphabetical = np.array(sorted(range(len(texts)), key=texts.__getitem__))
    signatures = _signatures([texts[position] for position in alphabetical])
    width = _band_width(threshold)
    least = threshold - SIGNATURE_ERROR * math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    for first in range(0, PERMUTATIONS, width):
        band = np.ascontiguousarray(signatures[:, first : first + width]).view(f"V{4 * width}")[:, 0]
        _, key = np.unique(band, return_inverse=True)
        order = np.argsort(key, kind="stable")
        key = key[order]
        for distance in range(1, min(CROWD, len(texts))):
            same = key[distance:] == key[:-distance]
            if not same.any():
                break
            left, right = order[:-distance][same], order[distance:][same]
            estimate = _estimates(signatures, left, right)
            likely = estimate >= least
            yield alphabetical[left[likely]], alphabetical[right[likely]]


def _signatures(texts: Sequence[str]) -> np.ndarray:
    """MinHash signatures, uint32 [count, PERMUTATIONS]; the same in every run."""
    from datasketch import MinHash  # brings SciPy, which `likeness` alone needs not

    shingles = ([shingle.encode() for shingle in trigrams(text)] for text in texts)
    made = MinHash.generator(shingles, num_perm=PERMUTATIONS, seed=1, scheme="affine32", hashfunc=zlib.crc32)
    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for row, signature in zip(signatures, made, strict=True):
        row[:] = signature.hashvalues
    return signatures


def _estimates(signatures: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The share of equal numbers in the signatures of each pair: an unbiased estimate of its likeness."""
    estimates = np.empty(len(left))
    for start in range(0, len(left), CHUNK):
        some = slice(start, start + CHUNK)
        estimates[some] = (signatures[left[some]] == signatures[right[some]]).mean(axis=1)
    return estimates


def _band_width(threshold: float) -> int:
    """The widest band, and so the fewest candidates, with which hardly a pair at the threshold is missed."""
    widths = [width for width in range(1, PERMUTATIONS + 1) if PERMUTATIONS % width == 0]
    return max(
        (width for width in widths if (1 - threshold**width) ** (PERMUTATIONS // width) <= MISSED), default=1
    )
