"""Calibrates the audit: `python -m lab.calibrate_audit --real build/real` (an hour on one core).

Writes what the package brings beside `unheard.auditing.calibration`: how scores of sounds that are no copies
are distributed, for each kind of evidence and for all joined, and the weights by which they are joined. With
`--components` it also makes the fingerprints' components anew.

The material: rendered families (`audit_material`, its world "calibration"; the benchmark has a world of its
own), four sides of real recordings (`python -m lab.real_sound`), and what the bundled model makes of ordinary
captions, against training recordings of the same instrument (`--corpus`, from `lab.corpus`). Real recordings
of the sources that the network of moments was trained on are left out: it knows them.

Queries are of each of these as often. Each, half of the time altered or made anew, half of the time cut to
half a second or more, meets relatives (other phrases of its family, other sounds of its pack) and strangers:
those are no copies. And it meets its own recording after another alteration, under or inside other music one
time in three: those are.

Recordings that repeat one another, such as two takes of one piece, are never counted as no copies, nor are
those of one pack that share a second of waveform (`lab.same_recording`).
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.optimize import minimize

from lab.alterations import ALTERATIONS, SAMPLE_RATE, Alteration, at_rate, insert, passage, under
from lab.audit_material import Specimen, as_signal, family
from lab.corpus_files import Corpus, as_float
from lab.moments.making import SOURCES as TRAINED_ON
from lab.real_sound import specimens as real_specimens
from lab.real_sources import Side
from lab.resyntheses import CALIBRATION
from lab.same_recording import RATE, SAME, highest_correlation, joined
from unheard import audio
from unheard.auditing import calibration, envelopes, fingerprint, landmarks, moments
from unheard.auditing.alignment import Alignment, align
from unheard.auditing.calibration import Null, Tail, Weights
from unheard.auditing.evidence import AlteredCopies, CopiedMoments, LayeredCopies, RegeneratedCopies
from unheard.auditing.evidence.base import Finding, agreeing
from unheard.common.pareto_tail import ParetoTail

SIDES: tuple[Side, ...] = ("calibration", "benchmark", "confirmation", "report")
"""Of real recordings: what measured the audit before is known by now, and measures it no more."""
SORTS = {"rendered": "rendered", "generated": "generated", "recording": "generated"}
"""What specimens of a kind are; all others are real."""
SHARED = 1.0
"""Seconds of waveform by which two recordings of a pack repeat one another."""
TAIL = 0.95
"""Share of the pairs below the threshold from which the tail is fitted."""
ASSUMED_RELATIVES = 5
"""References of any catalogue: a pack has so many takes."""
NOTHING = Alignment(0.0, 0.0, 0, 0, 0, 0, 1.0, 0, 0.0)
SHORTEST = 0.5
"""Seconds that a query is cut to, at least."""
STRANGERS, RELATIVES = 8, 3
"""Sounds of either sort that a query meets, at most: of strangers hang the bounds of large catalogues."""
KINDS = (AlteredCopies.name, RegeneratedCopies.name, LayeredCopies.name, CopiedMoments.name)

CHANGES: dict[str, tuple[Alteration, ...]] = ALTERATIONS | {
    name: (change,) for name, change in CALIBRATION.items()
}


@dataclass(frozen=True)
class Heard:
    """What the kinds of evidence need of a sound."""

    features: torch.Tensor
    envelopes: np.ndarray
    landmarks: landmarks.Landmarks
    moments: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Two sounds compared.

    Attributes:
        sort: "unrelated", "relative" or "copy".
        origin, other: names of the sound that the first was made of, and of the second.
        change: what was done to the first.
        seconds: of the first.
        alignment: of both.
        regenerated, layered, moments: scores.
        agreeing: how many kinds find the same passage at the same place.
    """

    sort: str
    origin: str
    other: str
    change: str
    seconds: float
    alignment: Alignment
    regenerated: float
    layered: float
    moments: float
    agreeing: int


def material(real: Path | None, corpus: Path | None, families: int, workers: int) -> list[Specimen]:
    """Rendered families of three phrases of 10 s, a third as many of 4 s; real and generated sounds."""
    drawn = [(f"calibration {number}", 3, 10.0) for number in range(families)]
    drawn += [(f"calibration short {number}", 3, 4.0) for number in range(families // 3)]
    found = list(chain(*spread(_family, drawn, workers)))
    if real is not None:
        recorded = chain(*(real_specimens(real, side) for side in SIDES))
        found += in_pieces([some for some in recorded if some.name.split("/")[0] not in TRAINED_ON])
    if corpus is not None:
        found += generated(Corpus(corpus))
    return found


def in_pieces(recorded: list[Specimen]) -> list[Specimen]:
    """Real sounds, those of one pack that share `SHARED` seconds of waveform as one piece.

    Versions of one track are cut of the same recordings, and have no long passage in common.
    """
    waveforms = {some.name: at_rate(some.sound, SAMPLE_RATE, RATE) for some in recorded}
    pieces = {some.piece: some.piece for some in recorded}
    for one, other in combinations(recorded, 2):
        asked = one.family == other.family and pieces[one.piece] != pieces[other.piece]
        if asked and highest_correlation(waveforms[one.name], waveforms[other.name], SHARED) >= SAME:
            pieces = joined(pieces, one.piece, other.piece)
    return [replace(some, piece=pieces[some.piece]) for some in recorded]


def generated(corpus: Corpus, captions: int = 40) -> Iterator[Specimen]:
    """What the bundled model makes of ordinary captions, and two recordings of each one's instrument."""
    from unheard.generation.model import load

    model = load("tiny")
    rows = [corpus.rows[position] for position in corpus.held_out[:captions]]
    rng = np.random.default_rng(0)
    for number, row in enumerate(rows):
        name = f"generated {row['caption']}"
        (sound,) = model.generate(row["caption"], guidance=None, seed=number, duration=row["duration"])
        yield Specimen(name, name, _mono(sound.waveform, sound.sample_rate), name, "generated")
        alike = [
            position
            for position in corpus.training
            if (corpus.rows[position]["family"], corpus.rows[position]["program"])
            == (row["family"], row["program"])
        ]
        for position in rng.choice(alike, min(2, len(alike)), replace=False):
            length = round(corpus.rows[position]["duration"] * 16_000)
            recording = as_float(corpus.sounds[position][:length])[None]
            about = f"{name}, recording {position}"
            yield Specimen(about, name, _mono(recording, 16_000), about, "recording")


def _mono(waveform: torch.Tensor, rate: int) -> np.ndarray:
    return audio.resample(waveform.mean(dim=0), rate, SAMPLE_RATE).numpy()


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


def heard(sound: np.ndarray) -> Heard:
    """What is computed of a sound [time] at `SAMPLE_RATE` once, whomever it meets."""
    taken = as_signal(sound)
    return Heard(
        taken.features,
        taken.once(envelopes.of_signal).numpy(),
        landmarks.landmarks(taken.once(landmarks.peaks_of_signal)),
        taken.once(moments.of_signal).numpy(),
    )


def components(sounds: list[torch.Tensor]) -> None:
    """Works out the fingerprints' components and puts them where the package has them."""
    samples = torch.cat([fingerprint.modulations(sound) for sound in sounds])
    mean, directions = fingerprint.principal_components(samples)
    save_file({"mean": mean.half(), "components": directions.half().contiguous()}, fingerprint.COMPONENTS)
    fingerprint.COMPONENTS.chmod(0o644)


def pairs(specimens: list[Specimen], sounds: list[Heard], queries: int, workers: int) -> list[list[Pair]]:
    """The pairs of each query.

    What a query is altered like, and whom it meets, depends on its number alone, not on the workers.
    """
    found: list[list[Pair]] = []
    try:
        for some in spread(partial(of_query, specimens, sounds), range(queries), workers):
            found.append(some)
            if len(found) % 50 == 0:
                print(f"{len(found)} of {queries} queries", flush=True)
    except KeyboardInterrupt:
        print(f"stopped: the calibration is that of --queries {len(found)}")
    return found


def of_query(specimens: list[Specimen], sounds: list[Heard], number: int) -> list[Pair]:
    """Of one query: with strangers and relatives, and, altered anew, with its own recording."""
    rng = np.random.default_rng(number)
    chosen = drawn(specimens, rng)
    own = specimens[chosen]
    found: list[Pair] = []

    name, changed = "unaltered", own.sound
    if rng.random() < 0.5:
        name, changed = change(own.sound, rng)
    query = heard(cut(changed, rng))
    strangers = [other for other, some in enumerate(specimens) if some.family != own.family]
    related = [
        other for other, some in enumerate(specimens) if some.family == own.family and some.piece != own.piece
    ]
    for sort, others, most in (("unrelated", strangers, STRANGERS), ("relative", related, RELATIVES)):
        met = rng.choice(others, min(most, len(others)), replace=False) if others else ()
        found += [compare(sort, own.name, specimens[other].name, name, query, sounds[other]) for other in met]

    name, copy = change(own.sound, rng)
    place = rng.random()
    host = specimens[int(rng.choice(strangers))].sound
    if place < 1 / 6:
        decibels = float(rng.choice([0.0, -3.0, -6.0]))
        name, copy = f"under other music, {decibels:.0f} dB", under(own.sound, rng, host, decibels)
    elif place < 1 / 3:
        host = np.resize(host, 2 * len(copy))
        name, copy = f"half, {name}", insert(copy, rng, host, 0.5)
    elif place < 1 / 2:
        name, copy = f"passage, {name}", passage(copy, rng, 3.0)
    found.append(compare("copy", own.name, own.name, name, heard(copy), sounds[chosen]))
    return found


def drawn(specimens: list[Specimen], rng: np.random.Generator) -> int:
    """The position of one. Real, rendered and generated sounds come up alike, however many there are.

    Relatives of each sort are hard to tell in their own way, and rates are of all sorts.
    """
    groups: dict[str, list[int]] = {}
    for position, some in enumerate(specimens):
        groups.setdefault(SORTS.get(some.kind, "real"), []).append(position)
    group = groups[sorted(groups)[rng.integers(len(groups))]]
    return group[rng.integers(len(group))]


def change(sound: np.ndarray, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """One of `CHANGES`, at one of its strengths."""
    name = str(rng.choice(list(CHANGES)))
    strengths = CHANGES[name]
    return name, strengths[rng.integers(len(strengths))](sound, rng)


def cut(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the time a passage of `SHORTEST` seconds or more, its length spread evenly over the octaves."""
    shortest = round(SHORTEST * SAMPLE_RATE)
    if rng.random() < 0.5 or len(sound) <= shortest:
        return sound
    length = round(shortest * (len(sound) / shortest) ** rng.random())
    start = rng.integers(0, len(sound) - length + 1)
    return sound[start : start + length]


def compare(sort: str, origin: str, name: str, change: str, query: Heard, other: Heard) -> Pair:
    """Both sounds by all kinds of evidence, as `Joint` asks them, but for the scale of the first's score."""
    found: dict[str, Finding] = {}
    path = align(query.features, other.features)
    if path is not None:
        found[AlteredCopies.name] = AlteredCopies().finding(path, query.features, other.features)
    both = map(torch.from_numpy, (query.envelopes, other.envelopes))
    likeness = RegeneratedCopies().compare(*both, found)
    if likeness is not None:
        found[RegeneratedCopies.name] = likeness
    layered = LayeredCopies().compare_landmarks(query.landmarks, other.landmarks)
    if layered is not None:
        found[LayeredCopies.name] = layered
    both = map(torch.from_numpy, (query.moments, other.moments))
    known_again = CopiedMoments().compare(*both, found)
    return Pair(
        sort,
        origin,
        name,
        change,
        len(query.envelopes) * calibration.PERIOD,
        path or NOTHING,
        0.0 if likeness is None else likeness.score,
        0.0 if layered is None else layered.score,
        0.0 if known_again is None else known_again.score,
        agreeing([*found.values()]),
    )


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


def tail(values: Sequence[float] | np.ndarray) -> Tail:
    """The distribution of some scores, its end as a generalised Pareto distribution."""
    ordered = np.sort(values)
    end = ParetoTail.fit(ordered, TAIL)
    quantiles = np.quantile(ordered[ordered <= end.threshold], np.linspace(0, 1, 101))
    return Tail(
        pairs=len(ordered),
        quantiles=tuple(np.round(quantiles, 4).tolist()),
        threshold=round(end.threshold, 4),
        beyond=end.beyond,
        scale=round(end.scale, 4),
        shape=round(end.shape, 4),
    )


def null(scores: np.ndarray, sorts: np.ndarray) -> Null:
    """The null distribution of one score of all pairs [pairs], with their sorts."""
    return Null(tail(scores[sorts == "unrelated"]), tail(scores[sorts == "relative"]))


def join(
    scores: np.ndarray, together: np.ndarray, sorts: np.ndarray, scales: Sequence[float]
) -> tuple[list[Weights], float, tuple[float, ...]]:
    """Weights of each kind [kinds], decades where nothing is found, and those where kinds agree on the place.

    A logistic regression of copies against both sorts of other pairs, each sort of the same weight, on
    u = log(1 + score / scale) and its square for each kind, and on whether two kinds agree, three, ...; with
    weights of 0 or more. A copy that no kind hears teaches nothing about those that are heard, and holds the
    weights down: so only copies count that some kind tells from nineteen of twenty relatives, or on whose
    place two agree.

    Args:
        scores: [pairs, kinds].
        together: [pairs], how many kinds find the same passage at the same place.
        sorts, scales: of the pairs, and of the kinds.
    """
    u = np.log1p(scores / np.asarray(scales))
    agree = together[:, None] >= np.arange(2, together.max() + 1)
    heard_of = (scores > np.asarray(scales)).any(axis=1) | agree.any(axis=1)
    used = (sorts != "copy") | heard_of
    inputs, copy = np.concatenate([u, u * u, agree], axis=1)[used], (sorts == "copy")[used]
    weight = np.zeros(len(copy))
    for sort, part in (("copy", 0.5), ("unrelated", 0.25), ("relative", 0.25)):
        weight[sorts[used] == sort] = part / (sorts[used] == sort).sum()

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        odds = inputs @ line[1:] + line[0]
        signed = np.where(copy, odds, -odds)
        slope = -weight * np.where(copy, 1, -1) / (1 + np.exp(np.clip(signed, -500, 500)))
        ridge = 1e-4
        total = float(weight @ np.logaddexp(0, -signed)) + ridge * float(line[1:] @ line[1:])
        return total, np.concatenate([[slope.sum()], slope @ inputs + 2 * ridge * line[1:]])

    kinds = scores.shape[1]
    bounds = [(None, 0.0)] + [(0.0, None)] * inputs.shape[1]
    line = minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds).x / np.log(10)
    weights = [
        Weights(float(scale), round(float(line[1 + kind]), 4), round(float(line[1 + kinds + kind]), 4))
        for kind, scale in enumerate(scales)
    ]
    places = tuple(round(float(some), 4) for some in np.cumsum(line[1 + 2 * kinds :]))
    return weights, round(float(line[0]), 4), places


def calibrate(found: list[list[Pair]], specimens: list[Specimen], command: str) -> calibration.Calibration:
    """The calibration that pairs give."""
    every = list(chain(*found))
    sorts = np.array([pair.sort for pair in every])
    grown = round(growth([pair.alignment for pair in every if pair.sort == "relative"]), 3)
    scores = np.array(
        [
            (
                pair.alignment.strength / calibration.reached(pair.alignment.room, grown),
                pair.regenerated,
                pair.layered,
                pair.moments,
            )
            for pair in every
        ]
    )
    scales = [round(float(np.quantile(column[sorts == "relative"], TAIL)), 4) for column in scores.T]
    together = np.array([pair.agreeing for pair in every])
    weights, nothing, places = join(scores, together, sorts, scales)
    made_by = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "sounds": len(specimens),
        "queries": len(found),
        **{f"{sort}_pairs": int((sorts == sort).sum()) for sort in ("unrelated", "relative", "copy")},
    }
    kinds = {name: null(column, sorts) for name, column in zip(KINDS, scores.T, strict=True)}
    result = calibration.Calibration(
        name="real, rendered and generated sounds of 0.5 to 12 s",
        kinds=kinds,
        weights=dict(zip(KINDS, weights, strict=True)),
        nothing=nothing,
        same_place=places,
        joint=kinds[KINDS[0]],  # until the scores are known
        assumed_relatives=ASSUMED_RELATIVES,
        growth=grown,
        made_by=made_by,
    )
    said = [
        result.score(dict(zip(KINDS, row, strict=True)), max(1, number))
        for row, number in zip(scores.tolist(), together.tolist(), strict=True)
    ]
    return replace(result, joint=null(np.array(said), sorts))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--corpus", type=Path, help="folder of `python -m lab.corpus`, for generated sounds")
    parser.add_argument("--families", type=int, default=30, help="rendered families of 10 s (default: 30)")
    parser.add_argument("--queries", type=int, default=1_000, help="sounds compared (default: 1,000)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--components", action="store_true", help="make the fingerprints' components anew")
    parser.add_argument("--pairs", type=Path, help="file for every pair's numbers, as JSON")
    parser.add_argument("--out", type=Path, default=calibration.FILE, help="where the calibration goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    specimens = material(arguments.real, arguments.corpus, arguments.families, arguments.workers)
    sounds = list(spread(heard, [some.sound for some in specimens], arguments.workers))
    print(f"{len(sounds)} sounds", flush=True)
    if arguments.components:
        components([some.features for some in sounds])
    found = pairs(specimens, sounds, arguments.queries, arguments.workers)
    if arguments.pairs is not None:
        arguments.pairs.write_text(json.dumps([asdict(pair) for pair in chain(*found)]))
    command = f"python -m lab.calibrate_audit --families {arguments.families} --queries {len(found)}"
    command += " --real FOLDER" * bool(arguments.real) + " --corpus FOLDER" * bool(arguments.corpus)
    result = calibrate(found, specimens, command)
    arguments.out.write_text(json.dumps(asdict(result), indent=1) + "\n")
    for rate in (1e-1, 1e-2, 1e-3, 1e-4):
        at = [
            next((ratio for ratio in np.arange(-10, 30, 0.05) if some.rate(ratio) < rate), np.inf)
            for some in (result.joint.unrelated, result.joint.relatives)
        ]
        print(f"one false alarm in {1 / rate:6.0f}: {at[0]:6.2f} decades unrelated, {at[1]:6.2f} relatives")


if __name__ == "__main__":
    main()
