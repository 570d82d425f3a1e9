"""What was judged before, found again by content: an audit that was stopped goes on where it was.

A judgement holds for one file against one auditor. So an entry lies under the SHA-256 of the file, in a
folder named by a hash of all that decides: the references, the kinds of evidence, the embedder and this
code. Nothing has to be given up by hand when one of them changes.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unheard.auditing.auditor import Auditor
from unheard.auditing.evidence import Evidence
from unheard.auditing.likeness import Likeness
from unheard.auditing.results import FileAudit, Match, Part
from unheard.common.files import cache_folder, sha256, write_to_cache
from unheard.errors import InputError

DECIDE = ("audio.py", "auditing", "embedders")
"""Files and folders of the package that a judgement depends on."""


class Judgements:
    """An auditor that remembers what it judged.

    Args:
        auditor: what judges; one with evidence or likenesses of another package's is asked each time, since
            nothing tells whether these have changed.
        folder: where judgements are written; in the user's cache if left out.

    Attributes:
        known: how many sounds were judged before.
    """

    def __init__(self, auditor: Auditor, folder: Path | None = None) -> None:
        self._auditor, self.known = auditor, 0
        maker = _maker(auditor)
        self._folder = None if maker is None else (folder or cache_folder("judgements")) / maker

    def judge(self, path: Path) -> FileAudit:
        """As `Auditor.judge`; a sound that could not be judged is tried anew each time."""
        entry = self._entry(path)
        if entry is not None and (found := self._read(entry)) is not None:
            self.known += 1
            return replace(found, path=str(path))
        judged = self._auditor.judge(path)
        if entry is not None and judged.verdict != "not judged":
            self._write(entry, judged)
        return judged

    def _entry(self, path: Path) -> Path | None:
        """Where the judgement of a file lies; None if none is kept."""
        if self._folder is None:
            return None
        try:
            return self._folder / f"{sha256(path)}.json"
        except (InputError, OSError):
            return None

    def _write(self, entry: Path, judged: FileAudit) -> None:
        """Remember a judgement; warn, the first time, that this is not possible."""
        try:
            write_to_cache(entry, json.dumps(asdict(judged)).encode())
        except InputError as error:
            self._folder = None
            warnings.warn(f"the judgements are not cached and made again each time: {error}", stacklevel=3)

    def _read(self, entry: Path) -> FileAudit | None:
        """A judgement; None if there is none, or, with a warning, a damaged one."""
        if not entry.is_file():
            return None
        try:
            found = json.loads(entry.read_bytes())
            return FileAudit(**{**found, "matches": tuple(map(self._match, found["matches"]))})
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            warnings.warn(f"cannot read {entry}: {reason}; the sound is judged again", stacklevel=3)
            return None

    def _match(self, found: dict[str, Any]) -> Match:
        """A match, with the reference where it lies now."""
        catalogue = self._auditor.catalogue
        return Match(
            **{
                **found,
                "reference_path": str(catalogue.paths[catalogue.number(found["reference"])]),
                "evidence": tuple(Part(**part) for part in found["evidence"]),
                "found_by": tuple(found["found_by"]),
                "alike": tuple(found["alike"]),
            }
        )


def _maker(auditor: Auditor) -> str | None:
    """A hash of all that decides besides the sound; None if something of it cannot be told."""
    kinds: list[Evidence | Likeness] = [*auditor.joint.kinds, *auditor.likenesses]
    if any(type(kind).__module__.partition(".")[0] != "unheard" for kind in kinds):
        return None
    weights = None if auditor.embedder is None else auditor.embedder.sha256
    if auditor.embedder is not None and weights is None:
        return None
    catalogue = auditor.catalogue
    decides = [
        _code(),
        version("torch"),
        [kind.name for kind in kinds],
        [catalogue.ids, catalogue.captions, catalogue.seconds],
        hashlib.sha256(catalogue.prints.tobytes()).hexdigest(),
        [weights, None if auditor.index is None else auditor.index.sha256, auditor.k],
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]


def _code() -> str:
    """A hash of the sources and the weights that judge."""
    package = Path(__file__).parents[1]
    files = [file for name in DECIDE for file in ((package / name), *(package / name).rglob("*"))]
    kept = (".py", ".json", ".safetensors")
    return sha256(*sorted(file for file in files if file.suffix in kept and file.is_file()))
