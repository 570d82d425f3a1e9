"""A model that is loaded already, wherever it is asked for by its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import unheard
from unheard import Model


def loaded_once(model: Model) -> Callable[..., Model]:
    """`unheard.load`, which hands out this model where its folder is named and nothing else is asked."""
    read = unheard.load

    def load(name: str | Path, **options: Any) -> Model:
        if Path(name) == Path(model.name) and set(options.values()) <= {None, "auto", "cpu", "float32"}:
            return model
        return read(name, **options)

    return load
