"""The toy model that has memorised some prompts, and their recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from memorising_toy import memorising_toy, write_recordings

from unheard import Model


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="session")
def toy(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return memorising_toy(tmp_path_factory.mktemp("toy"), recordings)
