"""An index is of one embedder: by its weights where they are known, else by its name."""

from __future__ import annotations

import pytest
from stored_rows import DIMENSION, GUIDE

from unheard.errors import IndexFileError
from unheard.index.store.embedder_record import EmbedderRecord


def test_an_embedder_that_did_not_make_it_is_refused_with_both_named() -> None:
    renamed = EmbedderRecord("guide-2", DIMENSION, sha256="a" * 64)
    GUIDE.check(renamed, "my-index")  # the same weights under another name
    GUIDE.check(EmbedderRecord(None, DIMENSION), "my-index")
    for other, message in [
        (EmbedderRecord("judge", DIMENSION), "made by the embedder 'guide' .* this one is 'judge'"),
        (EmbedderRecord("guide", DIMENSION, sha256="b" * 64), r"weights a+\).* 'guide' .*weights b+\)"),
        (EmbedderRecord("guide", 8), r"\(6 numbers.*\(8 numbers\)"),
    ]:
        with pytest.raises(IndexFileError, match=message):
            GUIDE.check(other, "my-index")
