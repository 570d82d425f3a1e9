"""Prompts before a text encoder reads them: that they are texts, and what of them is lost."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

from unheard.errors import InputError


def check_texts(
    prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
) -> None:
    """What a backbone is asked to encode: one prompt, start and total a sample.

    Raises:
        InputError: the three are not of one length, or a prompt is not text.
    """
    if not len(prompts) == len(seconds_start) == len(seconds_total):
        raise InputError(
            f"{len(prompts)} prompts, {len(seconds_start)} starts and {len(seconds_total)} totals: "
            "give one of each for every sample"
        )
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise InputError(
                f"the prompt {prompt!r} is not text but of type {type(prompt).__name__}: give a string"
            )


def warn_of_truncation(tokenizer: Any, texts: Sequence[str], limit: int, model: str) -> None:
    """Warn of each text that has more than `limit` tokens; its end mark, if it gets one, stays."""
    for text, ids in zip(texts, tokenizer(list(texts), verbose=False).input_ids, strict=True):
        if len(ids) > limit:
            mark = int(ids[-1] == tokenizer.eos_token_id)
            lost = tokenizer.decode(ids[limit - mark : len(ids) - mark])
            warnings.warn(
                f"the prompt {_shorten(text)!r} has {len(ids) - mark} tokens, of which {model} reads "
                f"{limit - mark}: the last {len(ids) - limit} are lost, from {_shorten(lost)!r} on",
                stacklevel=4,
            )


def _shorten(text: str) -> str:
    return textwrap.shorten(text, 60, placeholder=" ...") if " " in text else text[:60]
