"""What a release relies on: the reference has every public name, the assets keep to their budget."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import unheard

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 64_000_000  # bytes of assets; an index of packages takes 100 MB a file at most


@pytest.mark.parametrize("name", sorted(set(unheard.__all__) - {"__version__"}))
def test_every_public_name_stands_in_the_reference_once(name: str) -> None:
    pages = (ROOT / "docs" / "api").glob("*.md")
    written = [path for page in pages for path in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.M)]
    by_name_or_with_its_module = {f"unheard.{name}", getattr(unheard, name).__module__}
    times = sum(path in by_name_or_with_its_module for path in written)
    assert times == 1, f"write `::: unheard.{name}` once, on the page of docs/api that it belongs to"


def test_assets_keep_to_their_budget() -> None:
    files = [path for path in (ROOT / "src" / "unheard" / "assets").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= BUDGET
