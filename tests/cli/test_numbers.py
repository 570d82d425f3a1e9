"""A number that cannot be used is one line: it names the option and the value, and says what to give."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import commands, refused

WORK = {
    "unheard audit": ("--prompts", "prompts.txt", "--references", "a.wav", "-q"),
    "unheard calibrate": ("--prompts", "prompts.txt"),
    "unheard generate": ("A bell", "--init-audio", "a.wav", "--reject", "copy", "--output", "sound.wav"),
    "unheard import-settings": ("script.py",),
    "unheard index add": ("mine.json", "a.wav", "--caption", "A bell"),
    "unheard index build": ("a.wav", "--out", "index"),
    "unheard index duplicates": ("mine.json",),
    "unheard index latents": ("mine.json",),
    "unheard index search": ("mine.json", "--text", "A bell"),
    "unheard studio": (),
    "unheard train-gate": (),
    "unheard tune": ("experiment.toml", "--out", "results"),
}
"""What else is said to a command that takes numbers."""


def numbers() -> list[tuple[str, click.Option]]:
    """Every option that takes a number, and its command."""
    types = click.types.IntParamType, click.types.FloatParamType
    return [
        (name, option)
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option) and (isinstance(option.type, types) or option.name == "seed")
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    entry = {
        "embedding": [1.0] * 16,
        "conditioning": {"prompt": "A bell", "seconds_start": 0, "seconds_total": 1},
        "embedder": "guide",
    }
    (tmp_path / "mine.json").write_text(json.dumps({"a": entry}))
    (tmp_path / "prompts.txt").write_text("".join(f"A bell, {number}\n" for number in range(20)))
    (tmp_path / "script.py").write_text('my_generate_diffusion_cond(prompt="A bell")\n')
    (tmp_path / "experiment.toml").write_text(
        '[[prompts]]\nlist = ["A bell"]\n[settings.none]\nguidance = "none"\n[search.x]\nguidance_scale = 2\n'
    )
    return tmp_path


@pytest.mark.parametrize(("name", "option"), numbers(), ids=lambda each: getattr(each, "name", each))
def test_a_number_that_cannot_be_used_names_its_option(
    run: Callable[..., Result],
    folder: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    option: click.Option,
) -> None:
    monkeypatch.setenv("UNHEARD_MODEL", str(tiny_model_folder))
    wrong = "nan" if option.type is click.FLOAT else "-1"
    spelt = max(option.opts, key=len)
    before = sorted(folder.rglob("*"))
    result = run(*name.split()[1:], *WORK[name], spelt, wrong)
    refused(result, re.sub("[-_]", "[-_]", spelt.strip("-")))
    assert re.search(rf"{wrong}\b", result.stderr), result.stderr
    assert re.search("give|in the range", result.stderr), result.stderr
    assert sorted(folder.rglob("*")) == before
