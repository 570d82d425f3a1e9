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


def unusable() -> list[tuple[str, click.Option, str]]:
    """Numbers that are none or too small, and whole ones far too large.

    A batch as large as anyone likes is of all that there is.
    """
    too_small = [(*each, "nan" if each[1].type is click.FLOAT else "-1") for each in numbers()]
    too_large = [
        (name, option, str(10**30))
        for name, option in numbers()
        if option.type is not click.FLOAT and option.name != "batch"
    ]
    return too_small + too_large


@pytest.mark.parametrize(
    ("name", "option", "value"), unusable(), ids=lambda each: getattr(each, "name", each)
)
def test_a_number_that_cannot_be_used_names_its_option(
    run: Callable[..., Result],
    folder: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    option: click.Option,
    value: str,
) -> None:
    monkeypatch.setenv("UNHEARD_MODEL", str(tiny_model_folder))
    refuses(run, folder, name, option, value)


def test_a_noise_level_beyond_float32_is_refused(run: Callable[..., Result], tiny_model_folder: Path) -> None:
    result = run("generate", "A bell", "--model", tiny_model_folder, "--sigma-max", 1e308)
    refused(result, "sigma_max is 1e[+]308: give a noise level of at most 1e[+]08")


@pytest.mark.parametrize(
    ("name", "option", "most"),
    [
        ("unheard generate", "--count", 1_000_000),
        ("unheard generate", "--num-inference-steps", 10_000),
        ("unheard audit", "--seeds", 50_000),  # of each of 20 prompts
        ("unheard index build", "--workers", 1_024),
    ],
)
def test_what_would_take_all_memory_is_refused(
    run: Callable[..., Result],
    folder: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    option: str,
    most: int,
) -> None:
    monkeypatch.setenv("UNHEARD_MODEL", str(tiny_model_folder))
    result = run(*name.split()[1:], *WORK[name], option, most + 1)
    refused(result, f"is {most + 1}: give a whole number of at most {most:,}$")


def refuses(run: Callable[..., Result], folder: Path, name: str, option: click.Option, wrong: str) -> None:
    """One line names the option and the value, and says what to give; nothing is left in the folder."""
    spelt = max(option.opts, key=len)
    before = sorted(folder.rglob("*"))
    result = run(*name.split()[1:], *WORK[name], spelt, wrong)
    refused(result, re.sub("[-_]", "[-_]", spelt.strip("-")))
    assert re.search(rf"{wrong}\b", result.stderr), result.stderr
    assert re.search("give|in the range", result.stderr), result.stderr
    assert sorted(folder.rglob("*")) == before
