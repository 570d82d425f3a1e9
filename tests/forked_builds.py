"""Builds in processes of their own, which exit after a certain write, are killed, or come to their end.

python tests/forked_builds.py     forks builds: a request a line on standard input, an answer a line on
                                  standard output

They have an embedder without a model: what is tested are the writes. What a build needs is loaded once. The
process that forks never builds itself, so that no thread of LanceDB or torch is at work when it does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
EXITED = 86


class ForkedBuilds:
    """The process that forks builds; a context that ends it.

    Args:
        scratch: folder for temporary files, which a build that dies leaves there.
    """

    def __init__(self, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(scratch)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def exits_after(self, writes: int, sources: Path, uri: Path, **options: Any) -> str | None:
        """Build, and exit after so many writes: the name of the last, None if there were not as many."""
        ((status, last),) = self._ask([(sources, uri, options)], writes=writes)
        assert status == (EXITED if last else 0)
        return last

    def killed_after(self, seconds: float, sources: Path, uri: Path) -> bool:
        """Build, and be killed after so many seconds: whether that was before the end."""
        ((status, _),) = self._ask([(sources, uri, {})], seconds=seconds)
        assert status in (0, -signal.SIGKILL)
        return status != 0

    def at_once(self, builds: Sequence[tuple[Path, Path]], **options: Any) -> None:
        """Build to the end, each from its sources into its index, all at the same time."""
        answers = self._ask([(sources, uri, options) for sources, uri in builds])
        assert [status for status, _ in answers] == [0] * len(builds)

    def _ask(self, builds: list[tuple[Path, Path, dict[str, Any]]], **ending: float) -> list[list[Any]]:
        """How they ended and what they wrote last."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"builds": builds, **ending}, default=str) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def two_at_once() -> Any:
    """The embedder, with two windows a batch: some sounds are committed while others are still to come."""
    from plain_embedder import PlainEmbedder

    return PlainEmbedder(batch=2)


def exit_after(writes: int, say: Callable[[str], object]) -> None:
    """Let this process exit at once after its so-many-th write, and say which it was.

    What lies before a write lies after the one before it: so every moment between two can be asked for.
    """
    from lancedb.db import LanceDBConnection
    from lancedb.merge import LanceMergeInsertBuilder
    from lancedb.table import LanceTable

    from unheard.index.building.ledger import Ledger
    from unheard.index.building.rejects import Rejects

    to_come = writes

    def written(what: str) -> None:
        nonlocal to_come
        to_come -= 1
        if to_come == 0:
            say(what)
            os._exit(EXITED)

    def watch(owner: type, name: str) -> None:
        write = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            result = write(*arguments, **options)
            written(f"{owner.__name__}.{name}")
            return result

        setattr(owner, name, watched)

    watch(LanceDBConnection, "create_table")
    watch(LanceMergeInsertBuilder, "execute")
    watch(LanceTable, "delete")
    watch(LanceTable, "optimize")
    watch(Ledger, "__init__")
    watch(Ledger, "see")
    watch(Rejects, "add")
    watch(Rejects, "close")


def build(sources: str, uri: str, options: dict[str, Any], embedder: Any) -> None:
    from unheard import index
    from unheard.index.building import builder

    builder.ROWS_A_COMMIT = 2
    builder.WRITES_BETWEEN_COMPACTIONS = 2
    index.build(sources, uri, embedder=embedder, workers=0, **options)


def fork(embedder: Any, build_of: list[Any], writes: int | None) -> tuple[int, int]:
    """A process that builds: its number, and where to read what it wrote last before it exited."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    try:
        if writes is not None:
            exit_after(writes, lambda last: os.write(writing, last.encode()))
        build(*build_of, embedder)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def serve() -> None:
    import lancedb  # noqa: F401
    import pyarrow.compute  # noqa: F401

    import unheard.index.commands  # noqa: F401
    from unheard.index.building import builder, sources, windows  # noqa: F401

    warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
    embedder = two_at_once()
    for line in sys.stdin:
        request = json.loads(line)
        children = [fork(embedder, build_of, request.get("writes")) for build_of in request["builds"]]
        if "seconds" in request:
            time.sleep(request["seconds"])
            for child, _ in children:
                os.kill(child, signal.SIGKILL)
        answers = []
        for child, reading in children:
            _, status = os.waitpid(child, 0)
            with open(reading, encoding="utf-8") as last:
                answers.append((os.waitstatus_to_exitcode(status), last.read() or None))
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    serve()
