"""Building an index: is the embedder ever waiting, and does memory grow with the corpus?

    python benchmarks/build.py                                  # 1,200 and 12,000 sounds, the bundled guide
    python benchmarks/build.py --sounds 24 --published-size     # a CLAP as large as laion/clap-htsat-unfused

Sounds are rendered on the spot: bursts of noise and decaying tones, 4 s, stereo, 44.1 kHz, as FLAC; ten
times as many are ten names for each. Measured in processes of their own: the embedder alone (the same files,
decoded beforehand, in the same batches), and the building, with all that belongs to it: starting the workers,
decoding, resampling, hashing, committing. Memory is that of the process that embeds and writes, on Linux.
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
from typing import Any

import numpy as np

SECONDS, RATE = 4.0, 44_100
BAR = 0.85


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sounds", type=int, default=1200, help="at 1x; ten times as many at 10x")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--embedder", help="name or folder of a CLAP  [default: the bundled guide]")
    parser.add_argument("--published-size", action="store_true", help="a CLAP of random weights")
    parser.add_argument("--rounds", type=int, default=1, help="embedder alone and building, in turns, at 1x")
    parser.add_argument("--part", choices=["embed", "build"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part == "embed":
        print(json.dumps(embed(arguments.folder, arguments.embedder)))
    elif arguments.part == "build":
        print(json.dumps(build(arguments.folder, arguments.embedder, arguments.workers)))
    else:
        report(arguments)


def report(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        render(few, arguments.sounds)
        many.mkdir()
        for path in few.iterdir():
            for copy in range(10):
                os.link(path, many / f"{path.stem}-{copy}.flac")
        if arguments.published_size:
            arguments.embedder = str(Path(folder) / "clap")
            make_clap(Path(arguments.embedder))
        alone, built = [], []
        for _ in range(arguments.rounds):
            alone.append(measured("embed", few, arguments))
            built.append(measured("build", few, arguments))
        large = measured("build", many, arguments)
    best = max(alone, key=lambda one: one["windows"] / one["seconds"])
    own = best["windows"] / best["seconds"]
    print(f"{'':28} windows   seconds  windows/s  of the embedder's own   peak MiB")
    for name, found in [
        *(("embedder alone", one) for one in alone),
        *((f"building, {arguments.workers} workers", one) for one in built),
        ("building, ten times as many", large),
    ]:
        speed = found["windows"] / found["seconds"]
        numbers = f"{found['windows']:7,} {found['seconds']:9.1f} {speed:10.2f} {speed / own:22.2f}"
        print(f"{name:28} {numbers}   {found['peak']:,.0f}")
    steady = large["windows"] / large["seconds"] / own
    growth = large["peak"] / max(one["peak"] for one in built)
    print(f"throughput at 10x: {steady:.2f} of the embedder's own (bar: {BAR})")
    print(f"peak memory at 10x: {growth:.3f} of that at 1x (bar: 1.10)")


def measured(part: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    command += ["--workers", str(arguments.workers)]
    command += [] if arguments.embedder is None else ["--embedder", arguments.embedder]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def render(folder: Path, count: int) -> None:
    import soundfile

    folder.mkdir()
    generator = np.random.default_rng(0)
    time_axis = np.arange(round(SECONDS * RATE)) / RATE
    for number in range(count):
        pitch, decay, bursts = (
            generator.uniform(60, 2000),
            generator.uniform(0.5, 8),
            generator.integers(1, 9),
        )
        beat = time_axis % (SECONDS / bursts)
        envelope = np.exp(-decay * beat)
        tone = np.sin(2 * np.pi * pitch * time_axis) * envelope
        noise = generator.standard_normal((2, len(time_axis))) * np.exp(-30 * beat)
        soundfile.write(folder / f"{number:05d}.flac", (0.4 * tone + 0.1 * noise).clip(-1, 1).T, RATE)


def make_clap(folder: Path) -> None:
    from full_size import full_size_clap
    from transformers import AutoTokenizer, ClapProcessor

    from unheard.backbones.hub import fetch
    from unheard.generation.defaults import read_defaults

    clap, extractor = full_size_clap()
    clap.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(read_defaults(fetch("tiny")).embedder)
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)


def load(embedder: str | None) -> Any:
    from unheard.backbones.hub import fetch
    from unheard.embedders import load_embedder
    from unheard.generation.defaults import read_defaults

    return load_embedder(read_defaults(fetch("tiny")).embedder if embedder is None else embedder)


def embed(folder: Path, name: str | None) -> dict[str, Any]:
    """The embedder in full batches, on windows that lie ready."""
    import torch

    from unheard.index.building.decoding import Decoded, Job, decode
    from unheard.index.building.recording import Recording
    from unheard.index.building.sources import Sources
    from unheard.index.building.windows import Windows

    embedder = load(name)
    ready = []
    for found in Sources(folder):
        assert isinstance(found, Recording)
        decoded = decode(Job(found, embedder.sample_rate, None, tempfile.gettempdir()))
        assert isinstance(decoded, Decoded)
        ready.append(decoded)
    with torch.no_grad():  # once before the clock starts
        embedder.embed_batch(torch.zeros(embedder.batch, embedder.window_samples))
    windows, done = Windows(embedder), 0
    began = time.perf_counter()
    for decoded in ready:
        done += sum(len(one.bounds) for one in windows.add(decoded))
    done += sum(len(one.bounds) for one in windows.flush())
    return result(done, time.perf_counter() - began)


def build(folder: Path, name: str | None, workers: int) -> dict[str, Any]:
    from unheard import index

    embedder = load(name)
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        built = index.build(folder, Path(out) / "index", embedder=embedder, workers=workers)
        return result(built.windows, time.perf_counter() - began)


def result(windows: int, seconds: float) -> dict[str, Any]:
    # Not getrusage's peak: that begins with the one of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    return {"windows": windows, "seconds": seconds, "peak": peak}


if __name__ == "__main__":
    main()
