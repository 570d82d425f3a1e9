"""Two audits compared: which sounds are new, which are gone, and of which something else is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unheard.auditing.results import UNTOLD, VERDICTS, as_bad_as
from unheard.common.structured_files import read_json
from unheard.errors import InputError, said

Said = Mapping[str, Any]
"""What an audit says of a sound, as `unheard audit --json` prints it under "files"."""


@dataclass(frozen=True)
class Change:
    """A sound of which two audits say different things.

    Attributes:
        path: of the sound, in the second audit.
        before, after: the verdicts.
        new, gone: references that only the second, and only the first, says are replayed.
    """

    path: str
    before: str
    after: str
    new: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """Whether the second audit says more against it; what cannot be told any more is worse, too."""
        if self.after in UNTOLD or self.before in UNTOLD:
            return self.after in UNTOLD or as_bad_as(self.after, "similar")
        return VERDICTS.index(self.after) < VERDICTS.index(self.before) or bool(self.new)


@dataclass(frozen=True)
class Comparison:
    """What differs between two audits.

    Attributes:
        new, gone: paths of sounds that only the second, and only the first, has, with their verdicts.
        changed: sounds in both, of which something else is said.
        same: how many sounds have the same verdict and replay the same references.
    """

    new: dict[str, str]
    gone: dict[str, str]
    changed: tuple[Change, ...]
    same: int

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.new or self.gone or self.changed)

    @property
    def is_worse(self) -> bool:
        """Whether a sound became worse, or a new one replays a reference."""
        replays = any(as_bad_as(verdict, "partial copy") for verdict in self.new.values())
        return replays or any(change.is_worse for change in self.changed)


def compare(before: Sequence[Said], after: Sequence[Said]) -> Comparison:
    """Compare what two audits say of their sounds.

    A sound is the same one if its path is; if that is not there any more, if its SHA-256 is.
    """
    left = {file["path"]: file for file in before}
    pairs, unpaired = [], []
    for file in after:
        old = left.pop(file["path"], None)
        pairs.append((old, file)) if old is not None else unpaired.append(file)
    moved = {file["sha256"]: path for path, file in left.items() if file.get("sha256")}
    new = {}
    for file in unpaired:
        path = moved.pop(file.get("sha256"), None)
        if path is None:
            new[file["path"]] = file["verdict"]
        else:
            pairs.append((left.pop(path), file))
    changed = [change for old, file in pairs if (change := _change(old, file)) is not None]
    gone = {path: file["verdict"] for path, file in left.items()}
    return Comparison(new, gone, tuple(changed), len(pairs) - len(changed))


def read_audit(path: str | Path) -> list[Said]:
    """The sounds of an audit that `unheard audit --json` printed.

    Raises:
        InputError: the file cannot be read, or is no audit.
    """
    try:
        files = read_json(Path(path))["files"]
        for file in files:
            if file["verdict"] not in VERDICTS or not isinstance(file["path"], str):
                raise ValueError(f"{file['path']} has the verdict {file['verdict']}")
            if not all(isinstance(one, str) for one in (*_replayed(file), file.get("sha256") or "")):
                raise ValueError(f"{file['path']} has a reference or a checksum that is no text")
    except OSError as error:
        raise InputError(f"cannot read {path}: {said(error)}") from error
    except (ValueError, LookupError, TypeError) as error:
        why = error if isinstance(error, ValueError) else "something is missing, or of another type"
        raise InputError(
            f"{path} is not what `unheard audit --json` prints ({why}): give a file that it printed"
        ) from error
    return list(files)


def _change(before: Said, after: Said) -> Change | None:
    """What changed of a sound; None if nothing did."""
    old, new = _replayed(before), _replayed(after)
    if before["verdict"] == after["verdict"] and set(old) == set(new):
        return None
    return Change(
        after["path"],
        before["verdict"],
        after["verdict"],
        tuple(one for one in new if one not in old),
        tuple(one for one in old if one not in new),
    )


def _replayed(file: Said) -> list[str]:
    """The references that a sound replays, by their ids."""
    return [match["reference"] for match in file["matches"] if as_bad_as(match["verdict"], "partial copy")]
