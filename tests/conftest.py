"""Fixtures that several test files share: the random world of tiny_world.py, written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model folder with guide, index and unheard.json. Do not write to it."""
    from tiny_world import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("world") / "model")


@pytest.fixture(scope="session")
def tiny_clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ClapModel folder with feature extractor and tokenizer. Do not write to it."""
    from tiny_world import build_tiny_clap

    return build_tiny_clap(tmp_path_factory.mktemp("world") / "clap")
