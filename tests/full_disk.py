"""A disk without room."""

from __future__ import annotations

import errno
import os

import pytest


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no file that is written wholly or not at all reach the disk from now on."""

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
