"""The list of what a build leaves out or does not take as it is, with the reasons."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from unheard.common.left_out import LeftOut
from unheard.errors import InputError
from unheard.index.building.recording import Reject, Remark
from unheard.index.store.uri import is_local


@dataclass
class Rejects:
    """The list of what is left out, a JSON object a line, written as the build comes by it.

    What is taken, but not as its source has it, is listed with `"taken": true`.

    Attributes:
        path: of the list.
        first: of what is left out.
        reasons, remarks: of what is left out, and of what is taken so.
    """

    path: str
    first: Reject | None = None
    reasons: LeftOut = field(default_factory=LeftOut)
    remarks: LeftOut = field(default_factory=LeftOut)
    _file: TextIO | None = field(default=None, repr=False)

    def add(self, reject: Reject) -> None:
        line: dict[str, str | bool] = {"source": reject.source, "reason": reject.reason}
        if isinstance(reject, Remark):
            line["taken"] = True
        text = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        try:
            if self._file is None:
                self._file = open(self.path, "w", encoding="utf-8")  # noqa: SIM115
            self._file.write(f"{text}\n")
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error
        if isinstance(reject, Remark):
            self.remarks.add(reject.source, reject.reason)
        else:
            self.first = self.first or reject
            self.reasons.add(reject.source, reject.reason)

    @property
    def count(self) -> int:
        """How many are left out."""
        return len(self.reasons)

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                raise self._unwritable(error) from error
        else:
            with suppress(FileNotFoundError):
                os.unlink(self.path)  # of an earlier run, whose causes are gone

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"cannot write the list of rejects {self.path}: {error.strerror}")


def rejects_path(uri: str) -> str:
    """Where a build lists what it leaves out: in the index's folder, or here for one in an object store."""
    if not is_local(uri):
        return f"{uri.rstrip('/').rpartition('/')[2]}.rejects.jsonl"
    return os.path.join(uri, "rejects.jsonl")
