"""How long the main job takes to its first denoising step, against `import torch` alone.

    python -m benchmarks.startup --repeats 5

Each run is a process of its own; of several the fastest counts. Processor seconds (user and system, of the
child) stand beside those of the clock, since other work on the machine weighs less in them. Ratios are to
`import torch` in the same run. The parts are disjoint processor seconds: what is imported in the middle of
loading counts as import. The audits are whole: of a second of noise, by what the bundled model brings and by
ten references of a second, whose fingerprints are cached by then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

PARTS = ("imports", "loading", "request", "encoding", "first step")
PROMPT = "An acoustic drum loop, 110 bpm"

CLOCK = f"""
import builtins, importlib, json, os, sys, time

spent, under_way = dict.fromkeys({PARTS!r}, 0.0), []

def timed(part, function):
    def run(*arguments, **options):
        if part in under_way:
            return function(*arguments, **options)
        began, before = time.process_time(), sum(spent.values())
        under_way.append(part)
        try:
            return function(*arguments, **options)
        finally:
            under_way.remove(part)
            spent[part] += time.process_time() - began - (sum(spent.values()) - before)
            if part == "imports" and "unheard.generation.model" in sys.modules and not under_way:
                watch(sys.modules["unheard.generation.model"])
    return run

def watch(model):  # told of the module once it is imported
    pass

def leave(*_):
    print(json.dumps(spent), file=sys.stderr, flush=True)
    os._exit(0)

builtins.__import__ = timed("imports", builtins.__import__)
importlib.import_module = timed("imports", importlib.import_module)
"""
"""Processor seconds by part, without those of parts inside it."""

GENERATE = f"""
def watch(model, watched=[]):
    if watched:
        return
    watched.append(model)
    model.load = timed("loading", model.load)
    for part in ("request", "training_set", "stream"):
        setattr(model.Model, part, timed("request", getattr(model.Model, part)))
    batches = sys.modules["unheard.generation.batches"]
    batches.denoiser_for = timed("encoding", batches.denoiser_for)
    batches.SAMPLERS.update(dict.fromkeys(batches.SAMPLERS, first_step))

def first_step(denoiser, x, sigmas, *_):
    if {{first_step}}:
        timed("first step", denoiser)(x, sigmas[:1])
    leave()

from unheard.cli import main

main(["generate", {PROMPT!r}])
"""

AUDIT = """
from unheard.cli import main

try:
    main(["audit", *{arguments!r}])
finally:
    leave()
"""


def run(code: str, environment: dict[str, str]) -> tuple[float, float, dict[str, float]]:
    """Processor seconds, seconds of the clock, and what the child says of its parts."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    said = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    clock = time.perf_counter() - began
    if status:
        sys.exit(said)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    return usage.ru_utime + usage.ru_stime, clock, json.loads(lines[-1]) if lines else {}


def fastest(code: str, environment: dict[str, str], repeats: int) -> tuple[float, float, dict[str, float]]:
    runs = [run(code, environment) for _ in range(repeats)]
    processor, _, parts = min(runs, key=lambda of: of[0])
    return processor, min(clock for _, clock, _ in runs), parts


def measure(environment: dict[str, str], sound: Path, references: Path, repeats: int) -> None:
    jobs = {
        "`import torch`": "import torch",
        "to the first step": CLOCK + GENERATE.format(first_step=False),
        "first step done": CLOCK + GENERATE.format(first_step=True),
        "`audit`, what the model brings": CLOCK + AUDIT.format(arguments=[str(sound)]),
        "`audit`, references": CLOCK + AUDIT.format(arguments=[str(sound), "--references", str(references)]),
    }
    print("| | processor s | ratio | clock s | ratio | " + " | ".join(PARTS) + " |")
    print("|---|" + "--:|" * (4 + len(PARTS)))
    torch_processor = torch_clock = None
    for name, code in jobs.items():
        processor, clock, parts = fastest(code, environment, repeats)
        torch_processor, torch_clock = torch_processor or processor, torch_clock or clock
        shown = " | ".join(f"{parts[part]:.2f}" if parts.get(part) else "" for part in PARTS)
        print(
            f"| {name} | {processor:.2f} | {processor / torch_processor:.2f} "
            f"| {clock:.2f} | {clock / torch_clock:.2f} | {shown} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-bytecode", action="store_true", help="measure that as well, once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sound, references = Path(folder) / "noise.wav", Path(folder) / "references"
        references.mkdir()
        noises = np.random.default_rng(0).normal(0, 0.1, (11, 16_000))
        for path, noise in zip([sound, *(references / f"{n}.wav" for n in range(10))], noises, strict=True):
            soundfile.write(path, noise, 16_000)
        environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}
        print("With cached bytecode\n")
        measure(environment, sound, references, arguments.repeats)
        if arguments.without_bytecode:
            print("\nWithout cached bytecode, as after an installation\n")
            none = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": f"{folder}/none"}
            measure(environment | none, sound, references, 1)


if __name__ == "__main__":
    main()
