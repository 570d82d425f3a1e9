"""The whole audit: sounds and references in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from unheard.auditing.catalogue import Catalogue
from unheard.auditing.results import Audit, Evidence, FileAudit, Match
from unheard.embedders import Embedder
from unheard.index import Index

Sounds = str | Path | Iterable[str | Path | tuple[Tensor, int]]
"""A file, a folder (searched at any depth), or a list of files and (waveform [channels, time], rate) pairs."""


def audit(
    sounds: Sounds,
    references: Catalogue | str | Path | Iterable[str | Path],
    *,
    index: Index | None = None,
    embedder: Embedder | None = None,
    k: int = 5,
    progress: Callable[[FileAudit], None] | None = None,
) -> Audit:
    """Whether sounds replay a catalogue, where, and how surely.

    Args:
        sounds: what to judge.
        references: a `Catalogue`, or what `Catalogue.from_files` takes.
        index, embedder: give both to have an embedder propose candidates as well; an item of the index
            counts where its id is one of the catalogue's.
        k: how many candidates the embedder proposes for each of its windows.
        progress: called with each sound's result as soon as it is there.

    Raises:
        InputError: there are no sounds or no usable references, or only one of index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """
    raise NotImplementedError


def evidence(
    waveform: Tensor, sample_rate: int, reference: Tensor, reference_rate: int, match: Match
) -> Evidence:
    """The similarity matrix behind a match, and the path through it.

    Args:
        waveform, sample_rate: the audited sound [channels, time], in hertz.
        reference, reference_rate: the match's reference likewise.
        match: as `audit` gave it.
    """
    raise NotImplementedError
