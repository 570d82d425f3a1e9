"""One large JSON object, member by member, as the standard library reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_files import files

from unheard.errors import IndexFileError
from unheard.index.published import json_stream


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def read(content: bytes, size: int) -> dict[str, Any]:
    return dict(json_stream.members(pieces(content, size), "file", json.JSONDecoder()))


@settings(max_examples=40, deadline=None)
@given(content=files(), size=st.integers(1, 40), indent=st.none() | st.just(2), escaped=st.booleans())
def test_a_stream_reads_what_the_library_reads(
    content: dict[str, Any], size: int, indent: int | None, escaped: bool
) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=escaped)
    assert repr(read(text.encode(), size)) == repr(json.loads(text)) == repr(content)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_cuts_fall_anywhere(size: int) -> None:
    text = '\ufeff {"a\\ud83d\\ude00": -1.5e-7, "é鐘😀": [Infinity, -Infinity], "": "x\\ud800", "n": null}\n'
    assert read(text.encode(), size) == {
        "a😀": -1.5e-7,
        "é鐘😀": [float("inf"), float("-inf")],
        "": "x\ud800",
        "n": None,
    }
    assert read(b"{ }", size) == {}


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,\n "é" 2}',
        '{"a": 1\n,\n}',
        '{"a": 1 "b": 2}',
        '{"a": [1, 2,, 3], "b": 2}',
        '{\n\n  "a": [1, tru]}',
        '{"a": "unended',
        '{"a": 12',
        '{"a": 1} {',
        '{"a": 1}\n x',
        "{'a': 1}",
        '{"a": "tab\there"}',
        '{"a": "\\x"}',
    ],
)
def test_what_is_wrong_and_where_are_those_of_the_library(text: str, size: int) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(IndexFileError) as raised:
        read(text.encode(), size)
    where = f"at line {expected.value.lineno}, column {expected.value.colno}"
    assert str(raised.value) == f"file is not JSON: {expected.value.msg} {where}"


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_bytes_that_are_no_text_are_counted(size: int) -> None:
    content = '{"é": "鐘'.encode() + b'\xff"}'
    with pytest.raises(IndexFileError, match=f"byte {content.index(0xFF)} is not UTF-8"):
        read(content, size)
    with pytest.raises(IndexFileError, match=f"byte {len(content) - 6} is not UTF-8"):
        read(content[:-4], size)


def test_another_json_file_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "LARGEST_MEMBER", 1000)
    read_so_far = 0

    def endless() -> Iterator[bytes]:
        nonlocal read_so_far
        yield b'{"data":\n ['
        while True:
            read_so_far += 100
            yield b"0.12345," * 12 + b"0.5,"

    with pytest.raises(
        IndexFileError, match="what begins at line 2, column 2 is longer than 1,000 characters"
    ):
        dict(json_stream.members(endless(), "file", json.JSONDecoder()))
    assert read_so_far < 10_000
