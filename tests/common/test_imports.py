"""Packages whose `__init__` waits: it runs when it is needed, and then all is as if it had run at first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from layers import files

from unheard.common.imports import defer, run
from unheard.common.model_libraries import _Disable, _Function, _Mark, defer_unused_parts

Make = Callable[[str], str]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a package `late` of the text of its `__init__`, beside a module `part`; gone after the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text: str) -> str:
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "__init__.py").write_text(text)
        (tmp_path / "late" / "part.py").write_text("class Part: ...\n")
        return "late"

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "late"]:
        del sys.modules[name]


def test_a_module_is_imported_without_its_package(make: Make) -> None:
    defer(make("raise RuntimeError('has run')"))
    from late.part import Part  # type: ignore[import-not-found]

    assert Part.__module__ == "late.part"


@pytest.mark.parametrize("needed", [lambda late: late.value, dir, lambda late: run("late")])
def test_the_package_runs_when_it_is_needed(make: Make, needed: Callable[[ModuleType], object]) -> None:
    defer(make("from late.part import Part\nvalue = 1\n"))
    import late  # type: ignore[import-not-found]
    from late.part import Part

    assert "value" not in vars(late)
    needed(late)
    assert vars(late)["value"] == 1
    assert late.Part is Part
    assert type(late) is ModuleType
    with pytest.raises(AttributeError, match="absent"):
        _ = late.absent


def test_what_has_run_is_left_alone(make: Make) -> None:
    make("value = 1\n")
    import late

    defer("late")
    assert sys.modules["late"] is late
    assert type(late) is ModuleType


def test_a_package_may_put_another_module_in_its_place(make: Make) -> None:
    defer(
        make("import sys, types\nsys.modules[__name__] = other = types.ModuleType('late')\nother.value = 1\n")
    )
    import late

    assert late.value == 1
    assert "value" in dir(late)
    assert sys.modules["late"] is not late


def test_a_module_that_cannot_do_without_the_package_runs_it(make: Make) -> None:
    defer(make("from late import part\nfirst = part\n"), alone=())
    import late
    import late.part

    assert sys.modules["late.part"] is late.part is late.first
    assert late.part.__spec__.loader.path.endswith("part.py")
    with pytest.raises(ModuleNotFoundError, match=r"late\.absent"):
        import late.absent  # type: ignore[import-not-found]


def test_a_package_that_fails_is_asked_again(make: Make, tmp_path: Path) -> None:
    defer(make("raise RuntimeError('not now')\n"), value=_Function("late"))
    import late

    for _ in range(2):
        with pytest.raises(RuntimeError, match="not now"):
            dir(late)
    (tmp_path / "late" / "__init__.py").write_text("def value():\n    return 'at last'\n")
    assert late.value() == "at last"


def test_no_package_of_that_name() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        defer("no_such_package")


def test_a_function_runs_its_package_when_it_is_called(make: Make) -> None:
    defer(make("def double(x):\n    return 2 * x\n"), double=_Function("late"))
    import late
    from late import double

    assert type(late) is not ModuleType
    assert double(4) == 8
    assert late.double is not double
    assert late.double(4) == 8


def test_what_was_marked_is_handed_on(make: Make) -> None:
    defer(make("marked = []\nmark = marked.append\n"), mark=_Mark())
    from late import mark

    @mark
    class Marked: ...

    import late

    assert type(late) is not ModuleType
    assert isinstance(Marked, type)
    assert late.marked == [Marked]


DISABLE = """
def disable(function=None, recursive=True, *, reason=None):
    if function is None:
        return lambda function: disable(function, recursive, reason=reason)
    def disabled(*arguments):
        return "disabled", recursive, reason, function(*arguments)
    disabled.mark = True
    return disabled
"""


def test_functions_are_disabled_as_soon_as_there_is_a_compiler(make: Make) -> None:
    defer(make(DISABLE), disable=_Disable())
    import late
    from late import disable

    def plain(x: int) -> int:
        return x

    @disable(recursive=False, reason="a reason")
    def described(x: int) -> int:
        """What it does."""
        return x

    bare = disable(plain)
    assert bare(1) == described(1) == 1
    assert type(late) is not ModuleType
    run("late")
    assert bare(1) == ("disabled", True, None, 1)
    assert described(1) == ("disabled", False, "a reason", 1)
    assert bare.mark
    assert bare.__name__ == "plain"


def test_a_notebook_without_widgets_hears_no_warning_of_the_libraries_bars(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    console = ModuleType("IPython")
    console.get_ipython = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", console)
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", ModuleType("ipykernel.zmqshell"))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    defer_unused_parts()
    assert "tqdm.autonotebook" in sys.modules
    assert not [each for each in recwarn if "IProgress" in str(each.message)]


def test_the_hub_s_client_is_imported_after_its_bars() -> None:
    """Wherever that may happen first in a notebook; `doctor` runs in none."""
    for name, path in files().items():
        if name != "unheard.doctor":
            lines = path.read_text(encoding="utf-8").split("\n")
            for number, line in enumerate(lines):
                if line.lstrip().startswith("from huggingface_hub import"):
                    assert "import_progress_bars()" in "".join(lines[number - 2 : number]), f"{path}:{number}"
