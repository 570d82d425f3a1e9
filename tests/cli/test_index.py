"""`unheard index` beside `unheard generate`; the index itself is tested in tests/index."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import refused
from full_disk import full_disk


def test_add_to_an_index_and_generate_with_it(
    run: Callable[..., Result], generate: Callable[..., Result], tiny_model_folder: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.flac"):
        soundfile.write(name, rng.uniform(-0.5, 0.5, 22_050), 22_050)
    Path("broken.wav").write_text("no sound")
    add = ("index", "add", "mine.json", "a.wav", "b.flac", "broken.wav", "--caption", "Noise", "--model")
    result = run(*add, tiny_model_folder)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "mine.json: added 2, holds 2\n"
    assert "unheard: warning: left out: cannot read broken.wav" in result.stderr
    result = run(
        "index", "add", "mine.json", "a.wav", "--caption", "Noise", "--model", tiny_model_folder, "--json"
    )
    assert json.loads(result.stdout) == {
        "index": "mine.json",
        "items": 3,
        "added": ["a-2.wav"],
        "unreadable": {},
    }
    assert "Noise" in generate("A bell", "--index", "mine.json").stdout


def test_latents_on_a_full_disk_name_the_cache_to_make_room_in(
    run: Callable[..., Result], tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write("a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    run("index", "add", "mine.json", "a.wav", "--caption", "Noise", "--model", tiny_model_folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    full_disk(monkeypatch)
    result = run("index", "latents", "mine.json", "--references", ".", "--model", tiny_model_folder)
    told = r"cannot write to the cache /.*/latents/.*: No space left on device; make room there, or set XDG"
    assert re.search(told, result.stderr)  # a long path is shortened in its middle


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("index", "add", "mine.json", "--caption", "x"), "Missing argument 'SOUNDS"),
        (("index", "add", "mine.json", "a.wav"), "Missing option '--caption'"),
        (("index", "add", "mine.json", "a.wav", "--caption", "x", "--device", "tpu"), "unknown device"),
        (("index", "erase"), "No such command 'erase'"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_other_commands_refuse_in_one_line(
    run: Callable[..., Result], arguments: tuple, message: str
) -> None:
    refused(run(*arguments), message)
