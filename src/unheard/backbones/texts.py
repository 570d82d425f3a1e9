"""Prompts before a text encoder reads them: that they are texts, and what of them is lost or unknown."""

from __future__ import annotations

import json
import re
import textwrap
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.common.texts import plural
from unheard.errors import InputError, ModelError

if TYPE_CHECKING:
    from torch import Tensor


MOST_TOKENS = 1 << 20
"""More than any text encoder reads: transformers has 10^30 for a tokenizer that does not say."""
GIVE_ITS_OWN = "give the tokenizer that the model was published with"


def check_texts(
    prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
) -> None:
    """What a backbone is asked to encode: one prompt, start and total a sample.

    Raises:
        InputError: the three are not of one length, or a prompt is not text.
    """
    if not len(prompts) == len(seconds_start) == len(seconds_total):
        raise InputError(
            f"{plural(len(prompts), 'prompt')}, {plural(len(seconds_start), 'start')} and "
            f"{plural(len(seconds_total), 'total')}: "
            "give one of each for every sample"
        )
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise InputError(
                f"the prompt {prompt!r} is not text but of type {type(prompt).__name__}: give a string"
            )


_BEGINS = "\u2581"  # what SentencePiece writes in front of a word
_SPECIAL = re.compile(r"</?\w+>")


def whole_words(vocabulary: Collection[str]) -> frozenset[str] | None:
    """The words of a vocabulary that has whole words, and of their parts none but single characters.

    Any other vocabulary, such as that of T5, spells every word in parts that it has learned: None.
    """
    words = {piece.removeprefix(_BEGINS) for piece in vocabulary if len(piece) > 1 and piece[0] == _BEGINS}
    rest = [piece for piece in vocabulary if piece[:1] != _BEGINS and not _SPECIAL.fullmatch(piece)]
    return frozenset(words) if words and all(len(piece) == 1 for piece in rest) else None


def words_of_tokenizer(folder: Path) -> frozenset[str] | None:
    """`whole_words` of the `tokenizer.json` in a folder, read without a library; None if it has none."""
    try:
        model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        return whole_words([piece for piece, _ in model["vocab"]])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def unknown_words(words: Collection[str], text: str) -> tuple[str, ...]:
    """What of a text is none of these words, in its order; punctuation may stand behind a word.

    To a tokenizer of whole words, a word begins at a blank. "loop," is the word "loop", and of "(loop" and
    "hip-hop" a part is spelt in letters.
    """
    unknown = []
    for chunk in text.split():
        word, rest = re.fullmatch(r"(\w*)(.*)", chunk, re.DOTALL).groups()  # type: ignore[union-attr]
        if (word and word not in words) or re.search(r"\w", rest):
            unknown.append(chunk.strip(".,;:!?\"'()"))
    return tuple(dict.fromkeys(unknown))


def warn_of_truncation(tokenizer: Any, texts: Sequence[str], limit: int, model: str) -> None:
    """Warn of each text that has more than `limit` tokens; its end mark, if it gets one, stays."""
    read = tokenized(tokenizer, texts, model, verbose=False)
    for text, ids in zip(texts, read.input_ids, strict=True):
        if len(ids) > limit:
            mark = int(ids[-1] == tokenizer.eos_token_id)
            lost = tokenizer.decode(ids[limit - mark : len(ids) - mark])
            warnings.warn(
                f"the prompt {_shorten(text)!r} has {len(ids) - mark} tokens, of which {model} reads "
                f"{limit - mark}: it loses the last {len(ids) - limit}, from {_shorten(lost)!r} on",
                stacklevel=4,
            )


def tokenized(tokenizer: Any, texts: Sequence[str], model: str, **options: Any) -> Any:
    """What a tokenizer of transformers makes of texts.

    Args:
        tokenizer: of the model's folder.
        texts: as they are.
        model: whose it is, for the message.
        options: as the tokenizer takes them.

    Raises:
        ModelError: it cannot read them: it is damaged, or belongs to another model.
    """
    limit = options.get("max_length", 1)
    try:
        if not isinstance(limit, int) or not 0 < limit <= MOST_TOKENS:
            raise ValueError(f"it reads {limit} tokens at most")
        return tokenizer(list(texts), **options)
    except Exception as error:  # a damaged tokenizer fails wherever it is first used
        said = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise ModelError(
            f"the tokenizer of {model} cannot read texts: {said[:200]}; {GIVE_ITS_OWN}"
        ) from error


def known_tokens(tokens: Tensor, encoder: Any, model: str) -> Tensor:
    """Tokens as they are, or ModelError where one of them is none of the text encoder's.

    Args:
        tokens: numbers of tokens, of any shape.
        encoder: a text encoder of transformers.
        model: whose they are, for the message.
    """
    known = encoder.get_input_embeddings().num_embeddings
    highest = int(tokens.max()) if tokens.numel() else 0
    if highest >= known:
        raise ModelError(
            f"the tokenizer of {model} gives token {highest:,}, and its text encoder knows {known:,}; "
            f"{GIVE_ITS_OWN}"
        )
    return tokens


def _shorten(text: str) -> str:
    return textwrap.shorten(text, 60, placeholder=" ...") if " " in text else text[:60]
