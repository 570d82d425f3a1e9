"""What speed is aimed at and what it is here, a line each, as ratios of one run.

    OMP_NUM_THREADS=1 python benchmarks/aims.py

On a CPU, of the bundled model, in processor time, the least of a few repeats: other work on the machine
weighs little in it. What needs a GPU or the published size is named with the command that measures it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import open_json
import soundfile
import startup
import step
import torch
from import_json import write
from noise import SHAPE, seconds
from search import index_of
from vectors import Embeddings

from unheard.diffusion.brownian import BrownianNoise
from unheard.diffusion.brownian_tree import BrownianTreeNoise
from unheard.diffusion.schedules import polyexponential_sigmas

Line = tuple[str, float | None, str]
"""What, its value, and what is aimed at or where it is measured."""


def least(run: Callable[[], object], repeats: int) -> float:
    """Seconds of processor time."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times)


def noise(repeats: int) -> Iterator[Line]:
    levels = polyexponential_sigmas(100, 0.3, 500).tolist()[:-1]
    now = [seconds(BrownianNoise(SHAPE, [0], levels), levels) for _ in range(repeats)]
    before = [seconds(BrownianTreeNoise(SHAPE, 0.3, 500, [0]), levels) for _ in range(repeats)]
    cost, was = (float(np.min(times, axis=0).mean()) for times in (now, before))
    yield "noise, ms a step at [1, 64, 1024]", 1e3 * cost, "<= 5"
    yield "noise, to torchsde's tree", cost / was, "<= .1"


def steps(repeats: int) -> Iterator[Line]:
    arguments = argparse.Namespace(model="tiny", device="cpu", dtype=None, duration=None, batch=1)
    bench = step.load(arguments)
    runs = step.contenders(bench)
    spent = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats + 1):  # by turns, since each leaves the memory to the next
        for name, run in runs.items():
            spent[name] = min(spent[name], bench.time(run) / step.STEPS_OF.get(name, 1))
    plain, published, same_decoder = (
        spent[name] for name in ("plain", "published", "published, our decoder")
    )
    yield "AMG, gate shut, to plain (tiny, 4 s)", spent["gate shut"] / plain, "<= 1.15"
    yield "the same, seen shut by a gate head", spent["gate shut, foreseen"] / plain, "<= 1.15"
    yield "the same, far and asked every 8th step", spent["gate shut, asked seldom"] / plain, "<= 1.15"
    yield "AMG, gate open, to plain (tiny, 4 s)", spent["gate open"] / plain, "<= 3"
    yield "AMG, open, to the published way, one decoder", spent["gate open"] / same_decoder, "<= .67"
    yield "step in which a gate opens, to the published one", spent["gate opens"] / published, "<= 1"
    yield "the same, near at the step before", spent["gate opens from near"] / published, "<= 1"


def start(repeats: int) -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        sound, references = Path(folder) / "noise.wav", Path(folder) / "references"
        references.mkdir()
        noises = np.random.default_rng(0).normal(0, 0.1, (11, 16_000))
        for path, noise in zip([sound, *(references / f"{n}.wav" for n in range(10))], noises, strict=True):
            soundfile.write(path, noise, 16_000)
        environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}

        def spent(*arguments: str, code: str | None = None) -> float:
            run = f"from unheard.cli import main; main({[*arguments]!r})" if code is None else code
            return startup.fastest(run, environment, repeats)[0]

        alone, with_transformers = (
            spent(code=f"import {names}") for names in ("torch", "torch, transformers")
        )
        output = f"{folder}/sound.wav"
        whole = spent("generate", startup.PROMPT, "--output", output, "--overwrite")
        yield "`generate`, whole, to importing torch and transformers", whole / with_transformers, "<= 2.5"
        yield (
            "`audit`, by what the model brings, to `import torch`",
            spent("audit", str(sound)) / alone,
            "<= 1.6",
        )
        named = spent("audit", str(sound), "--references", str(references)) / alone
        yield "`audit`, by references, to `import torch`", named, "<= 1.3"


def opening() -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings_new.json"
        write(path, 20_000, 512)
        environment = {**os.environ, "XDG_CACHE_HOME": folder}

        def told(what: str) -> dict[str, float] | None:
            command = [sys.executable, open_json.__file__, "--contend", what, str(path)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            return None if done.returncode else json.loads(done.stdout.splitlines()[-1])

        orjson, first, second, search = (told(what) for what in ("orjson", "open", "open", "search"))
        ratio = None if orjson is None or first is None else first["processor"] / orjson["processor"]
        yield "first opening of 20,000 entries, to orjson", ratio, "<= 1.2 (orjson need be installed)"
        if second is not None and search is not None:
            yield "second opening, s", second["processor"], "<= .3"
            yield (
                "its memory with a search, to the vectors",
                search["mib"] / (20_000 * 512 * 4 / 2**20),
                "<= 1.5",
            )


def searching(repeats: int) -> Iterator[Line]:
    unit = torch.from_numpy(Embeddings(512, seed=1).draw(300_000))
    index, rows = index_of(unit, [""] * len(unit), [""] * len(unit)), unit.numpy()
    one, many = (torch.from_numpy(Embeddings(512, seed=2).draw(count)) for count in (1, 16))
    product = least(lambda: one.numpy() @ rows.T, repeats)
    yield (
        "exact search, 300,000 x 512, to NumPy's product",
        least(lambda: index.search(one), repeats) / product,
        "<= 1.05",
    )
    together = least(lambda: index.search(many), repeats)
    yield "16 vectors, to NumPy's product of one, each", together / 16 / product, "<= .6"
    yield "16 vectors, to NumPy's product of 16", together / least(lambda: many.numpy() @ rows.T, repeats), ""


ELSEWHERE: list[Line] = [
    ("detour to plain; AMG and diffusers' pipeline at the published size", None, "`sh benchmarks/gpu.sh`"),
    ("how often a gate that is asked seldom decides otherwise", None, "`python benchmarks/asking.py`"),
    ("five million vectors", None, "`python benchmarks/search.py --sizes 5000000`"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print("| | here | aim |\n|---|--:|---|")
    parts = noise(repeats), steps(repeats), start(repeats), opening(), searching(repeats), iter(ELSEWHERE)
    for part in parts:
        for what, value, aim in part:
            print(f"| {what} | {'not measured' if value is None else f'{value:.2f}'} | {aim} |", flush=True)


if __name__ == "__main__":
    main()
