"""Which different pairs of `benchmarks.audit` share a waveform, and how many false copies are among them.

    python -m benchmarks.shared_waveforms --audit audit.json --real build/real --side confirmation

The rule knows no score: two sounds share a waveform if a passage of one second, or of half a second, of one
of them correlates with one of the other as `lab.same_recording` asks of the same recording: .7 and more at
8 kHz, of either sign. It is asked of all pairs of one pack, family or source, and of so many of the others
(`--others`), drawn by chance. Those that are not drawn count as sharing none.

A pair whose sounds share a waveform may still be two pieces, such as two loops of the same samples: whether
calling one a copy of the other is false is left to the reader. So both rates are printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.audit import material
from benchmarks.audit_tables import COPIES, UNTOLD, share
from lab.alterations import SAMPLE_RATE, at_rate
from lab.real_sources import Side
from lab.same_recording import RATE, SAME, highest_correlation

SECONDS = (1.0, 0.5)
Pair = tuple[str, str]


def pairs_of(rows: list[dict[str, Any]], others: int) -> dict[Pair, str]:
    """The pairs to look at, and how they are related: near ones first, then so many others."""
    near: dict[Pair, str] = {}
    far: dict[Pair, str] = {}
    for row in rows:
        kept = far if row["relation"] == "other" else near
        kept[_pair(row)] = row["relation"]
    drawn = np.random.default_rng(0).permutation(sorted(far))[:others]
    return near | dict.fromkeys(((one, other) for one, other in drawn.tolist()), "other")


def lines(rows: list[dict[str, Any]], found: dict[Pair, list[float]]) -> Iterator[tuple[Any, ...]]:
    """By `SECONDS` and sort: pairs, how many share, copies among these, and the share of the rest."""
    groups: dict[str, Callable[[dict[str, Any]], bool]] = {
        "all": lambda row: True,
        "real, same pack": lambda row: row["kind"] != "rendered" and row["relation"] == "pack",
        "real, same source": lambda row: row["kind"] != "rendered" and row["relation"] == "source",
        "rendered, same family": lambda row: row["kind"] == "rendered" and row["relation"] == "pack",
        "others that were looked at": lambda row: row["relation"] == "other" and _pair(row) in found,
    }
    for number, seconds in enumerate(SECONDS):
        for name, belongs in groups.items():
            parts: dict[bool, list[str]] = {True: [], False: []}
            for row in filter(belongs, rows):
                correlation = found[_pair(row)][number] if _pair(row) in found else 0.0
                parts[correlation >= SAME].append(row["verdict"])
            called, falsely = (sum(verdict in COPIES for verdict in parts[same]) for same in (True, False))
            told = sum(verdict not in UNTOLD for verdict in parts[False])
            compared = len(parts[True]) + len(parts[False])
            yield seconds, name, compared, len(parts[True]), called, share(falsely, told)


def _pair(row: dict[str, Any]) -> Pair:
    one, other = sorted((row["origin"], row["other"]))
    return one, other


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--audit", type=Path, required=True, help="what `benchmarks.audit --output` wrote")
    parser.add_argument("--real", type=Path, required=True, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--side", choices=get_args(Side), default="benchmark")
    parser.add_argument("--families", type=int, default=20, help="rendered families (default: 20)")
    parser.add_argument("--others", type=int, default=400, help="other pairs looked at (default: 400)")
    parser.add_argument("--output", type=Path, help="file for every pair's correlations, as JSON")
    arguments = parser.parse_args()
    rows = [row for row in json.loads(arguments.audit.read_text())["rows"] if row["sort"] == "different"]
    specimens = material(arguments.real, arguments.side, arguments.families, None)
    sounds = {some.name: at_rate(some.sound, SAMPLE_RATE, RATE) for some in specimens}
    chosen = pairs_of(rows, arguments.others)
    found: dict[Pair, list[float]] = {}
    for pair in chosen:
        one, other = (sounds[name] for name in pair)
        found[pair] = [highest_correlation(one, other, seconds) for seconds in SECONDS]
    if arguments.output is not None:
        told = [{"pair": pair, "relation": chosen[pair], "correlations": found[pair]} for pair in found]
        arguments.output.write_text(json.dumps(told, indent=1) + "\n")
    print("| passage | pairs | compared | share one | of these called copies | of the rest | at most |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for seconds, name, compared, sharing, called, rest in lines(rows, found):
        most = f"{rest['interval'][1]:.5f}"
        print(
            f"| {seconds} s | {name} | {compared:,} | {sharing} | {called} |"
            f" {rest['hits']} of {rest['of']:,} | {most} |"
        )


if __name__ == "__main__":
    main()
