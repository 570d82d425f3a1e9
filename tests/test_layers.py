"""Imports run one way, in circles nowhere, and starting up loads nothing heavy."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys

import pytest
from layers import LAYERS, PACKAGE, circles, files, imports, layer, the_map

import unheard
from unheard.guidance import GUIDANCES

HEAVY = {"torch", "diffusers", "transformers", "lancedb", "pyarrow", "ray", "optuna", "matplotlib"}
FILES = files()
HEIGHT = {name: height for height, name in enumerate(LAYERS)}


def test_the_map_in_the_package_is_made_from_the_layers() -> None:
    assert unheard.__doc__ is not None
    assert the_map() in unheard.__doc__


def test_every_module_at_the_root_is_a_layer_and_there_are_few() -> None:
    at_root = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert at_root | folders == set(LAYERS)
    assert len(at_root) + 1 <= 8


@pytest.mark.parametrize("name", [name for name in FILES if name != "unheard"])
def test_imports_run_one_way(name: str) -> None:
    """In functions and under TYPE_CHECKING too; nothing imports the package that exports it."""
    for other in set(imports(FILES[name], FILES)):
        assert other != "unheard", f"{name} imports the package that exports it"
        if layer(other) != layer(name):
            below = HEIGHT[layer(other)] < HEIGHT[layer(name)]
            assert below, f"{name} imports {other}, which is not below it"


def test_no_imports_run_in_a_circle() -> None:
    """Inside a folder neither: what is in a package imports from its files, not from what it exports."""
    assert circles({name: set(imports(path, FILES)) for name, path in FILES.items()}) == []


def test_lab_is_not_imported() -> None:
    of_lab = re.compile(r"^\s*(from|import) lab\b", re.MULTILINE)
    assert not [path for path in FILES.values() if of_lab.search(path.read_text(encoding="utf-8"))]


STARTS = [
    "import unheard",
    "unheard.AMG(), unheard.Sampling(), dir(unheard)",
    "from unheard.cli import main",
    "main(['--help'])",
    "main(['generate', '--help'])",
    "main(['audit', '--help'])",
    "main(['audit', 'nowhere.wav'])",
    "main(['generate', ''])",
    "main(['models'])",
    "main(['index', '--help'])",
    "main(['index', 'build', '--help'])",
    "main(['index', 'search', '--help'])",
]
TELL_WHAT_IS_HEAVY = f"""
import json, sys
for start in {STARTS!r}:
    try:
        exec(start)
    except SystemExit:
        pass
    print("HEAVY", json.dumps([start, sorted({HEAVY!r} & set(sys.modules))]))
"""


def test_nothing_heavy_is_loaded() -> None:
    """One after another in a new interpreter: what one of them loaded is there after all that follow."""
    result = subprocess.run(
        [sys.executable, "-c", TELL_WHAT_IS_HEAVY], capture_output=True, text=True, check=True
    )
    told = [line.removeprefix("HEAVY ") for line in result.stdout.splitlines() if line.startswith("HEAVY ")]
    assert [json.loads(line) for line in told] == [[start, []] for start in STARTS]


def test_every_export_is_there() -> None:
    for name in unheard.__all__:
        assert getattr(unheard, name) is not None
    assert not hasattr(unheard, "anything_else")
    assert set(dir(unheard)) >= {made_of.__name__ for made_of in GUIDANCES.values()}
    assert set(dir(unheard)) >= {"Guidance", "Embedder", "Backbone", "Request", "TrainingSet"}


def test_no_call_of_the_public_face_takes_anything() -> None:
    """Every argument is named and typed, so that editors and type checkers know it."""
    for function in (unheard.load, unheard.audit, unheard.Model.generate, unheard.Model.request):
        for parameter in inspect.signature(function).parameters.values():
            assert parameter.kind is not parameter.VAR_KEYWORD, f"{function} takes **{parameter.name}"
            assert parameter.name == "self" or parameter.annotation not in (parameter.empty, "Any")
