"""What tells a model's files from any others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def fingerprint(folder: Path, components: Sequence[str]) -> str:
    """What tells the files of a pipeline from any others, for provenance.

    `commit:` and the hub's revision for a folder in the hub's cache; otherwise `sha256:` and the hash over
    names and contents of the pipeline's files, for which all weights are read.

    Args:
        folder: the pipeline's.
        components: its subfolders, in the order in which they are hashed.
    """
    if folder.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", folder.name):
        return f"commit:{folder.name}"
    files = [folder / "model_index.json"]
    for component in components:
        files += sorted(path for path in (folder / component).rglob("*") if path.is_file())
    return fingerprint_of_files({path.relative_to(folder).as_posix(): path for path in files})


def fingerprint_of_files(files: Mapping[str, Path]) -> str:
    """`sha256:` and the hash over what files are called and what they hold, in this order."""
    digest = hashlib.sha256()
    for called, path in files.items():
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{called} {content}\n".encode())
    return f"sha256:{digest.hexdigest()}"
