"""The audit put together: which references, where their fingerprints are cached, and who proposes candidates.

Whatever audits (a generation that rejects copies, the command line, an experiment) asks here for its auditor.
"""

from __future__ import annotations

from pathlib import Path

from unheard.auditing.auditor import Auditor
from unheard.auditing.references import References, fingerprints_folder, locate_catalogue
from unheard.common.progress import Report
from unheard.embedders import Embedder
from unheard.index import Index


def auditor_for(
    references: References | None,
    index: Index | None,
    own: Path | None,
    embedder: Embedder | None,
    *,
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
        progress: called with how many references are done, and how many there are.

    Raises:
        InputError: none of the three leads to a sound, or only one of index and embedder is given.
        IndexFileError: the index was made by another embedder.
    """
    catalogue = locate_catalogue(
        references, index, own, fingerprints=fingerprints_folder(), progress=progress
    )
    return Auditor(catalogue, index=index, embedder=embedder)
