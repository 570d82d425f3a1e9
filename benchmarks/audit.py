"""What the audit finds of altered and regenerated copies, and what it takes for one: real and rendered sound.

    python -m lab.real_sound --out build/real
    python -m benchmarks.audit --real build/real --parts build/audit --output audit.json   # can be stopped
    python -m benchmarks.audit --real build/real --quick --side calibration

Nothing was calibrated on what is used here: the benchmark's side of real recordings (`lab.real_sound`) and
rendered families of their own world (`lab.audit_material`). All of them are one catalogue, and the audit is
the package's own `Auditor`.

*Copies.* Origins are one sound of a piece: long ones (3 s and more) and shorter ones, of each source in turn,
and one of each rendered family. Each is treated in every way of `benchmarks.audit_treatments`, and half of
each outcome is put inside other music as well; no such music is in the catalogue. A copy is found where the
audit names the origin, or another sound of its piece, as `copy` or `partial copy`. Shares are of copies whose
origin, unaltered, is not itself `too short to tell`; how many are stands beside them.

*Different pairs.* The unaltered sounds, and each of them in one treatment drawn from its name, are compared
by the same auditor with sounds of other pieces in the same catalogue: those of the same pack or family first,
then of the same source, then any; the fingerprints are not asked who is worth comparing. Two sounds of one
piece are never a different pair, and a piece includes all recordings that share a passage.

Beside the audit stand Chromaprint, log-mel correlation, and cosines of CLAP and of a sound-effects embedder
(`benchmarks.audit_contenders`). For them, and in the column "score" for the audit, found is what lies above
the threshold that one in 1,000 of the different pairs exceeds. Pairs of a sound that is too short to tell are
counted apart, and no share or threshold is of them. Intervals are 95 % (Wilson 1927).

Needs the extra `lab`, tinysoundfont with its sound font, and Debian's libchromaprint1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import numpy as np
import soundfile
import torch

import unheard
from benchmarks import audit_treatments
from benchmarks.audit_contenders import Measured, compare, measure
from benchmarks.audit_tables import COPIES, LONG, UNTOLD, false_alarms, print_tables, recall, thresholds
from benchmarks.audit_treatments import TREATMENTS, treated
from lab import alterations, likeness, resyntheses
from lab.alterations import SAMPLE_RATE
from lab.audit_material import Specimen, rendered
from lab.real_sound import specimens as real_specimens
from lab.real_sources import Side
from unheard.auditing import BOUNDS, FileAudit, auditor
from unheard.auditing.auditor import Auditor
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.landmarks import Landmarks
from unheard.common.files import write_whole

MEMBERS, RENDERED_SECONDS = 3, 8.0
NOTHING = -1e3
"""The audit's score of a pair in which it finds nothing."""


class ChosenCatalogue(Catalogue):
    """A catalogue that proposes what it is told to, whatever that sounds like."""

    chosen: Sequence[int] = ()

    def nearest(self, queries: torch.Tensor, count: int) -> list[int]:
        """All parts of the references `chosen`."""
        return np.flatnonzero(np.isin(self.parts[:, 0], self.chosen)).tolist()

    def sharing(self, sound: Landmarks, count: int) -> list[int]:
        """None: all that are to be compared are chosen."""
        return []

    def known_again(self, sound: torch.Tensor, count: int) -> list[int]:
        """None, as `sharing`."""
        return []


class Bench:
    """Sounds, the auditors that have them as catalogue, and music that is in no catalogue."""

    def __init__(self, specimens: list[Specimen], music: list[np.ndarray], folder: Path) -> None:
        self.specimens, self.other_music = specimens, music
        paths = written(specimens, folder)
        auditor.FEATURES_HELD = len(specimens)  # each reference is met some hundred times
        cache = folder / "fingerprints"
        self.auditor = Auditor(Catalogue.from_files(paths, name="benchmark", cache=cache))
        self.chosen = ChosenCatalogue.from_files(paths, name="benchmark", cache=cache)
        self.pair_auditor = Auditor(self.chosen)
        if len(self.chosen) != len(specimens):
            raise SystemExit(f"left out of the catalogue: {self.chosen.left_out}")

    def music(self, rng: np.random.Generator) -> Callable[[float], np.ndarray]:
        """Other music, drawn anew at each call, and as long as asked for."""

        def some(seconds: float) -> np.ndarray:
            length, found = round(seconds * SAMPLE_RATE), np.zeros(0, np.float32)
            while len(found) < length:
                found = np.concatenate([found, self.other_music[rng.integers(len(self.other_music))]])
            return found[:length]

        return some

    def copies(self, number: int, origin: Measured) -> list[dict[str, Any]]:
        """What is found of an origin, a row for each treatment and half of one."""
        specimen, rows = self.specimens[number], []
        rng = _rng(f"copies of {specimen.name}")
        for (name, extent), (asked, sound) in treated(specimen.sound, rng, self.music(rng)).items():
            said = self.auditor.judge((torch.from_numpy(sound)[None], SAMPLE_RATE))
            own = [some for some in said.matches if self._piece(some.reference) == specimen.piece]
            others = [some.verdict for some in said.matches if self._piece(some.reference) != specimen.piece]
            rows.append(
                {
                    "sort": "copy",
                    "origin": specimen.name,
                    "kind": specimen.kind,
                    "seconds": len(specimen.sound) / SAMPLE_RATE,
                    "treatment": name,
                    "extent": extent,
                    "asked": asked,
                    "verdict": said.verdict,
                    "found": any(some.verdict in COPIES for some in own),
                    "audit": max((some.score for some in own), default=NOTHING),
                    "others_compared": len(others),
                    "others_called_copies": sum(verdict in COPIES for verdict in others),
                    **compare(measure(sound), [origin])[0],
                }
            )
        return rows

    def different(self, number: int, measured: Sequence[Measured], most: int) -> list[dict[str, Any]]:
        """A sound, as it is and treated in one way, with `most` sounds of other pieces each."""
        specimen, rows = self.specimens[number], []
        rng = _rng(f"different from {specimen.name}")
        treatment = str(rng.choice([name for name in TREATMENTS if name != "unaltered"]))
        changed = TREATMENTS[treatment].apply(specimen.sound, rng, self.music(rng))
        met = self._met(number, rng, most)
        self.chosen.chosen = [other for _, other in met]
        for name, sound in (("unaltered", specimen.sound), (treatment, changed)):
            said = self.pair_auditor.judge((torch.from_numpy(sound)[None], SAMPLE_RATE))
            matches = {int(match.reference): match for match in said.matches}
            compared = compare(measure(sound), [measured[other] for _, other in met])
            for (relation, other), contenders in zip(met, compared, strict=True):
                match = matches.get(other)
                rows.append(
                    {
                        "sort": "different",
                        "origin": specimen.name,
                        "other": self.specimens[other].name,
                        "relation": relation,
                        "kind": specimen.kind,
                        "strokes": {specimen.kind, self.specimens[other].kind} == {"stroke"},
                        "treatment": name,
                        "verdict": _pair_verdict(said, match),
                        "audit": NOTHING if match is None else match.score,
                        **contenders,
                    }
                )
        return rows

    def _piece(self, reference: str) -> str:
        return self.specimens[int(reference)].piece

    def _met(self, number: int, rng: np.random.Generator, most: int) -> list[tuple[str, int]]:
        """Sounds of other pieces: of the same pack first, then of the same source, then any."""
        own = self.specimens[number]

        def relation(other: Specimen) -> str:
            if other.family == own.family:
                return "pack"
            return "source" if _source(other) == _source(own) else "other"

        others = [
            (relation(some), int(position))
            for position in rng.permutation(len(self.specimens))
            for some in (self.specimens[position],)
            if some.piece != own.piece
        ]
        nearest_first = ("pack", "source", "other")
        return sorted(others, key=lambda one: nearest_first.index(one[0]))[:most]


def written(specimens: Sequence[Specimen], folder: Path) -> dict[str, Path]:
    """A file for each in a folder, by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {str(number): folder / f"{number}.flac" for number in range(len(specimens))}
    for specimen, path in zip(specimens, paths.values(), strict=True):
        soundfile.write(path, specimen.sound, SAMPLE_RATE)
    return paths


def _pair_verdict(said: FileAudit, match: auditor.Match | None) -> str:
    """What is said of one pair: that the sound is too short to tell, unless the match is called more."""
    if match is not None and match.verdict in BOUNDS:
        return match.verdict
    return said.verdict if said.verdict in UNTOLD else "clear"


def _source(specimen: Specimen) -> str:
    return specimen.name.split("/")[0] if specimen.kind != "rendered" else specimen.family


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def material(real: Path, side: str, families: int, sources: int | None) -> list[Specimen]:
    """A side's real sounds, of so many sources or all, and rendered families of the same side's world."""
    found = real_specimens(real, side)
    kept = list(dict.fromkeys(map(_source, found)))[:sources]
    found = [some for some in found if _source(some) in kept]
    return found + list(rendered(side, families, MEMBERS, RENDERED_SECONDS))


def origins(specimens: list[Specimen], long: int, short: int) -> list[int]:
    """Positions of those that are copied: one of a piece, of each source in turn; and one of a family."""
    firsts: dict[str, int] = {}
    for position, some in enumerate(specimens):
        firsts.setdefault(some.family if some.kind == "rendered" else some.piece, position)
    groups: dict[str, dict[str, list[int]]] = {"long": {}, "short": {}, "rendered": {}}
    for position in firsts.values():
        some = specimens[position]
        lasting = "long" if len(some.sound) >= LONG * SAMPLE_RATE else "short"
        group = groups["rendered" if some.kind == "rendered" else lasting]
        group.setdefault(_source(some), []).append(position)

    def in_turn(group: str) -> Iterator[int]:
        return (one for turn in zip_longest(*groups[group].values()) for one in turn if one is not None)

    chosen = [*zip(range(long), in_turn("long"), strict=False)]
    chosen += [*zip(range(short), in_turn("short"), strict=False)]
    return [position for _, position in chosen] + list(in_turn("rendered"))


def _state(specimens: list[Specimen]) -> str:
    """A word for the sounds, what is done to them, and the audit: what was done with others is not read."""
    state = hashlib.sha256(json.dumps([some.name for some in specimens]).encode())
    code = sorted(Path(auditor.__file__).parent.rglob("*"))
    code += [Path(module.__file__ or "") for module in (alterations, resyntheses, audit_treatments, likeness)]
    for path in code:
        if path.suffix in (".py", ".json", ".safetensors"):
            state.update(path.read_bytes())
    return state.hexdigest()[:12]


_shared: dict[str, Any] = {}


def part(task: tuple[str, int]) -> list[dict[str, Any]]:
    """The rows of one task, read where an earlier run has written them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which prints what is done
    torch.set_num_threads(1)
    sort, number = task
    bench, measured = _shared["bench"], _shared["measured"]
    folder: Path | None = _shared["parts"]
    path = None if folder is None else folder / f"{sort} {number}.json"
    if path is not None and path.is_file():
        return json.loads(path.read_text())
    rows = (
        bench.copies(number, measured[number])
        if sort == "copies"
        else bench.different(number, measured, _shared["most"])
    )
    if path is not None:
        write_whole(path, json.dumps(rows).encode())
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--side", choices=get_args(Side), default="benchmark")
    parser.add_argument("--families", type=int, default=20, help="rendered families (default: 20)")
    parser.add_argument("--long", type=int, default=60, help="real origins of 3 s and more (default: 60)")
    parser.add_argument("--short", type=int, default=20, help="shorter real origins (default: 20)")
    parser.add_argument("--met", type=int, default=40, help="others that a sound meets (default: 40)")
    parser.add_argument("--quick", action="store_true", help="three sources, three families, some origins")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--parts", type=Path, default=Path("build/audit-benchmark"), help="keeps what is done"
    )
    parser.add_argument("--output", type=Path, help="file for every row and both tables, as JSON")
    arguments = parser.parse_args()
    sources = 3 if arguments.quick else None
    families = 3 if arguments.quick else arguments.families
    counts = (4, 2) if arguments.quick else (arguments.long, arguments.short)
    torch.set_num_threads(1)

    started = time.time()
    specimens = material(arguments.real, arguments.side, families, sources)
    other_side = "calibration" if arguments.side == "benchmark" else "benchmark"
    music = [some.sound for some in real_specimens(arguments.real, other_side) if some.kind == "excerpt"]
    parts = arguments.parts / f"{arguments.side} {_state(specimens)} {arguments.met}"
    parts.mkdir(parents=True, exist_ok=True)
    _shared.update(bench=Bench(specimens, music, parts / "catalogue"), parts=parts, most=arguments.met)
    pool = multiprocessing.get_context("fork").Pool
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with pool(arguments.workers, signal.signal, ignore) as measurers:
        _shared["measured"] = list(measurers.imap(measure, [some.sound for some in specimens]))
    print(f"{len(specimens)} sounds, {time.time() - started:.0f} s", flush=True)

    copied = origins(specimens, *counts)
    met = copied if arguments.quick else np.random.default_rng(0).permutation(len(specimens)).tolist()
    turns = zip_longest((("copies", number) for number in copied), (("different", number) for number in met))
    tasks = [task for turn in turns for task in turn if task is not None]
    rows: list[dict[str, Any]] = []
    with pool(arguments.workers) as workers:
        try:
            for done, some in enumerate(workers.imap_unordered(part, tasks), start=1):
                rows += some
                print(f"{done} of {len(tasks)} tasks, {time.time() - started:.0f} s", flush=True)
        except KeyboardInterrupt:
            print("stopped: the tables are of what is done")
    copies = [row for row in rows if row["sort"] == "copy"]
    different = [row for row in rows if row["sort"] == "different"]
    if not copies or not different:
        raise SystemExit("no table yet: it takes copies and different pairs")
    bounds = thresholds(different)
    lines, alarms = recall(copies, bounds), false_alarms(different)
    print_tables(lines, alarms)
    beside = [sum(row[f"others_{what}"] for row in copies) for what in ("compared", "called_copies")]
    print(f"\nbeside copies, {beside[0]} other references were compared, and {beside[1]} called copies")
    print(f"{platform.machine()}, {os.cpu_count()} cores, unheard {unheard.__version__}")
    if arguments.output is not None:
        about = {"thresholds": bounds, "recall": lines, "different": alarms, "rows": rows}
        arguments.output.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
