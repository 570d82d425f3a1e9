"""The audit put together: which references, where their fingerprints are cached, who proposes candidates.

Whatever audits (`unheard.audit`, a generation that rejects copies, the command line, an experiment) has its
auditor from here.
"""

from __future__ import annotations

from pathlib import Path

from unheard.auditing.auditor import Auditor
from unheard.auditing.references import References, locate_catalogue
from unheard.auditing.results import Audit
from unheard.auditing.sounds import Sounds, read_sounds
from unheard.common.progress import Report
from unheard.embedders import Embedder
from unheard.index import Index


def audit(
    sounds: Sounds,
    references: References,
    *,
    index: Index | None = None,
    embedder: Embedder | None = None,
    k: int = 5,
    progress: Report | None = None,
) -> Audit:
    """Whether sounds replay a catalogue, where, and how surely.

    Args:
        sounds: what to judge: files, folders (at any depth), what `generate` made, pairs of array or tensor
            and sample rate; one, or several in a list. An array is of floats, [channels, time] or [time].
        references: a `Catalogue`, a folder, a file, or several; see `auditor_for` for their fingerprints.
        index, embedder, k: see `Auditor`.
        progress: called with how many sounds are judged, how many there are, and the last one's verdict.

    Raises:
        InputError: there are no sounds or no usable references, something given is no sound, or only one of
            index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """
    to_judge = read_sounds(sounds)
    auditor = auditor_for(references, index, None, embedder, k=k)
    results = []
    for number, sound in enumerate(to_judge, start=1):
        results.append(auditor.judge(sound, None if isinstance(sound, Path) else f"sound {number}"))
        if progress is not None:
            progress(number, len(to_judge), results[-1].verdict)
    return auditor.audit(results)


def auditor_for(
    references: References | None,
    index: Index | None,
    own: Path | None,
    embedder: Embedder | None,
    *,
    k: int = 5,
    progress: Report | None = None,
) -> Auditor:
    """The auditor against the first that there is: references, an index's recordings, or a model's own.

    Fingerprints of the references are read where they were cached, and cached where they are new: with an
    index on disk, otherwise in the user's cache.

    Args:
        references: a loaded catalogue, a folder (searched at any depth), a sound file, or several.
        index: a training set. It says where its recordings lie, unless references are given; and the embedder
            searches it for candidates.
        own: the list of recordings that the model brings (`Defaults.references`), for its own training set.
        embedder: the one that made the index; None without an index.
        k: how many items it proposes for each of its windows.
        progress: called with how many references are done, and how many there are.

    Raises:
        InputError: none of the three leads to a sound, or only one of index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """
    catalogue = locate_catalogue(references, index, own, progress=progress)
    return Auditor(catalogue, index=index, embedder=embedder, k=k)
