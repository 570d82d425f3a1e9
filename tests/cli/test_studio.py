"""`unheard studio` as a command: what is wrong is one line, before a model is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from click.testing import Result


def test_without_gradio_one_line_says_how_to_install_it(
    run: Callable[..., Result], no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = run("studio")
    assert result.exit_code == 2
    assert result.stderr == 'unheard: the studio needs gradio: pip install "unheard[studio]"\n'


def test_a_port_that_is_none_is_one_line(run: Callable[..., Result], no_model: None) -> None:
    result = run("studio", "--port", 99_999)
    assert result.exit_code == 2
    assert result.stderr.startswith("unheard: Invalid value for '--port': 99999")
