"""A studio on the random model, whose users it does not keep waiting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unheard.cli.studio import open_workshop
from unheard.generation.model import Model
from unheard.studio.workshop import Workshop

GIVEN = dict.fromkeys(("lora", "text_encoder", "embedder", "dtype", "index", "references"))


@pytest.fixture(scope="module")
def workshop(
    tiny_model: Model, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """On a random model that makes 0.2 s in 2 steps; `unheard.load` gives the one that is loaded."""
    from loaded_once import loaded_once

    import unheard.generation.model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unheard.generation.model, "load", loaded_once(tiny_model))
        given = {**GIVEN, "model": str(tiny_model_folder), "device": "cpu"}
        opened = open_workshop(given, tmp_path_factory.mktemp("studio") / "takes")
    yield opened
    opened.close()
