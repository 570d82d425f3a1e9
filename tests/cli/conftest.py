"""A random model for the whole program, read from disk once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_line
import pytest
from click.testing import Result
from loaded_once import loaded_once

import unheard.generation.model
from unheard.generation.model import Model


@pytest.fixture(scope="session")
def loaded(tiny_model: Model) -> Model:
    return tiny_model


@pytest.fixture
def run(loaded: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the program in an empty folder with a model that is loaded already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unheard.generation.model, "load", loaded_once(loaded))
    return command_line.run


@pytest.fixture
def generate(run: Callable[..., Result], tiny_model_folder: Path) -> Callable[..., Result]:
    """Run `unheard generate` on the random model with a short sound."""
    return lambda *arguments: run(
        "generate", "--model", tiny_model_folder, "--duration", 0.2, "--num-inference-steps", 2, *arguments
    )


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model may be loaded."""

    def load(*_: Any, **__: Any) -> Model:
        raise AssertionError("the model was loaded before the mistake was found out")

    monkeypatch.setattr(unheard.generation.model, "load", load)
