"""Prompts from a text file."""

from __future__ import annotations

from pathlib import Path

from unheard.errors import InputError


def read_prompts(path: str) -> list[str]:
    """The lines of a text file that are not blank."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start}): convert it") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise InputError(f"{path} holds no prompt: write one a line")
    return prompts
