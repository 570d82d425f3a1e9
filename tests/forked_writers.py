"""Writers in processes of their own, which exit after a certain write, or may not write any more.

python tests/forked_writers.py     forks writers: a request a line on standard input, an answer a line

What a writer needs is loaded once. The process that forks never writes itself, so that no thread of LanceDB
or torch is at work when it does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
EXITED = 86
REFUSED = 87
NOBODY = 65534


class ForkedWriters:
    """The process that forks writers; a context that ends it."""

    def __init__(self, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
                "TMPDIR": str(scratch),
                "XDG_CACHE_HOME": str(scratch),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, writer: str, folder: Path, **ending: Any) -> tuple[int, str]:
        """Let a writer of `writers.py` write into a folder.

        Args:
            writer: its name.
            folder: where to.
            ending: `writes`, after how many it exits; `seconds`, after how many it is killed; `bytes`, how
                large a file may become; `nobody`, whether it may write nothing there.

        Returns:
            Its exit code, and what it wrote last or why it could not.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"writer": writer, "folder": str(folder), **ending}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status, last = json.loads(self._process.stdout.readline())
        return status, last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def exit_after(writes: int, say: Callable[[str], object]) -> None:
    """Let this process exit at once after its so-many-th write, and say which it was."""
    from lancedb.db import LanceDBConnection
    from lancedb.merge import LanceMergeInsertBuilder
    from lancedb.table import LanceTable

    to_come = writes

    def watch(owner: Any, name: str) -> None:
        write = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            nonlocal to_come
            result = write(*arguments, **options)
            to_come -= 1
            if to_come == 0:
                say(name)
                os._exit(EXITED)
            return result

        setattr(owner, name, watched)

    for name in ("replace", "fsync", "unlink", "mkdir", "open"):
        watch(os, name)
    watch(LanceDBConnection, "create_table")
    watch(LanceMergeInsertBuilder, "execute")
    for name in ("delete", "optimize", "create_index"):
        watch(LanceTable, name)


def fork(request: dict[str, Any]) -> tuple[int, int]:
    """A process that writes: its number, and where to read what it wrote last or why it could not."""
    import writers

    from unheard.errors import UnheardError

    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    try:
        if "writes" in request:
            exit_after(request["writes"], lambda last: os.write(writing, last.encode()))
        if "bytes" in request:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["bytes"], request["bytes"]))
        if request.get("nobody"):
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        writers.ALL[request["writer"]](Path(request["folder"]))
    except UnheardError as error:
        os.write(writing, str(error).encode())
        os._exit(REFUSED)
    except BaseException as error:
        os.write(writing, repr(error).encode())
        os._exit(1)
    os._exit(0)


def serve() -> None:
    import lancedb  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import writers

    warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
    writers.prepare()
    for line in sys.stdin:
        request = json.loads(line)
        child, reading = fork(request)
        if "seconds" in request:
            time.sleep(request["seconds"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with open(reading, encoding="utf-8") as last:
            print(json.dumps((os.waitstatus_to_exitcode(status), last.read())), flush=True)


if __name__ == "__main__":
    serve()
