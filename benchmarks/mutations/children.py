"""Inputs read in child processes, many in each, so that a failure costs that input alone."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.mutations.damage import damaged
from benchmarks.mutations.families import FAMILIES
from benchmarks.mutations.family import Family
from unheard.errors import UnheardError

SECONDS, SECONDS_BY_THE_CLOCK = 8, 60
SECONDS_TO_START = 600
MEMORY = 1 << 30
ADDRESS_SPACE = 12 << 30


@dataclass(frozen=True)
class Failure:
    """An input that did not pass: its number, how, and the last lines of what was said."""

    number: int
    how: str
    said: str


def attempt(family: Family, number: int, folder: Path) -> str | None:
    """Read one input; the traceback if it raised what it should not, else None."""
    name, content = damaged(family, number)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        family.read(path)
    except UnheardError as error:
        return f"an error of several lines: {error!r}" if "\n" in str(error) else None
    except Exception:
        return traceback.format_exc()
    return None


def _child(name: str, first: int, end: int, memory: int, results: Connection) -> None:
    """Read inputs one after another, telling of each: its number first, then what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with open(os.devnull, "w") as nowhere:  # decoders in C write there as they like
        os.dup2(nowhere.fileno(), 2)
    warnings.simplefilter("ignore")
    family = FAMILIES[name]
    with tempfile.TemporaryDirectory(prefix="unheard-mutations-") as folder:
        for number, (file, content) in enumerate(family.good().items()):  # imports all that they need
            path = Path(folder) / str(number) / file
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
            with suppress(UnheardError):
                family.read(path)
    for number in range(first, end):
        results.send((number, None, None))
        said = io.StringIO()
        with tempfile.TemporaryDirectory(prefix="unheard-mutations-") as folder, redirect_stderr(said):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends the process
            raised = attempt(family, number, Path(folder))
            signal.setitimer(signal.ITIMER_PROF, 0)
        peak = _peak()
        if raised is None and "Traceback" in said.getvalue():
            raised = said.getvalue()
        results.send((number, raised, peak))
        if peak > memory:
            return  # another process goes on, whose peak is its own


def _peak() -> int:
    """The most memory that this process has held, in bytes.

    `ru_maxrss` would be at least what the process held that started this one, whatever this one runs.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def failures(name: str, first: int, count: int) -> Iterator[Failure | int]:
    """Read inputs of a family; what failed, and the highest peak of memory in bytes of each process."""
    context = multiprocessing.get_context("spawn")
    end = first + count
    while first < end:
        receiving, sending = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(name, first, end, MEMORY, sending), daemon=True)
        child.start()
        sending.close()
        begun, peak, patience = None, 0, SECONDS_TO_START
        with suppress(EOFError):
            while receiving.poll(patience):
                number, raised, used = receiving.recv()
                begun, patience = number, SECONDS_BY_THE_CLOCK
                if used is None:
                    continue
                first = number + 1
                if raised is not None:
                    yield Failure(number, "traceback", "\n".join(raised.strip().splitlines()[-4:])[-600:])
                if used > MEMORY:
                    yield Failure(number, "memory", f"{used / MEMORY:.2f} GiB")
                else:
                    peak = used
            else:
                child.kill()
        child.join()
        receiving.close()
        if begun is None:
            raise RuntimeError(f"the good files of {name} cannot be read: exit code {child.exitcode}")
        if begun == first and child.exitcode != 0:
            late = child.exitcode in (-signal.SIGPROF, -signal.SIGKILL)
            yield Failure(first, "hang" if late else "crash", f"exit code {child.exitcode}")
            first += 1
        yield peak
