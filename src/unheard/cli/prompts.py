"""Prompts from a text file."""

from __future__ import annotations

from unheard.common.prompt_files import read_lines
from unheard.errors import InputError


def read_prompts(path: str) -> list[str]:
    """The lines of a text file that are not blank."""
    prompts = read_lines(path)
    if not prompts:
        raise InputError(f"{path} holds no prompt: write one a line")
    return prompts
