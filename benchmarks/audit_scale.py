"""What the audit of one sound costs against a large catalogue.

    python benchmarks/audit_scale.py --references 100000 --seconds 10

The catalogue's fingerprints are random but for one reference, a sound of the given length; the audited sound
is that reference, 3 dB louder. The others' landmarks and moments are as many as music has, drawn from those
of `POOL` sounds, each at a random time. Timed are the steps of `Auditor.judge`: what is computed of the
sound, the three searches, and all evidence of as many finalists as the audit takes at most, each of the
sound's length, whose features are made as well. Both indexes are made once for a catalogue.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from unheard.auditing import fingerprint, moment_index
from unheard.auditing.auditor import DENSE, FINALISTS, KNOWN_AGAIN, SHARING
from unheard.auditing.evidence import EVIDENCES
from unheard.auditing.evidence.joint import Joint
from unheard.auditing.features import SAMPLE_RATE, Signal
from unheard.auditing.landmark_index import LandmarkIndex, sparse
from unheard.auditing.landmarks import PER_FRAME, landmarks, peaks
from unheard.auditing.moment_index import MomentIndex
from unheard.auditing.moments import of_signal

POOL = 100
"""Sounds whose landmarks and moments the catalogue has."""
A_SECOND = 30
"""Landmarks that are kept of music, see `unheard.auditing.landmark_index`."""
VOICES = 5


def phrase(seconds: float, seed: int) -> torch.Tensor:
    """A waveform [1, time] of `VOICES` voices, whose tones change twice a second."""
    rng = np.random.default_rng(seed)
    return torch.stack([_voice(seconds, rng) for _ in range(VOICES)]).sum(dim=0)


def _voice(seconds: float, rng: np.random.Generator) -> torch.Tensor:
    time_in_note = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    notes = [
        sum(np.sin(2 * np.pi * pitch * k * time_in_note) for k in (1, 2, 3)) * np.exp(-3 * time_in_note)
        for pitch in 220 * 2 ** (rng.integers(0, 25, round(2 * seconds)) / 12)
    ]
    return 0.1 * torch.from_numpy(np.concatenate(notes)).float()[None]


def shuffled_landmarks(
    sounds: Sequence[Signal], references: int, seconds: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Landmarks [2, landmarks] of each of so many references: those of some sounds, at random times."""
    pool = np.concatenate([sparse(sound.mono)[0] for sound in sounds])
    each = (references, round(A_SECOND * seconds))
    columns = rng.integers(0, frames_of(seconds) * PER_FRAME, each, dtype=np.int32)
    return list(np.stack([rng.choice(pool, each), columns], axis=1))


def shuffled_moments(
    sounds: Sequence[Signal], references: int, seconds: float, rng: np.random.Generator
) -> list[moment_index.Marks]:
    """Moments of each of so many references, as many as some sounds have: any of theirs."""
    pool = np.concatenate([moment_index.sparse(of_signal(sound))[0] for sound in sounds])
    each = round(len(pool) / len(sounds))
    at = np.linspace(0, frames_of(seconds) - 1, each).astype(np.int32)
    return [(vectors, at) for vectors in pool[rng.integers(0, len(pool), (references, each))]]


def frames_of(seconds: float) -> int:
    """Frames of the audit in so many seconds."""
    return len(Signal(torch.zeros(1, round(seconds * SAMPLE_RATE)), SAMPLE_RATE).features)


def clock(work: Callable[[], object], repeats: int) -> np.ndarray:
    """Median seconds, by the clock and of the processor's time."""
    times = []
    for _ in range(repeats):
        started, spent = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - started, time.process_time() - spent))
    return np.median(times, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=int, default=100_000, help="in the catalogue (default: 100,000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each sound (default: 10)")
    parser.add_argument("--repeats", type=int, default=5, help="of which the median counts (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    sound = phrase(arguments.seconds, 1)
    own = fingerprint.fingerprints(Signal(sound, SAMPLE_RATE).features).half().numpy()
    rng = np.random.default_rng(0)
    prints = rng.standard_normal((arguments.references * len(own), fingerprint.SIZE), np.float32)
    prints = (prints / np.linalg.norm(prints, axis=1, keepdims=True)).astype(np.float16)
    copied = arguments.references // 3
    begins = np.arange(arguments.references) * len(own)
    prints[begins[copied] : begins[copied] + len(own)] = own

    louder = 10 ** (3 / 20) * sound
    queries = fingerprint.fingerprints(Signal(louder, SAMPLE_RATE).features, DENSE)
    found = fingerprint.resemblance(queries, prints, begins, begins + len(own))
    pool = [Signal(phrase(arguments.seconds, seed), SAMPLE_RATE) for seed in range(1000, 1000 + POOL)]
    shuffled = shuffled_landmarks(pool, arguments.references, arguments.seconds, rng)
    shuffled[copied] = sparse(Signal(sound, SAMPLE_RATE).mono)
    started = time.process_time()
    index = LandmarkIndex(shuffled, np.full(arguments.references, frames_of(arguments.seconds) * PER_FRAME))
    made_in = time.process_time() - started
    moments_kept = shuffled_moments(pool, arguments.references, arguments.seconds, rng)
    moments_kept[copied] = moment_index.sparse(of_signal(Signal(sound, SAMPLE_RATE)))
    numbers = np.arange(arguments.references)
    whole = np.stack([numbers, 0 * numbers, 0 * numbers + frames_of(arguments.seconds)], axis=1)
    known = MomentIndex(moments_kept, whole)
    ours_known = of_signal(Signal(louder, SAMPLE_RATE))
    ours_shared = landmarks(peaks(Signal(louder, SAMPLE_RATE).mono))
    joint = Joint([kind() for kind in EVIDENCES.values()])
    said = joint.features(Signal(louder, SAMPLE_RATE))
    others = [phrase(arguments.seconds, seed) for seed in range(2, 2 + FINALISTS + SHARING + KNOWN_AGAIN)]
    steps = {
        "features and fingerprints": lambda: fingerprint.fingerprints(
            Signal(louder, SAMPLE_RATE).features, DENSE
        ),
        "landmarks": lambda: landmarks(peaks(Signal(louder, SAMPLE_RATE).mono)),
        "moments": lambda: of_signal(Signal(louder, SAMPLE_RATE)),
        "search of fingerprints": lambda: fingerprint.resemblance(queries, prints, begins, begins + len(own)),
        "search of landmarks": lambda: index.nearest(ours_shared, SHARING),
        "search of moments": lambda: known.nearest(ours_known, KNOWN_AGAIN),
        f"evidence of {len(others)}": lambda: [
            joint.weigh(said, joint.features(Signal(other, SAMPLE_RATE))) for other in others
        ],
    }
    print(f"{arguments.references:,} references of {arguments.seconds:g} s, {len(prints):,} fingerprints")
    size = (index.keys.nbytes + index.columns.nbytes) / 2**20
    print(f"{prints.nbytes / 2**20:.0f} MiB, and {size:.0f} MiB of landmarks, indexed in {made_in:.1f} s")
    size = (known.vectors.nbytes + known.frames.nbytes + known.weights.nbytes) / 2**20
    print(f"{size:.0f} MiB of {len(known.frames):,} moments")
    print(f"{platform.machine()}, {arguments.threads} thread(s)")
    total = np.zeros(2)
    print(f"{'':28s}{'clock':>10s}{'processor':>12s}")
    for name, work in steps.items():
        seconds = clock(work, arguments.repeats)
        total += seconds
        print(f"{name:28s}{seconds[0]:8.2f} s{seconds[1]:10.2f} s")
    print(f"{'together':28s}{total[0]:8.2f} s{total[1]:10.2f} s")
    print(f"the copied reference is number {int((found > found[copied]).sum()) + 1} by fingerprint")
    print(f"{'the first' if known.nearest(ours_known, 1)[0] == copied else 'another'} by moments")
    print(f"and {'the first' if index.nearest(ours_shared, 1)[0][0] == copied else 'another'} by landmarks")


if __name__ == "__main__":
    main()
