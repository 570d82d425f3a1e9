"""What a release relies on: the reference has every public name, the assets keep to their budget."""

import re
from pathlib import Path

import unheard

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 64_000_000  # bytes; the wheel has to stay well below what PyPI takes


def test_every_public_name_stands_in_the_reference_once():
    pages = sorted((ROOT / "docs" / "api").glob("*.md"))
    written = [name for page in pages for name in re.findall(r"^::: unheard\.(\w+)$", page.read_text(), re.M)]
    assert sorted(written) == sorted(set(unheard.__all__) - {"__version__"})


def test_assets_keep_to_their_budget():
    files = [path for path in (ROOT / "src" / "unheard" / "assets").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= BUDGET
