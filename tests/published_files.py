"""Training-set files in the published format: entries, and whole files that hypothesis draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st


def entry(embedding: list[Any], prompt: Any = "a bell", start: Any = 0.0, total: Any = 2.0) -> dict[str, Any]:
    return {
        "embedding": embedding,
        "conditioning": {"prompt": prompt, "seconds_start": start, "seconds_total": total},
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
unknown = st.dictionaries(texts.map("x-{}".format), values, max_size=2)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    dimension = draw(st.integers(1, 5))
    content = {}
    for identifier in draw(st.lists(texts, min_size=1, max_size=5, unique=True)):
        made = entry(
            draw(st.lists(numbers, min_size=dimension, max_size=dimension).filter(any)),
            draw(texts),
            draw(st.floats(0, 1e9) | st.integers(0, 2**60)),
            draw(st.floats(0, 1e9)),
        )
        made["conditioning"].update(draw(unknown))
        content[identifier] = {**draw(unknown), **made, **draw(unknown)}
    return content
