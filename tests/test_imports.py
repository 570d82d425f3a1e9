"""Imports run one way, and starting up loads nothing heavy."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unheard

PACKAGE = Path(unheard.__file__).parent

# From the ground up. A module may import from any layer below its own and from its own family, such as
# `index.memory` from `index.json_file`, but never from a neighbour in its layer.
LAYERS = (
    {"errors", "__init__"},
    {"spelling", "places"},
    {"settings", "files", "cluster"},
    {"amg", "sampling", "audio", "models", "request", "provenance"},
    {"embedders", "backbones"},
    {"index"},
    {"guidance", "sound", "auditing", "prompt_risk", "latents"},
    {"rejection"},
    {"generate", "doctor"},
    {"replication"},
    {"evaluation"},
    {"cli"},
    {"__main__"},
)
LAYER = {family: height for height, families in enumerate(LAYERS) for family in families}
HEAVY = {"torch", "diffusers", "transformers", "lancedb", "pyarrow", "ray", "optuna", "matplotlib"}


def family(path: Path) -> str:
    """The module, or the subpackage, right under the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Families that a file imports, anywhere in it but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "unheard" and len(parts) > 1:
                found.add(parts[1] if parts[1] in LAYER else "__init__")
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "assets" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    own = family(path)
    assert own in LAYER, f"give {own} its place in LAYERS"
    for other in imported(path) - {own}:
        assert LAYER[other] < LAYER[own], f"{own} imports {other}, which is not below it"


def test_lab_is_not_imported() -> None:
    of_lab = re.compile(r"^\s*(from|import) lab\b", re.MULTILINE)
    assert not [path for path in FILES if of_lab.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "program",
    [
        "import unheard",
        "import unheard; unheard.AMG(), unheard.Sampling(), dir(unheard)",
        "from unheard.cli import main; main(['--help'])",
        "from unheard.cli import main; main(['generate', '--help'])",
        "from unheard.cli import main; main(['audit', '--help'])",
        "from unheard.cli import main; main(['audit', 'nowhere.wav'])",
        "from unheard.cli import main; main(['generate', ''])",
        "from unheard.cli import main; main(['models'])",
        "from unheard.cli import main; main(['index', '--help'])",
        "from unheard.cli import main; main(['index', 'build', '--help'])",
        "from unheard.cli import main; main(['index', 'search', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    watch = (
        f"import atexit, sys; atexit.register(lambda: print('HEAVY', sorted({HEAVY} & set(sys.modules))))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", watch + program], capture_output=True, text=True, check=False
    )
    assert result.stdout.splitlines()[-1] == "HEAVY []", result.stderr


def test_every_export_is_there() -> None:
    for name in unheard.__all__:
        assert getattr(unheard, name) is not None
    assert not hasattr(unheard, "anything_else")
