"""The toy model, and folders of their own for what is cached and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from memorising_toy import memorising_toy, write_recordings

from unheard import Model


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Readings and calibrations of a test are its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="session")
def toy(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return memorising_toy(tmp_path_factory.mktemp("toy"), recordings)
