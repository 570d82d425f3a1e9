"""`unheard models`."""

from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result


def test_models_lists_what_can_be_loaded(run: Callable[..., Result]) -> None:
    text = run("models").stdout
    assert "tiny" in text
    assert "https://huggingface.co/stabilityai/stable-audio-open-1.0" in text
    assert {row["name"] for row in json.loads(run("models", "--json").stdout)["models"]} >= {"tiny"}
