"""The entries of a JSON file, searched in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unheard.common.texts import whole_characters
from unheard.index.published import json_file
from unheard.index.searching.snapshot import Snapshot
from unheard.index.searching.vectors import ExactVectors
from unheard.index.store.embedder_record import EmbedderRecord


def read_entries(path: str | Path) -> Snapshot:
    """What a training-set file holds.

    Raises:
        IndexFileError: it cannot be read, or an entry is malformed; names the id.
    """
    entries, sha256 = json_file.read(path)
    return snapshot_of(entries, lambda: sha256)


def snapshot_of(entries: dict[str, json_file.Entry], checksum: Callable[[], str] | None = None) -> Snapshot:
    """What these entries say of each item, in their order.

    Args:
        entries: by id, checked.
        checksum: of the file they come from; None for that of a file which `json_file.write` would make.
    """
    conditionings = [entry["conditioning"] for entry in entries.values()]
    exact = directions([entry["embedding"] for entry in entries.values()])
    name = next((entry["embedder"] for entry in entries.values() if "embedder" in entry), None)
    return Snapshot(
        ids=list(entries),
        prompts=[whole_characters(conditioning["prompt"]) for conditioning in conditionings],
        seconds_start=[float(conditioning["seconds_start"]) for conditioning in conditionings],
        seconds_total=[float(conditioning["seconds_total"]) for conditioning in conditionings],
        windows=None,
        sources=[None] * len(entries),
        vectors=ExactVectors(exact.float(), exact.__getitem__),
        embedder=EmbedderRecord(name, exact.shape[1]),
        checksum=(lambda: _checksum(entries)) if checksum is None else checksum,
    )


def directions(embeddings: Sequence[np.ndarray]) -> Tensor:
    """Embeddings [dimension] each as unit vectors [count, dimension], float64."""
    if not embeddings:
        return torch.empty(0, 0, dtype=torch.float64)
    rows = torch.from_numpy(np.stack(embeddings))
    # By the largest number first, so that no square overflows or vanishes.
    rows /= rows.abs().amax(dim=1, keepdim=True)
    return rows.div_(rows.norm(dim=1, keepdim=True))


def _checksum(entries: dict[str, json_file.Entry]) -> str:
    digest = hashlib.sha256()
    for line in json_file.lines(entries.items()):
        digest.update(line)
    return digest.hexdigest()
