"""Damaged inputs by the ten thousand: whatever a file holds, its reader gives it or says one line, and soon.

python -m benchmarks.mutations                           # 10,000 of each family; minutes
python -m benchmarks.mutations --family tables --first 412 --count 1        # one again

A family is a kind of reader with good files for it. Input number n of a family is always the same: one of
these files, damaged in one to four ways (bits, bytes, lengths, pieces, other values in the place of numbers
and texts). It passes if it is read, or if one of this package's errors is raised. It fails

    traceback   at any other error
    hang        beyond 8 s of processor time, or 60 s by the clock
    memory      if reading it takes the process above 1 GiB
    crash       if the process dies of it

Inputs are read in child processes, many in each, under a limit of address space, so that a failure costs that
input alone. Leaves with exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.mutations.children import MEMORY, Failure, failures
from benchmarks.mutations.damage import damaged
from benchmarks.mutations.families import FAMILIES


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=FAMILIES, action="append", help="one alone; may be repeated")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each family")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="write the inputs that failed into this folder")
    options = parser.parse_args()
    print(
        f"{'family':12}{'inputs':>8}{'tracebacks':>12}{'hangs':>7}{'crashes':>9}{'memory':>8}"
        f"{'peak GiB':>10}{'s':>7}"
    )
    failed = 0
    for name in options.family or FAMILIES:
        begun, found, peak = time.monotonic(), list[Failure](), 0
        for each in failures(name, options.first, options.count):
            if isinstance(each, int):
                peak = max(peak, each)
                continue
            found.append(each)
            print(f"  {name} {each.number}: {each.how}\n    {each.said}", file=sys.stderr)
            if options.keep is not None:
                file, content = damaged(FAMILIES[name], each.number)
                (options.keep / f"{name}-{each.number}").mkdir(parents=True, exist_ok=True)
                (options.keep / f"{name}-{each.number}" / file).write_bytes(content)
        counted = Counter(each.how for each in found)
        print(
            f"{name:12}{options.count:8,}{counted['traceback']:12}{counted['hang']:7}{counted['crash']:9}"
            f"{counted['memory']:8}{peak / MEMORY:10.2f}{time.monotonic() - begun:7.0f}",
            flush=True,
        )
        failed += len(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
