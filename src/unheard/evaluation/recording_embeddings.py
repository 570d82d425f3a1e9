"""Embeddings of recordings by the judge; made once, and cached by the content of the recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from unheard import audio
from unheard.common.content_cache import Arrays, ContentCache
from unheard.common.files import sha256
from unheard.common.progress import Report
from unheard.embedders import Embedder


def _fits(entry: Arrays) -> bool:
    """Whether an entry holds the embedding of a recording."""
    embedding = entry.get("embedding")
    return embedding is not None and embedding.ndim == 1 and bool(np.isfinite(embedding).all())


@torch.no_grad()
def embed_recordings(
    recordings: Sequence[Path], judge: Embedder, progress: Report | None = None
) -> np.ndarray:
    """Embeddings [recordings, dimension] of sound files.

    Args:
        recordings: at least one.
        judge: an embedder; what one without a `sha256` makes is not cached.
        progress: called with how many are embedded, and how many there are; never if all were before.

    Raises:
        InputError: a recording cannot be read.
    """
    digest = getattr(judge, "sha256", None)
    cache = None if digest is None else ContentCache("embeddings", digest[:16], fits=_fits)
    contents = [sha256(recording) for recording in recordings]
    known = {}
    new = {}
    for content, recording in zip(contents, recordings, strict=True):
        entry = None if cache is None else cache.read(content)
        if entry is None:
            new[content] = recording
        else:
            known[content] = entry["embedding"]
    for number, (content, recording) in enumerate(new.items(), start=1):
        if progress is not None and number == 1:
            progress(len(contents) - len(new), len(contents))
        waveform, rate = audio.read(recording)
        known[content] = judge.embed_audio(waveform[None], rate)[0].float().cpu().numpy()
        if cache is not None:
            cache.try_to_write(content, {"embedding": known[content]})
        if progress is not None:
            progress(len(contents) - len(new) + number, len(contents))
    return np.stack([known[content] for content in contents])
