"""What the tests of the index share: the embedder that builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random CLAP. Do not write to it."""
    from tiny_world import build_tiny_clap

    return build_tiny_clap(tmp_path_factory.mktemp("clap") / "guide")


@pytest.fixture(scope="session")
def embedder(guide: Path) -> Any:
    from unheard.embedders import load_embedder

    return load_embedder(guide)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    from corpus import write_corpus

    return write_corpus(tmp_path / "sounds")
