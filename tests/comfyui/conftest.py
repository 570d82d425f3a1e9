"""The nodes, loaded into a stub of ComfyUI, and a training set whose recordings are noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy_stub
import pytest
import soundfile
import torch
from tiny_world import CAPTIONS, build_index

from unheard import Index, load_embedder


@pytest.fixture(scope="session")
def nodes() -> Any:
    """The module that ComfyUI makes of the folder."""
    comfy_stub.install()
    return comfy_stub.load_nodes()


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return Index.open(build_index(tmp_path_factory.mktemp("index") / "index.json"))


@pytest.fixture(scope="session")
def loaded(nodes: Any, index: Index, tiny_clap_folder: Path) -> Any:
    """What "Load index" hands on."""
    return nodes.detour.LoadedIndex(index, load_embedder(tiny_clap_folder))


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording a training item: noise, 1 s at 44.1 kHz."""
    folder = tmp_path_factory.mktemp("recordings")
    generator = torch.Generator().manual_seed(1)
    for number in range(len(CAPTIONS)):
        noise = torch.rand(44_100, generator=generator) - 0.5
        soundfile.write(folder / f"train_{number:02d}.wav", noise.numpy(), 44_100)
    return folder
