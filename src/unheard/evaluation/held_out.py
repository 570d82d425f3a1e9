"""Sounds that the model never saw, as embeddings of the judge: what sets of outputs are compared with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from unheard.auditing.sounds import sound_files
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.evaluation.recording_embeddings import embed_recordings
from unheard.index import Index
from unheard.index.store.table import Store
from unheard.index.store.uri import is_local

LIMIT = 5_000
"""The most that are taken: a set of drawn items is told from another with as few, and costs no square."""


def embed(source: str, judge: Embedder, progress: Report | None = None) -> np.ndarray:
    """Embeddings [sounds, dimension] of a folder of recordings, or of an index that the judge made.

    Of more than `LIMIT` as many are drawn, always the same ones. `progress` is that of `embed_recordings`.

    Raises:
        InputError: there are fewer than two, or a recording cannot be read.
        IndexFileError: the index was made by another embedder, or cannot be read.
    """
    if is_index(source):
        index = Index.open(source)
        index.check_embedder(judge)
        chosen = torch.from_numpy(_drawn(index.items))
        vectors = index.vectors(chosen).cpu().numpy()
    else:
        files = sound_files(source)
        vectors = embed_recordings([files[number] for number in _drawn(len(files))], judge, progress)
    if len(vectors) < 2:
        raise InputError(
            f"{source} holds {plural(len(vectors), 'held-out sound')}: give a folder or an index of several"
        )
    return vectors


def is_index(source: str) -> bool:
    """An index is a JSON file, an object store's URI, or a folder with a store in it."""
    path = Path(source)
    return not is_local(source) or path.suffix == ".json" or (os.path.isdir(path) and Store.exists(path))


def _drawn(items: int) -> np.ndarray:
    if items <= LIMIT:
        return np.arange(items)
    return np.sort(np.random.default_rng(0).choice(items, LIMIT, replace=False))
