"""The pages that a person reads, as Markdown."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
PAGES = [
    README,
    *sorted(
        [
            *(ROOT / "docs").glob("*.md"),
            *(ROOT / "docs").glob("models/*.md"),
            *(ROOT / "docs").glob("tutorials/*.md"),
        ]
    ),
]
RECORDS = [ROOT / "docs" / "log.md", ROOT / "docs" / "decisions.md"]
"""Pages whose entries are not written again: they keep the names and the sentences of their day."""
LIVING = [page for page in PAGES if page not in RECORDS]


def blocks(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
