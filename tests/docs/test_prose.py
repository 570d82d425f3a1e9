"""The pages that a person reads: short lines, sentences and paragraphs, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it.token import Token
from pages import CHANGELOG, LIVING, PAGES, blocks

LINE, PARAGRAPH, SENTENCE = 100, 60, 25

ABBREVIATIONS = r"(?<! al\.)(?<! e\.g\.)(?<! i\.e\.)(?<! vs\.)"
SENTENCE_END = re.compile(rf"(?:(?<=[.!?])|(?<=[.!?][\"')])){ABBREVIATIONS}\s+(?=[A-Z\"'(`])")


def paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and words of each paragraph, those of lists among them; an inline code is one word."""
    tokens = blocks(path)
    for before, token in pairwise(tokens):
        if before.type == "paragraph_open" and token.map is not None:
            yield token.map[0] + 1, "".join(map(as_words, token.children or ()))


def as_words(inline: Token) -> str:
    if inline.type == "code_inline":
        return "`code`"
    return " " if inline.type == "softbreak" else inline.content if inline.type == "text" else ""


def sentences(paragraph: str) -> list[str]:
    return SENTENCE_END.split(paragraph)


@cache
def anchors(path: Path) -> frozenset[str]:
    """What headings of `path` are called in links, on GitHub as in MkDocs."""
    tokens = blocks(path)
    titles = [
        "".join(child.content for child in token.children or ())
        for before, token in pairwise(tokens)
        if before.type == "heading_open"
    ]
    return frozenset(re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles)


def links(path: Path) -> Iterator[str]:
    for token in blocks(path):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                yield str(target)


def test_sentences_are_told_apart() -> None:
    text = "Jain et al. (2025) wait. `latest` ends it. It costs 1.5 s! (Once.) Never twice, e.g. Here"
    assert sentences(text) == [
        "Jain et al. (2025) wait.",
        "`latest` ends it.",
        "It costs 1.5 s!",
        "(Once.)",
        "Never twice, e.g. Here",
    ]


@pytest.mark.parametrize("path", [*PAGES, CHANGELOG], ids=lambda path: path.name)
def test_lines_are_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    prose = [token.map for token in blocks(path) if token.type == "paragraph_open" and token.map is not None]
    numbers = {number for first, last in prose for number in range(first, last)}
    assert [(n + 1, lines[n]) for n in sorted(numbers) if len(lines[n]) > LINE] == []


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_paragraphs_and_sentences_are_short(path: Path) -> None:
    long = [
        (number, len(paragraph.split()), paragraph)
        for number, paragraph in paragraphs(path)
        if len(paragraph.split()) > PARAGRAPH
    ]
    long += [
        (number, len(sentence.split()), sentence)
        for number, paragraph in paragraphs(path)
        for sentence in sentences(paragraph)
        if len(sentence.split()) > SENTENCE
    ]
    assert long == []


@pytest.mark.parametrize("path", [*PAGES, CHANGELOG], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in links(path):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(page), f"{path.name} links to {target}"
