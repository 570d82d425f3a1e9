"""Recordings as the judge hears them; heard once, and kept by their content in the user's cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from unheard import audio
from unheard.common.files import cache_folder, sha256, write_whole
from unheard.common.progress import Report
from unheard.embedders import Embedder
from unheard.errors import InputError

SAVE_EVERY = 500
"""Recordings after which what was heard is written, so that a stop loses little."""


@torch.no_grad()
def hear(recordings: Sequence[Path], judge: Embedder, progress: Report | None = None) -> np.ndarray:
    """Embeddings [recordings, dimension] of sound files.

    Args:
        recordings: at least one.
        judge: an embedder; what one without a `sha256` hears is not kept.
        progress: called with how many are heard, and how many there are; never if all were before.

    Raises:
        InputError: a recording cannot be read.
    """
    path = _kept(judge)
    known = _read(path)
    contents = [sha256(recording) for recording in recordings]
    by_content = dict(zip(contents, recordings, strict=True))
    new = {content: recording for content, recording in by_content.items() if content not in known}
    try:
        for number, (content, recording) in enumerate(new.items(), start=1):
            if progress is not None and number == 1:
                progress(len(contents) - len(new), len(contents))
            waveform, rate = audio.read(recording)
            known[content] = judge.embed_audio(waveform[None], rate)[0].float().cpu().numpy()
            if number % SAVE_EVERY == 0:
                _write(path, known)
            if progress is not None:
                progress(len(contents) - len(new) + number, len(contents))
    finally:
        if new:
            _write(path, known)
    return np.stack([known[content] for content in contents])


def _kept(judge: Embedder) -> Path | None:
    digest = getattr(judge, "sha256", None)
    return None if digest is None else cache_folder("heard") / f"{digest[:16]}.safetensors"


def _read(path: Path | None) -> dict[str, np.ndarray]:
    """Embeddings by the SHA-256 of their recordings."""
    if path is None or not path.is_file():
        return {}
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read {path}: {error}; delete it, it is made again") from error
    digests = (bytes(row).hex() for row in stored["digests"])
    return dict(zip(digests, stored["vectors"], strict=True))


def _write(path: Path | None, known: dict[str, np.ndarray]) -> None:
    if path is None or not known:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "digests": np.array([list(bytes.fromhex(digest)) for digest in known], np.uint8),
        "vectors": np.stack(list(known.values())),
    }
    write_whole(path, save(arrays))
