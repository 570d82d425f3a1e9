"""Sounds that the model never saw, as the judge hears them: what sets of outputs are compared with."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unheard import audio
from unheard.auditing.catalogue import sound_files
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.files import write_whole
from unheard.index import Index

LIMIT = 5_000
"""The most that are taken: a set of drawn items is told from another with as few, and costs no square."""


def embed(place: str, judge: Embedder, cache: Path) -> np.ndarray:
    """Embeddings [sounds, dimension] of a folder of recordings, or of an index that the judge made.

    Of more than `LIMIT` as many are drawn, always the same ones. What was heard in a folder is kept in
    `cache`.

    Raises:
        InputError: there are fewer than two, or a recording cannot be read.
        IndexFileError: the index was made by another embedder, or cannot be read.
    """
    if _is_index(place):
        index = Index.open(place)
        index.check_embedder(judge)
        chosen = torch.from_numpy(_drawn(index.items))
        vectors = index.vectors(chosen).cpu().numpy()
    else:
        names = sound_files(place)
        vectors = _heard([names[number] for number in _drawn(len(names))], judge, cache)
    if len(vectors) < 2:
        raise InputError(
            f"{place} holds {len(vectors)} held-out sounds: give a folder or an index of several"
        )
    return vectors


def _is_index(place: str) -> bool:
    """An index is a JSON file, an object store's URI, or a folder with tables of LanceDB in it."""
    return "://" in place or Path(place).suffix == ".json" or any(Path(place).glob("*.lance"))


def _drawn(items: int) -> np.ndarray:
    if items <= LIMIT:
        return np.arange(items)
    return np.sort(np.random.default_rng(0).choice(items, LIMIT, replace=False))


@torch.no_grad()
def heard(recordings: Iterable[tuple[Tensor, int]], judge: Embedder) -> np.ndarray:
    """Embeddings [recordings, dimension] of waveforms [channels, time] with their sample rates."""
    return np.stack(
        [judge.embed_audio(waveform[None], rate)[0].cpu().numpy() for waveform, rate in recordings]
    )


def _heard(paths: list[Path], judge: Embedder, cache: Path) -> np.ndarray:
    said = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    key = hashlib.sha256(repr((judge.name, getattr(judge, "sha256", None), said)).encode()).hexdigest()[:16]
    kept = cache / f"held-out-{key}.npy"
    if kept.is_file():
        return np.load(kept)
    vectors = heard(map(audio.read, paths), judge)
    content = io.BytesIO()
    np.save(content, vectors)
    write_whole(kept, content.getvalue())
    return vectors
