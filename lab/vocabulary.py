"""The tokenizers of the bundled world, made from its captions; any other text still has tokens."""

from __future__ import annotations

import json
import re
import string
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaTokenizer, T5Tokenizer

MAX_TOKENS = 64


def t5_tokenizer(captions: Iterable[str]) -> T5Tokenizer:
    """Whole words (as written, and in lower case) as pieces, single characters for what is in no word.

    A unigram trainer on a few thousand captions gives poor pieces, so the vocabulary is written down.
    """
    written = {word for caption in captions for word in re.findall(r"\w+", caption)}
    words = sorted(written | {word.lower() for word in written})
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -5.0)]
    vocabulary += [(f"▁{word}", -2.0) for word in words]
    characters = string.ascii_letters + string.digits + string.punctuation
    vocabulary += [(character, -8.0) for character in characters]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=MAX_TOKENS)


def extended(tokenizer: T5Tokenizer, captions: Iterable[str]) -> T5Tokenizer:
    """`tokenizer` with the words of more captions behind its own, whose numbers stay."""
    known = [tuple(piece) for piece in json.loads(tokenizer._tokenizer.to_str())["model"]["vocab"]]
    pieces = {piece for piece, _ in known}
    more = [piece for piece in t5_tokenizer(captions).get_vocab() if piece not in pieces]
    vocabulary = known + [(piece, -2.0) for piece in sorted(more)]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=MAX_TOKENS)


def roberta_tokenizer(captions: Iterable[str]) -> RobertaTokenizer:
    """Byte-level pair encoding trained on the captions."""
    trainer = ByteLevelBPETokenizer()
    trainer.train_from_iterator(
        captions,
        vocab_size=1_200,
        min_frequency=3,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    model = trainer._tokenizer.model
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        vocabulary = json.loads((Path(folder) / "vocab.json").read_text())
        lines = (Path(folder) / "merges.txt").read_text().splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_TOKENS)
