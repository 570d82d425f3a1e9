"""Opening a large JSON index: the first time, and again from the cache, against reading its JSON alone.

    python benchmarks/open_json.py --entries 20000

The file is written on the spot, in a temporary folder, as the published ones are: all numbers with the
digits of float64, on one line. Each contender runs in a process of its own. Peak memory is what the contender
adds to its imports, against the vectors in single precision; a page of a mapped file counts once it is read.
orjson takes part where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from import_json import write

CONTENDERS = {
    "json.load": "json",
    "orjson.loads": "orjson",
    "first opening": "open",
    "second opening": "open",
    "second opening and a search": "search",
}


def contend(what: str, path: Path) -> dict[str, float]:
    """Seconds of processor time, on the clock, and MiB beyond the imports."""
    if what == "orjson":
        import orjson
    from unheard.index import Index

    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, clock, processor = _memory("VmRSS"), time.perf_counter(), time.process_time()
    if what == "json":
        held: object = json.loads(path.read_bytes())
    elif what == "orjson":
        held = orjson.loads(path.read_bytes())
    else:
        held = index = Index.open(path)
        if what == "search":
            index.search(torch.ones(1, index.dimension))
    return {
        "processor": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
        "mib": (_memory("VmHWM") - before) / 1024,
        "held": float(held is not None),
    }


def _memory(which: str) -> int:
    """KiB of this process: `VmRSS` for now, `VmHWM` for the peak. Linux alone says so."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(which)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--contend", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend is not None:
        what, path = arguments.contend
        print(json.dumps(contend(what, Path(path))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings_new.json"
        write(path, arguments.entries, arguments.dimension)
        vectors = 4 * arguments.entries * arguments.dimension / 2**20
        print(f"{arguments.entries:,} x {arguments.dimension}, {path.stat().st_size / 2**20:,.0f} MiB\n")
        print("| | processor s | clock s | peak MiB | to the vectors |\n|---|--:|--:|--:|--:|")
        for name, what in CONTENDERS.items():
            command = [sys.executable, __file__, "--contend", what, str(path)]
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                print(f"| {name} | not measured: {done.stderr.strip().splitlines()[-1]} | | | |")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {name} | {found['processor']:.2f} | {found['clock']:.2f} | {found['mib']:.0f} "
                f"| {found['mib'] / vectors:.1f} |"
            )


if __name__ == "__main__":
    main()
