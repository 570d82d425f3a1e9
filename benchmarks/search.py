"""What the nearest training item costs, exactly and approximately, and what that says of larger sets.

    python benchmarks/search.py --sizes 10000 100000 500000 1000000
    python benchmarks/search.py --approximate 500000
    python benchmarks/search.py --sizes 5000000        # 10 GiB of vectors: alone, and last

Vectors are those of `vectors.py`. Exact times are medians of `Index.search` for one query and for 16. The
approximate index is built in a temporary folder; its recall@1 is that of 500 new draws and of 500 queries at
cosines of .6 to .98 to an item (the guidance acts only near an item), each against the exact answer.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import psutil
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F
from vectors import Embeddings

from unheard.index.searching.approximate import build_approximate
from unheard.index.searching.index import Index
from unheard.index.searching.snapshot import Snapshot
from unheard.index.searching.stored import read_approximately, read_exactly
from unheard.index.searching.vectors import ExactVectors
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import schema
from unheard.index.store.table import Store

BATCHES = (1, 16)
ROWS = 20_000


def index_of(unit: Tensor, ids: list[str], prompts: list[str]) -> Index:
    """An index of unit vectors, searched as one on disk is."""
    seconds = [0.0] * len(unit)
    snapshot = Snapshot(
        ids=ids,
        prompts=prompts,
        seconds_start=seconds,
        seconds_total=seconds,
        windows=None,
        sources=[None] * len(unit),
        vectors=ExactVectors(unit, lambda positions: F.normalize(unit[positions].double(), dim=1)),
        embedder=EmbedderRecord("benchmark", unit.shape[1]),
        checksum=lambda: "",
    )
    return Index(snapshot)


def median_milliseconds(search: Callable[[Tensor], object], queries: Tensor, repeats: int) -> list[float]:
    """For each size of batch the median time of a search, each with other queries."""
    medians = []
    for batch in BATCHES:
        times = []
        for repeat in range(repeats + 1):
            some = queries[(repeat * batch) % (len(queries) - batch) :][:batch]
            started = time.perf_counter()
            search(some)
            times.append(1e3 * (time.perf_counter() - started))
        medians.append(statistics.median(times[1:]))
    return medians


def exact(sizes: list[int], dimension: int, repeats: int) -> None:
    queries = torch.from_numpy(Embeddings(dimension, seed=2).draw(200))
    print(f"{'vectors':>12} {'GiB':>6} {'1 query':>10} {'16 queries':>11}")
    per_vector = [0.0, 0.0]
    for size in sorted(sizes):
        gigabytes = size * dimension * 4 / 2**30
        if 1.15 * gigabytes > available_gigabytes():
            print(f"{size:12,} {gigabytes:6.2f} left out: {available_gigabytes():.1f} GiB of memory are free")
            continue
        unit = torch.empty(size, dimension)
        for first, block in Embeddings(dimension, seed=1).blocks(size):
            unit[first : first + len(block)] = torch.from_numpy(block)
        nameless = [""] * size
        times = median_milliseconds(index_of(unit, nameless, nameless).search, queries, repeats)
        print(f"{size:12,} {gigabytes:6.2f} {times[0]:7.1f} ms {times[1]:8.1f} ms", flush=True)
        per_vector = [milliseconds / size for milliseconds in times]
        del unit
    hundred = [1e8 * milliseconds / 1e3 for milliseconds in per_vector]
    print(
        "100 million, on paper (time and memory grow with the number): "
        f"{1e8 * dimension * 4 / 2**30:.0f} GiB in float32, "
        f"{hundred[0]:.1f} s for one query and {hundred[1]:.1f} s for sixteen"
    )


def approximate(size: int, dimension: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fill(folder, size, dimension)
        started, processor = time.perf_counter(), time.process_time()
        record = build_approximate(folder)
        clock, processor = time.perf_counter() - started, time.process_time() - processor
        print(f"built in {clock:.0f} s, {processor:.0f} s of processor time: {record}", flush=True)
        started = time.perf_counter()
        store = Store.open(folder)
        found, index = Index(read_exactly(store)), Index(read_approximately(store))
        source = Embeddings(dimension, seed=2)
        items = found.vectors(torch.from_numpy(source.generator.integers(0, size, 500))).numpy()
        near = np.concatenate(
            [
                source.near(some, cosine)
                for some, cosine in zip(np.array_split(items, 20), np.linspace(0.6, 0.98, 20), strict=True)
            ]
        )
        for name, queries in (
            ("new draws", torch.from_numpy(source.draw(500))),
            ("near items", torch.from_numpy(near)),
        ):
            best = torch.cat([found.search(some)[0] for some in queries.split(16)])
            answer = torch.cat([index.search(some)[0] for some in queries.split(16)])
            recall = (answer >= best - 1e-6).float().mean()
            times = median_milliseconds(index.search, queries, repeats)
            print(
                f"{name}: recall@1 {recall:.3f} (nearest at {best.median():.2f}), "
                f"{times[0]:.1f} ms for one query, {times[1]:.1f} ms for sixteen",
                flush=True,
            )
        compared = median_milliseconds(found.search, queries, repeats)
        print(
            f"exact, at the same time: {compared[0]:.1f} ms for one query, {compared[1]:.1f} ms for sixteen"
        )
    growth = (1e8 / size) ** 0.5
    print(
        f"100 million, on paper: 10,000 cells, each {growth:.0f} times as large, as many of them probed: "
        f"{growth * times[0]:.0f} ms for one query if the short vectors, "
        f"{1e8 * dimension / 8 / 2**30:.0f} GiB, stay in memory; the full ones, on disk, are "
        f"{1e8 * dimension * 4 / 2**30:.0f} GiB"
    )


def fill(folder: str, size: int, dimension: int) -> None:
    """A store of vectors, one a row."""
    store = Store.create(folder, EmbedderRecord("benchmark", dimension))
    for first, block in Embeddings(dimension, seed=1).blocks(size, ROWS):
        count = len(block)
        columns = {
            "id": [f"{number:09}" for number in range(first, first + count)],
            "window": [0] * count,
            "window_start": [0.0] * count,
            "window_end": [1.0] * count,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), dimension),
            "prompt": [""] * count,
            "seconds_start": [0.0] * count,
            "seconds_total": [1.0] * count,
            "content_sha256": [None] * count,
            "source": [None] * count,
            "silent": [False] * count,
            "further": [None] * count,
        }
        store.append(pa.table(columns, schema=schema(dimension)))


def available_gigabytes() -> float:
    return psutil.virtual_memory().available / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 500_000, 1_000_000])
    parser.add_argument(
        "--approximate", type=int, metavar="SIZE", help="Measure the approximate index alone."
    )
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, {arguments.dimension} numbers")
    if arguments.approximate:
        approximate(arguments.approximate, arguments.dimension, arguments.repeats)
    else:
        exact(arguments.sizes, arguments.dimension, arguments.repeats)


if __name__ == "__main__":
    main()
