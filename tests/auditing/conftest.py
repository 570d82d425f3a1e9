"""A folder of melodies, and its auditor; nothing is cached beyond a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from melodies import RATE, melody

from unheard import audio
from unheard.auditing import Auditor, Catalogue


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "unheard"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six melodies of 6 s, `0.wav` to `5.wav`. Do not write to it."""
    path = tmp_path_factory.mktemp("references")
    for seed in range(6):
        audio.write_wav(path / f"{seed}.wav", melody(seed), RATE)
    return path


@pytest.fixture(scope="session")
def auditor(folder: Path) -> Auditor:
    return Auditor(Catalogue.from_files(folder))
