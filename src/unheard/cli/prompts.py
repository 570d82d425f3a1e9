"""Prompts from a text file, and how many sounds are made of each."""

from __future__ import annotations

from collections.abc import Sequence

from unheard.common.checks import require_whole
from unheard.common.prompt_files import read_lines
from unheard.errors import InputError

MOST_SOUNDS = 1_000_000
"""Of one command: each is a prompt in memory, and a file, before the first is begun."""


def read_prompts(path: str) -> list[str]:
    """The lines of a text file that are not blank."""
    prompts = read_lines(path)
    if not prompts:
        raise InputError(f"{path} holds no prompt: write one a line")
    return prompts


def repeated(prompts: Sequence[str], name: str, count: int) -> list[str]:
    """Each prompt so many times, one after another; `name` is what the number is called.

    Raises:
        InputError: a number below 1, or one that makes more than `MOST_SOUNDS`.
    """
    require_whole(name, count, 1, MOST_SOUNDS // len(prompts))
    return [prompt for prompt in prompts for _ in range(count)]
