"""`unheard studio` as a command: what is wrong is one line, before a model is loaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


def test_without_gradio_one_line_says_how_to_install_it(
    run: Callable[..., Result], no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = run("studio")
    assert result.exit_code == 2
    assert result.stderr == 'unheard: the studio needs gradio: pip install "unheard[studio]"\n'


def test_an_address_that_is_in_use_is_one_line(
    run: Callable[..., Result], no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed: pip install -e '.[studio]'")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("studio", "--port", port)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"unheard: cannot listen at 127.0.0.1, port {port}: it is in use")


def test_a_port_that_is_none_is_one_line(run: Callable[..., Result], no_model: None) -> None:
    result = run("studio", "--port", 99_999)
    assert result.exit_code == 2
    assert result.stderr.startswith("unheard: Invalid value for '--port': 99999")


@pytest.mark.parametrize("below", ["", "takes"])
def test_a_folder_of_takes_that_cannot_be_is_one_line(
    run: Callable[..., Result], no_model: None, tmp_path: Path, below: str
) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed: pip install -e '.[studio]'")
    file = tmp_path / "notes.txt"
    file.write_text("not a folder", encoding="utf-8")
    result = run("studio", "--output", file / below)
    assert result.exit_code == 2
    expected = f"unheard: cannot write to {file / below}: {file} is not a folder; choose another folder\n"
    assert result.stderr == expected
