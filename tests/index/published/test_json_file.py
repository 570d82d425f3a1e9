"""What is wrong in a file is named, with the id it is wrong in."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from published_files import entry, write

from unheard.errors import IndexFileError
from unheard.index import Index


def broken(change: Any) -> dict[str, Any]:
    """A file of three entries after `change(second entry)`."""
    content = {name: copy.deepcopy(entry([0.1, 0.2, 0.3])) for name in ("first", "second", "third")}
    change(content["second"])
    return content


def conditioning(key: str, value: Any) -> Any:
    return lambda made: made["conditioning"].__setitem__(key, value)


def drop(*keys: str) -> Any:
    def change(made: dict[str, Any]) -> None:
        for key in keys[:-1]:
            made = made[key]
        del made[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{}", "no entries"),
        ("[]", "not a list"),
        ("3", "not the number 3"),
        ("null", "not null"),
        (
            '{"a": VALID,\n "b" 2}'.replace("VALID", json.dumps(entry([1.0]))),
            "not JSON: Expecting ':' delimiter at line 2, column 6",
        ),
        ("{" * 100_000, "not"),
        ("[" * 100_000, "not a usable JSON file"),
        ('{"a": ' + "1" * 5000 + "}", "not a usable JSON file"),
        ('{"first": 5}', 'id "first": the entry must be an object, not the number 5'),
        ('{"embedding": [0.5]}', 'id "embedding": the entry must be an object, not a list'),
        (broken(drop("embedding")), 'id "second": "embedding" is missing'),
        (broken(drop("conditioning")), 'id "second": "conditioning" is missing'),
        (
            broken(lambda e: e.update(conditioning=[])),
            '"second": "conditioning" must be an object, not a list',
        ),
        (broken(drop("conditioning", "prompt")), 'id "second": "prompt" is missing'),
        (broken(conditioning("prompt", None)), 'id "second": "prompt" must be a text, not null'),
        (broken(conditioning("prompt", 4)), 'id "second": "prompt" must be a text, not the number 4'),
        (broken(drop("conditioning", "seconds_start")), 'id "second": "seconds_start" is missing'),
        (broken(drop("conditioning", "seconds_total")), 'id "second": "seconds_total" is missing'),
        (
            broken(conditioning("seconds_start", "0")),
            '"seconds_start" must be a number of seconds, not the text',
        ),
        (broken(conditioning("seconds_total", True)), '"seconds_total" must be a number .* not true'),
        (broken(conditioning("seconds_total", -1)), '"seconds_total" must be a finite .* not -1'),
        (broken(conditioning("seconds_total", float("nan"))), '"seconds_total" must be a finite .* not nan'),
        (broken(conditioning("seconds_start", 10**400)), '"seconds_start" must be a finite'),
        (broken(lambda e: e.update(embedding="x")), '"embedding" must be a list of numbers, not the text'),
        (broken(lambda e: e.update(embedding=[])), 'id "second": "embedding" is an empty list'),
        (broken(lambda e: e.update(embedding=[0, 0.0, 0])), 'id "second": embedding is all zeros'),
        (broken(lambda e: e["embedding"].pop()), r'"second": embedding has 2 numbers.*"first"\) has 3'),
        (broken(lambda e: e["embedding"].__setitem__(1, None)), r"embedding\[1\] must be a number, not null"),
        (
            broken(lambda e: e["embedding"].__setitem__(2, False)),
            r"embedding\[2\] must be a number, not false",
        ),
        (
            broken(lambda e: e["embedding"].__setitem__(0, [1])),
            r"embedding\[0\] must be a number, not a list",
        ),
        (broken(lambda e: e["embedding"].__setitem__(1, float("nan"))), r'"second": embedding\[1\] is nan'),
        (broken(lambda e: e["embedding"].__setitem__(2, float("-inf"))), r'"second": embedding\[2\] is -inf'),
        (
            broken(lambda e: e["embedding"].__setitem__(2, 10**400)),
            'id "second": embedding has a whole number',
        ),
        (broken(lambda e: e.update(embedder=3)), '"embedder" must be a name, not the number 3'),
        ('{"a": {"embedding": [1e999]}}', r"embedding\[0\] is inf"),
        (
            '{"x": VALID, "x": VALID}'.replace("VALID", json.dumps(entry([1.0]))),
            'the id "x" occurs twice',
        ),
        ('{"x": {"embedding": [1.0], "embedding": [2.0]}}', 'id "x": "embedding" occurs twice in the entry'),
        (
            '{"x": {"embedding": [1.0], "conditioning": {"prompt": "a", "prompt": "b"}}}',
            'id "x": "prompt" occurs twice in "conditioning"',
        ),
        (
            json.dumps({"x": {**entry([1.0]), "y": 0}}).replace('"y": 0', '"y": {"z": 1, "z": 2}'),
            '"z" occurs twice',
        ),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_id(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(IndexFileError, match=message) as raised:
        Index.open(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b'{"a\xff": 1}')
    with pytest.raises(IndexFileError, match="byte 3 is not UTF-8"):
        Index.open(tmp_path / "bytes.json")
    with pytest.raises(IndexFileError, match=r"missing\.json: No such file"):
        Index.open(tmp_path / "missing.json")
    with pytest.raises(IndexFileError, match="is no index; make one"):
        Index.open(tmp_path)


def test_a_file_of_two_embedders_is_refused_with_both_named(tmp_path: Path) -> None:
    content = {
        "a": entry([1.0]),
        "b": {**entry([1.0]), "embedder": "guide"},
        "c": {**entry([1.0]), "embedder": "judge"},
    }
    with pytest.raises(
        IndexFileError, match='id "c" was made by the embedder "judge", but id "b" by "guide"'
    ):
        Index.open(write(tmp_path / "mixed.json", content))
