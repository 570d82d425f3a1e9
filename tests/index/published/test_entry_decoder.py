"""Entries are read as the standard library reads them, whatever they hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unheard.index.published.entry_decoder import EntryDecoder

BLANK = st.sampled_from(["", "", " ", "\n\t "])
NUMBER = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        [
            "0",
            "-1",
            "1E2",
            "5e-324",
            "1e999",
            "1" * 30,
            "01",
            "1.",
            "NaN",
            "-Infinity",
            "true",
            "null",
            '"1"',
            "[2.5]",
        ]
    ),
)
LIST = st.lists(NUMBER, max_size=4).map(lambda numbers: f"[{', '.join(numbers)}]")
MEMBER = st.one_of(
    LIST.map(lambda written: f'"embedding": {written}'),
    LIST.map(lambda written: f'"further": {{"embedding": {written}}}'),
    st.sampled_from(['"conditioning": {"prompt": "a ] \\" }", "prompt": 1}', '"embedder": "x"', "", '"a"']),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Entries, well written and not, with something behind them."""
    first = [f'"embedding"{draw(BLANK)}:{draw(BLANK)}{draw(LIST)}'] if draw(st.booleans()) else []
    separator = draw(BLANK) + "," + draw(BLANK)
    inside = separator.join(first + draw(st.lists(MEMBER, max_size=3)))
    return "{" + draw(BLANK) + inside + draw(st.sampled_from(["}", "}", "}, ", "} }", "", "]"]))


def read(decoder: Any, text: str) -> Any:
    """The value and its end, or what is wrong and where."""
    try:
        value, end = decoder.raw_decode(text, 0)
    except json.JSONDecodeError as error:
        return error.msg, error.pos
    written = json.dumps(value, default=np.ndarray.tolist)
    return json.dumps(json.loads(written, parse_int=float)), end  # an embedding's 0 is 0.0


@given(texts())
def test_an_entry_is_what_the_library_reads(text: str) -> None:
    assert read(EntryDecoder(), text) == read(json.JSONDecoder(), text)


@pytest.mark.parametrize(
    "text", ['{"embedding": [1.5], "further": 1, "further": 2}', '{"embedding": [1.5], "embedding": [2.5]}']
)
def test_a_key_that_occurs_twice_is_noted(text: str) -> None:
    decoder = EntryDecoder()
    decoder.raw_decode(text, 0)
    assert [found.key for found in decoder.ambiguous] == [text.split('"')[-2]]


def test_numbers_are_held_as_numbers_at_once() -> None:
    value, _ = EntryDecoder().raw_decode('{"embedding": [0.1, -3e-7], "further": 1}', 0)
    assert value["embedding"].dtype == np.float64
    assert value["embedding"].tolist() == [0.1, -3e-7]
