"""Calibrates the audit: `python -m lab.calibrate_audit --wheels FOLDER` (minutes on one core).

Writes what the package brings beside `unheard.auditing.calibration`: the components of the fingerprints, and
how scores of sounds that are no copies are distributed. The material is rendered (`audit_material`, its world
"calibration"; the benchmark has a world of its own), and, with `--wheels`, real music cut into pieces, from
the wheels of arcade and pygame (`pip download --no-deps arcade pygame`). A sound meets the others of its
family (relatives) and sounds of other families (unrelated), half of the time altered as a copy might be, and
half of the time cut to `SHORT` seconds or more, from which follows how strengths grow with the seconds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.optimize import minimize
from scipy.stats import genpareto

from lab.alterations import ALTERATIONS, SAMPLE_RATE
from lab.audit_material import Specimen, family, from_wheel, pieces
from unheard.auditing import calibration, fingerprint
from unheard.auditing.alignment import Alignment, align
from unheard.auditing.features import PERIOD, features

TAIL = 0.9
"""Share of the pairs below the threshold from which the tail is fitted."""
ASSUMED_RELATIVES = 5
"""References of any catalogue: a loop pack has so many takes."""
NOTHING = Alignment(0.0, 0.0, 0, 0, 0, 0, 1.0, 0, 0.0)


def material(wheels: Path | None, families: int, workers: int) -> list[Specimen]:
    """Families of three phrases of 10 s, a third as many of 4 s, and pieces of real music."""
    drawn = [(f"calibration {number}", 3, 10.0) for number in range(families)]
    drawn += [(f"calibration short {number}", 3, 4.0) for number in range(families // 3)]
    found = list(chain(*spread(_family, drawn, workers)))
    for wheel in sorted(wheels.glob("*.whl")) if wheels else []:
        if wheel.name.startswith(("arcade", "pygame")):
            found += pieces(from_wheel(wheel, (".mp3", ".ogg")), 7.0, 16)
    return found


def _family(drawn: tuple[str, int, float]) -> list[Specimen]:
    return list(family(*drawn))


def spread(function: Callable[[Any], Any], over: Sequence[Any], workers: int) -> Iterator[Any]:
    """A function of each in turn, in processes; it travels by the fork, with what it holds."""
    global _spread
    _spread = function
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    with multiprocessing.get_context("fork").Pool(workers, signal.signal, ignore) as pool:
        yield from pool.imap(_call, over)


_spread: Callable[[Any], Any]


def _call(some: Any) -> Any:
    return _spread(some)


def features_of(sound: np.ndarray) -> torch.Tensor:
    return features(torch.from_numpy(sound)[None], SAMPLE_RATE)


def components(sounds: list[torch.Tensor]) -> None:
    """Works out the fingerprints' components and puts them where the package has them."""
    samples = torch.cat([fingerprint.modulations(sound) for sound in sounds])
    mean, directions = fingerprint.principal_components(samples)
    save_file({"mean": mean.half(), "components": directions.half().contiguous()}, fingerprint.COMPONENTS)
    fingerprint.COMPONENTS.chmod(0o644)


def alignments(
    specimens: list[Specimen], sounds: list[torch.Tensor], queries: int, workers: int
) -> tuple[int, list[Alignment], list[Alignment]]:
    """Alignments of pairs that are no copies: how many queries were done, unrelated ones, and relatives.

    What a query is altered like, and whom it meets, depends on its number alone, not on the workers.
    """
    found = []
    try:
        for pairs in spread(partial(of_query, specimens, sounds), range(queries), workers):
            found.append(pairs)
            if len(found) % 50 == 0:
                print(f"{len(found)} of {queries} queries", flush=True)
    except KeyboardInterrupt:
        print(f"stopped: the calibration is that of --queries {len(found)}")
    unrelated, relatives = zip(*found, strict=True)
    return len(found), list(chain(*unrelated)), list(chain(*relatives))


def of_query(
    specimens: list[Specimen], sounds: list[torch.Tensor], number: int
) -> tuple[list[Alignment], list[Alignment]]:
    """Of one query: with two unrelated sounds, and with its relatives."""
    rng = np.random.default_rng(number)
    chosen = int(rng.integers(len(specimens)))
    own = specimens[chosen]
    query = sounds[chosen]
    if rng.random() < 0.5:
        change = ALTERATIONS[rng.choice(list(ALTERATIONS))][rng.integers(3)]
        query = features_of(change(own.sound, rng))
    if rng.random() < 0.5:
        query = cut(query, rng)
    related = [
        other
        for other, some in enumerate(specimens)
        if some.family == own.family and other != chosen and not own.family.startswith("recording")
    ]
    strangers = [other for other, some in enumerate(specimens) if some.family != own.family]
    unrelated, relatives = (
        [align(query, sounds[other]) or NOTHING for other in others]
        for others in (rng.choice(strangers, 2), related)
    )
    return unrelated, relatives


def cut(query: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A passage of `SHORT` seconds or more; lengths are spread evenly over the octaves."""
    shortest = round(calibration.SHORT / PERIOD)
    length = min(len(query), round(shortest * (len(query) / shortest) ** rng.random()))
    start = rng.integers(0, len(query) - length + 1)
    return query[start : start + length]


def growth(relatives: list[Alignment]) -> float:
    """The power of the seconds with which the strengths' highest tenth begins (Koenker and Bassett 1978).

    It is 0 at least: more room never makes chance rarer.
    """
    found = [some for some in relatives if some.strength > 0]
    strengths = np.log([some.strength for some in found])
    seconds = np.log([calibration.reached(some.room, 1.0) for some in found])

    def loss(line: np.ndarray) -> float:
        over = strengths - line[0] - line[1] * seconds
        return float(np.maximum(TAIL * over, (TAIL - 1) * over).sum())

    start = np.array([np.quantile(strengths, TAIL), 1.0])
    return max(0.0, float(minimize(loss, start, method="Nelder-Mead").x[1]))


def tail(values: list[float]) -> calibration.Tail:
    """The distribution of some scores, its end as a generalised Pareto distribution.

    The shape is its own standard error at least, 1 / sqrt(excesses) near 0 (Smith 1987): some dozens of pairs
    cannot show that a tail ends, or that it falls faster than that.
    """
    ordered = np.sort(values)
    threshold = float(np.quantile(ordered, TAIL))
    excess = ordered[ordered > threshold] - threshold
    shape, _, scale = genpareto.fit(excess, floc=0)
    least = len(excess) ** -0.5
    if shape < least:
        shape, scale = least, float(excess.mean()) * (1 - least)  # of the same mean
    quantiles = np.quantile(ordered[ordered <= threshold], np.linspace(0, 1, 101))
    return calibration.Tail(
        pairs=len(ordered),
        quantiles=tuple(np.round(quantiles, 4).tolist()),
        threshold=round(threshold, 4),
        beyond=float((ordered > threshold).mean()),
        scale=round(float(scale), 4),
        shape=round(float(shape), 4),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of arcade and pygame")
    parser.add_argument("--families", type=int, default=40, help="rendered families of 10 s (default: 40)")
    parser.add_argument("--queries", type=int, default=600, help="sounds compared (default: 600)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--keep-components", action="store_true", help="leave the fingerprints as they are")
    parser.add_argument("--out", type=Path, default=calibration.FILE, help="where the calibration goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    specimens = material(arguments.wheels, arguments.families, arguments.workers)
    sounds = list(spread(features_of, [some.sound for some in specimens], arguments.workers))
    print(f"{len(sounds)} sounds", flush=True)
    if not arguments.keep_components:
        components(sounds)
    queries, unrelated, relatives = alignments(specimens, sounds, arguments.queries, arguments.workers)
    grown = round(growth(relatives), 3)
    made_by = {
        "command": f"python -m lab.calibrate_audit --families {arguments.families}"
        f" --queries {queries}" + (" --wheels FOLDER" if arguments.wheels else ""),
        "date": datetime.date.today().isoformat(),
        "sounds": len(specimens),
        "unrelated_pairs": len(unrelated),
        "relative_pairs": len(relatives),
    }
    tails = [
        tail([some.strength / calibration.reached(some.room, grown) for some in pairs])
        for pairs in (unrelated, relatives)
    ]
    found = calibration.Calibration(
        "rendered and real music, 4 to 10 s", *tails, ASSUMED_RELATIVES, grown, made_by
    )
    arguments.out.write_text(json.dumps(asdict(found), indent=1) + "\n")
    for rate in (1e-1, 1e-2, 1e-3, 1e-4):
        at = [
            next((score for score in np.arange(0, 200, 0.05) if some.rate(score) < rate), np.inf)
            for some in (found.unrelated, found.relatives)
        ]
        print(f"one false alarm in {1 / rate:6.0f}: score {at[0]:6.2f} unrelated, {at[1]:6.2f} relatives")


if __name__ == "__main__":
    main()
