"""Whether the audit compares a copy with its recording at all, in how large a catalogue, and by which search.

    python -m lab.real_sound --out build/real
    python -m benchmarks.audit_candidates --real build/real --also build/planted/recordings/training

A copy that is not compared with its recording is missed, whatever the evidence would say. The catalogue is
the real recordings of three sides, rendered families, and all sounds of the folders named by `--also`. Copies
are those of `benchmarks.audit`, of one side's long origins. For each line of its table it prints the share
whose recording, or another sound of its piece, is among the parts that each search proposes, and among all
that are compared: with the search for moments and without it, when ten parts were proposed by fingerprint.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.audit import material, origins, written
from benchmarks.audit_treatments import treated
from lab.alterations import SAMPLE_RATE
from lab.audit_material import as_signal
from lab.real_sound import specimens
from unheard.auditing.auditor import DENSE, FINALISTS, KNOWN_AGAIN, SHARING
from unheard.auditing.catalogue import Catalogue, by_id
from unheard.auditing.fingerprint import fingerprints
from unheard.auditing.landmark_index import LONGEST
from unheard.auditing.landmarks import PER_FRAME, landmarks, peaks
from unheard.auditing.moments import of_signal

SIDES = ("calibration", "benchmark", "confirmation")
FAMILIES = 12
"""Rendered ones, of the side that is copied."""
BEFORE = 10
"""Parts that were proposed by fingerprint before there was a search for moments."""


def proposals(catalogue: Catalogue, sound: np.ndarray) -> dict[str, set[int]]:
    """References that each search proposes for a sound [time]; of a long one for its first piece."""
    signal = as_signal(sound)
    piece = slice(0, LONGEST // PER_FRAME - 1)
    nearest = catalogue.nearest(fingerprints(signal.features[piece], DENSE), BEFORE)
    parts = {
        "fingerprint": nearest[:FINALISTS],
        "landmarks": catalogue.sharing(landmarks(peaks(signal.mono)[piece]), SHARING),
        "moments": catalogue.known_again(signal.once(of_signal)[piece], KNOWN_AGAIN),
    }
    found = {name: {catalogue.part(part)[0] for part in some} for name, some in parts.items()}
    without = {catalogue.part(part)[0] for part in nearest} | found["landmarks"]
    return found | {"without moments": without, "all": set().union(*found.values())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of further references")
    parser.add_argument("--side", choices=SIDES, default="confirmation", help="whose sounds are copied")
    parser.add_argument("--origins", type=int, default=40, help="of 3 s and more (default: 40)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/audit-candidates"), help="for the references"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    own = material(arguments.real, arguments.side, FAMILIES, sources=None)
    others = [some for side in SIDES if side != arguments.side for some in specimens(arguments.real, side)]
    paths = written([*own, *others], arguments.work)
    pieces = {str(number): some.piece for number, some in enumerate([*own, *others])}
    for folder in arguments.also:
        paths |= {f"{folder}/{name}": path for name, path in by_id(folder).items()}
    catalogue = Catalogue.from_files(paths, name="candidates", cache=arguments.work / "fingerprints")
    print(f"{len(catalogue):,} references")

    music = [some.sound for some in others if some.kind == "excerpt"]
    found: dict[tuple[str, str], list[dict[str, bool]]] = defaultdict(list)
    started = time.process_time()
    chosen = [number for number in origins(own, arguments.origins, 0) if own[number].kind != "rendered"]
    for number in chosen:
        rng = np.random.default_rng(number)

        def some_music(seconds: float, rng: np.random.Generator = rng) -> np.ndarray:
            length = round(seconds * SAMPLE_RATE)
            return np.resize(music[rng.integers(len(music))], length)

        for (name, extent), (_, sound) in treated(own[number].sound, rng, some_music).items():
            proposed = proposals(catalogue, sound)
            found[name, extent].append(
                {
                    search: any(pieces.get(catalogue.ids[one]) == own[number].piece for one in references)
                    for search, references in proposed.items()
                }
            )
    copies = sum(map(len, found.values()))
    print(f"{copies:,} copies, {(time.process_time() - started) / copies:.2f} s of processor time each\n")
    names = list(next(iter(found.values()))[0])
    print(f"| copies | of | {' | '.join(names)} |")
    print(f"|---|--:|{'--:|' * len(names)}")
    for (name, extent), rows in found.items():
        shares = " | ".join(f"{np.mean([row[search] for row in rows]):.2f}" for search in names)
        print(f"| {name}{', half' if extent == 'half' else ''} | {len(rows)} | {shares} |")


if __name__ == "__main__":
    main()
