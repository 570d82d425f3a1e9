"""Importing a large JSON file: peak memory, and time against `json.load` of the same file.

    python benchmarks/import_json.py --entries 200000

The file is written on the spot, in a temporary folder, as the published ones are: all numbers with the digits
of float64, on one line. Each contender runs in a process of its own; `json.load` does nothing with what it
read, and an import run again finds every entry there already.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vectors import Embeddings

from unheard.index.published.exchange import export_json, import_json


def write(path: Path, entries: int, dimension: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        separator = "{"
        for first, block in Embeddings(dimension).blocks(entries):
            for number, vector in enumerate(block.tolist(), first):
                conditioning = {
                    "prompt": f"A sound, number {number}",
                    "seconds_start": 0,
                    "seconds_total": 30,
                }
                entry = {"embedding": vector, "conditioning": conditioning}
                file.write(f"{separator}{json.dumps(str(number))}: {json.dumps(entry)}")
                separator = ", "
        file.write("}")


def contender(name: str, folder: Path) -> None:
    """Run one contender in this process, and print its time and peak memory."""
    path, store = folder / "in.json", folder / "store"
    started = time.perf_counter()
    if name == "json.load":
        with path.open(encoding="utf-8") as file:
            json.load(file)
    elif name == "export":
        export_json(store, folder / "out.json")
    else:
        import_json(path, store)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:14} {seconds:8.1f} s {peak:8.2f} GiB at the peak", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        return contender(arguments.contender, arguments.folder)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "in.json", arguments.entries, arguments.dimension)
        size = (Path(folder) / "in.json").stat().st_size / 2**30
        print(f"{arguments.entries:,} entries of {arguments.dimension} numbers, {size:.2f} GiB", flush=True)
        for name in ("json.load", "import", "import again", "export"):
            command = [sys.executable, __file__, "--contender", name, "--folder", folder]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
