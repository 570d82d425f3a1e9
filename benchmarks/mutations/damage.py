"""Damage to good files: input number n of a family is always the same."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from benchmarks.mutations.family import Family

NUMBERS = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    0x8000_0000,
    (1 << 63) - 1,
    (1 << 64) - 1,
]
VALUES = [
    "null", "true", "-1", "0", "1e999", "NaN", "-Infinity", "9" * 400, "9" * 5000, "0.5", '""', '"x"', "[]",
    "{}",
    '"\\ud83d"', '"\\u0000"', '["a", 3]', '{"a": null}', '"../../etc/passwd"', '"s3://bucket/x"',
    '"' + "x" * 5000 + '"', "[" * 3000, "[" * 900 + "]" * 900, '{"a":' * 2000, "\x00", "\u2028", '"',
]  # fmt: skip
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')


def damaged(family: Family, number: int) -> tuple[str, bytes]:
    """Input number n of a family: name and content."""
    chance = random.Random(number)
    name, content = chance.choice(sorted(family.good().items()))
    for _ in range(chance.randint(1, 4)):
        damage = chance.choice([_other_value, _other_value, _other_node, _other_bytes])
        content = (damage if family.text else _other_bytes)(content, chance, family)
    return name, content


def _other_bytes(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Damage that knows nothing of what the bytes mean; more of it near the beginning, where headers are."""
    changed = bytearray(content)
    reach = len(changed) if chance.random() < 0.5 else min(len(changed), 256)
    place = chance.randrange(reach + 1)
    end = min(len(changed), place + int(chance.expovariate(1 / 16)) + 1)
    kind = chance.randrange(8)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            if changed:
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        changed[place:end] = chance.randbytes(end - place)
    elif kind == 2:
        del changed[place:end]
    elif kind == 3:
        changed[place:place] = changed[place:end] * chance.randint(1, 50)
    elif kind == 4:
        width, order = chance.choice([1, 2, 4, 8]), chance.choice(["little", "big"])
        value = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
        changed[place : place + width] = value.to_bytes(width, order)  # type: ignore[arg-type]
    elif kind == 5:
        del changed[chance.randrange(len(changed) + 1) :]
    elif kind == 6:
        other = chance.choice(sorted(family.good().values()))
        changed[place:end] = other[chance.randrange(len(other)) :][: chance.randrange(1, 400)]
    else:
        changed[place:place] = chance.choice([b"\0", b"\xff"]) * chance.randint(1, 300)
    return bytes(changed)


def _other_value(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Another value in the place of a number or a text."""
    tokens = list(TOKENS.finditer(content))
    if not tokens:
        return _other_bytes(content, chance, family)
    token = chance.choice(tokens)
    value = chance.choice([*VALUES, chance.choice(tokens)[0].decode("utf-8", "replace")]).encode()
    return content[: token.start()] + value + content[token.end() :]


NODES = [
    None,
    True,
    -1,
    0,
    2.5,
    10**400,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    ["a", 3],
    {"a": {}},
    [{}],
    "\ud83d\0",
]


def _other_node(content: bytes, chance: random.Random, family: Family) -> bytes:
    """Another value in the place of any part of a JSON document, however much is in it."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _other_value(content, chance, family)
    if not isinstance(document, dict | list):
        return _other_value(content, chance, family)
    parts: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        part = waiting.pop()
        inside = list(part.items()) if isinstance(part, dict) else list(enumerate(part))
        parts += [(part, key) for key, _ in inside]
        waiting += [value for _, value in inside if isinstance(value, dict | list)]
    if not parts:
        return content
    part, key = chance.choice(parts)
    part[key] = chance.choice(NODES)
    return json.dumps(document).encode()
