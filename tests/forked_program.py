"""The program in processes that are forked with all that it needs: what begins with its imports is over.

Python's fork server imports and forks, and never does anything else. So no thread of LanceDB or torch is at
work when it does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType

import pytest

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["preloaded"])


def forked(
    arguments: list[str],
    folder: Path,
    stdout: Path,
    stderr: Path,
    before: Callable[[], object] | None = None,
    **builder: int,
) -> ForkServerProcess:
    """Run it in a folder, as the leader of a session, deaf to no signal.

    Args:
        arguments: of the command line.
        folder: where it runs.
        stdout, stderr: files, or a terminal, to write to.
        before: what is called there first.
        builder: constants of `unheard.index.building.builder`, and what they are there.
    """
    process = CONTEXT.Process(
        target=_run, args=(arguments, folder, stdout, stderr, before, dict(os.environ), builder)
    )
    main = sys.modules["__main__"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # not to be run anew there
        process.start()
    assert sys.modules["__main__"] is main
    return process


def die_writing(folder: str, number: int) -> None:
    """Have this process killed when it is about to put its so-many-th file into a folder of that name."""
    replace, files = os.replace, []

    def dying(source: str | Path, target: str | Path) -> None:
        if Path(target).parent.name == folder:
            files.append(target)
            if len(files) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = dying


def _run(
    arguments: list[str],
    folder: Path,
    stdout: Path,
    stderr: Path,
    before: Callable[[], object] | None,
    environment: Mapping[str, str],
    constants: Mapping[str, int],
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update({**environment, "COLUMNS": "80", "TERM": "xterm"})
    for number, path in enumerate((stdout, stderr), start=1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from unheard.cli import main
    from unheard.index.building import builder

    for name, value in constants.items():
        setattr(builder, name, value)
    if before is not None:
        before()
    main(arguments, prog_name="unheard")
