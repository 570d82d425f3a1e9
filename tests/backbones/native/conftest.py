"""Models in the layout of stable-audio-tools, written once a session."""

from __future__ import annotations

from pathlib import Path

import native_models
import native_reference
import pytest

from lab.native_layout import configuration, weights


@pytest.fixture(scope="session")
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as Stable Audio Open 1.0 is."""
    return native_reference.write_model(tmp_path_factory.mktemp("native") / "open", "open")


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as Stable Audio Open Small is."""
    return native_reference.write_model(tmp_path_factory.mktemp("native") / "small", "small")


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in the native layout, under a name that creators would give it."""
    made = native_models.pipeline()
    folder = tmp_path_factory.mktemp("layouts") / "native"
    settings, named = configuration(made), weights(made)
    native_models.write(folder, settings, named, "Warm-Pads_v2.safetensors")
    native_models.write_text_encoder(folder / "t5-base")
    return folder


@pytest.fixture(scope="session")
def diffusers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in diffusers' layout."""
    folder = tmp_path_factory.mktemp("layouts") / "diffusers"
    native_models.pipeline().save_pretrained(folder)
    return folder
