"""Everything that writes, each a function of a folder that `before` has filled, and what it leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
import torch
from a_match import MATCH
from calibrations import a_calibration
from plain_embedder import PlainEmbedder
from random_index import random_index
from stored_rows import GUIDE, PRINTS, content, rows

from unheard import index
from unheard.auditing import Audit, FileAudit
from unheard.auditing.report.report import write_report
from unheard.cli.audit_output import write_csv
from unheard.cli.import_settings import import_settings
from unheard.common.content_cache import ContentCache
from unheard.errors import InputError
from unheard.evaluation import columns, pareto
from unheard.evaluation.results_folder import ResultsFolder, write_table
from unheard.evaluation.tuning import OBJECTIVES, Trial
from unheard.figures.drawing import draw_trajectories, save
from unheard.generation.defaults import Defaults
from unheard.generation.sound import Sound, TraceStep
from unheard.guidance.amg import gate_head
from unheard.index.clustering.clusters import Duplicates
from unheard.index.searching import approximate
from unheard.index.store.fingerprints import FingerprintTable
from unheard.index.store.table import Store
from unheard.studio.takes import GUIDED, UNGUIDED, Takes

RATE = 16_000
FIT = gate_head.Fit("a model", "sha256:0", "0" * 64, 4, 2, 2.0, 0.1, 1, 1, 1, 0)
LAZILY = (
    "braceexpand", "encodings.utf_8_sig", "soxr", "sqlite3", "unheard.index.building.additions",
    "unheard.index.building.builder", "unheard.index.building.engine", "unheard.index.building.ledger",
    "unheard.index.published.exchange", "unheard.index.clustering.clusters",
    "matplotlib.backends.backend_agg", "lancedb.index",
)  # fmt: skip
"""What functions import when they are called."""


@cache
def sound(seed: int) -> Sound:
    waveform = torch.rand(1, 2000, generator=torch.Generator().manual_seed(seed)) - 0.5
    return Sound(waveform, RATE, "a bell", seed, [], provenance={"unheard": 2, "seed": seed})


@cache
def found() -> Audit:
    files = (FileAudit("a.wav", "copy", matches=(MATCH,)), FileAudit("b.wav", "clear"))
    return Audit(files, {"name": "none", "items": 1})


class References:
    """References of which none can be read any more."""

    def read(self, reference: str) -> Any:
        raise InputError(f"{reference} is gone")


def before(folder: Path) -> None:
    """What lies in the folder beforehand: two indexes of two kinds, a sound, results."""
    soundfile.write(folder / "new.wav", np.random.default_rng(7).uniform(-0.5, 0.5, 8000), RATE)
    random_index(np.random.default_rng(1).standard_normal((3, 2)), "plain").save(folder / "mine.json")
    store = Store.create(folder / "store", GUIDE)
    store.append(rows({"a": 2, "b": 1}, seed=1))
    store.append(rows({"c": 1}, seed=2, content_sha256="1" * 64))
    FingerprintTable(store.uri).add("test", {"0" * 64: PRINTS, "1" * 64: PRINTS})
    vectors = Store.create(folder / "approximate", GUIDE)
    vectors.append(rows({str(number): 1 for number in range(approximate.FEWEST)}))
    script = "generate_diffusion_cond(model, steps=50, cfg_scale=6, sampler_type='dpmpp-3m-sde')"
    (folder / "script.py").write_text(script)
    (folder / "tuned").mkdir()
    sound(1).save(folder / "audio.wav")
    write_csv(folder / "numbers.csv", found())


def prepare() -> None:
    """Load what the writers need before they are forked, and may be somebody who may not read it."""
    for module in LAZILY:
        import_module(module)
    for seed in (1, 2):
        sound(seed)
    found()
    head()
    figure()
    torch.set_num_threads(1)


def report(path: Path) -> None:
    references = References()
    write_report(found(), references, path, read=references.read)


def preset(folder: Path) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        arguments = [str(folder / "script.py"), "--output", str(folder / "preset.json")]
        import_settings.main(arguments, standalone_mode=False)


def presets(folder: Path) -> None:
    values = dict.fromkeys(OBJECTIVES, 0.5)
    trials = [Trial(number, {"guidance_scale": 3.0}, values, 0, number > 1) for number in range(4)]
    pareto.write(trials, Defaults(), folder / "tuned")


@cache
def head() -> gate_head.GateHead:
    torch.manual_seed(0)
    return gate_head.GateHead(FIT.features, FIT.dimension)


@cache
def figure() -> Any:
    return draw_trajectories({"a": [TraceStep(1.0, 0.5, "cosine"), TraceStep(0.5, 0.6, "cosine")]})


def take(folder: Path) -> None:
    takes = Takes(folder / "takes")
    number = takes.reserve()
    for which in (GUIDED, UNGUIDED):
        takes.save(number, which, sound(2), ".wav")
    takes.release(number)


def results(folder: Path) -> None:
    out = ResultsFolder(folder / "results")
    out.make()
    table = pa.table({"x": [1, 2, 3]})
    write_table(out.part("batch"), table, {columns.ORIGIN: {"made": "here"}})
    write_table(out.judgement("batch-judges"), table)


def duplicates(folder: Path) -> None:
    Duplicates("x", "0" * 64, 1, 0, 0.9, 0.9, 2, []).save(folder / "clusters.json")


WRITERS: dict[str, Callable[[Path], Any]] = {
    "add to JSON": lambda folder: index.add_sounds(
        folder / "mine.json", [folder / "new.wav"], "new", PlainEmbedder()
    ),
    "add": lambda folder: index.add(
        folder / "added", [folder / "new.wav"], caption="new", embedder=PlainEmbedder()
    ),
    "remove from JSON": lambda folder: index.remove(folder / "mine.json", ["item1"]),
    "remove": lambda folder: index.remove(folder / "store", ["c"]),
    "import": lambda folder: index.import_json(folder / "mine.json", folder / "imported"),
    "export": lambda folder: index.export_json(folder / "store", folder / "exported.json"),
    "duplicates": duplicates,
    "generate": lambda folder: sound(2).save(folder / "audio.wav"),
    "audit --csv": lambda folder: write_csv(folder / "numbers.csv", found()),
    "audit --report": lambda folder: report(folder / "report"),
    "audit --report in one file": lambda folder: report(folder / "report.html"),
    "latents": lambda folder: ContentCache("latents", "test", folder / "cache").write(
        "0" * 64, {"latents": np.ones(9, np.float32)}
    ),
    "evaluate and tune": results,
    "index ann": lambda folder: approximate.build_approximate(folder / "approximate"),
    "figure": lambda folder: save(figure(), folder / "figure.png"),
    "calibrate": lambda folder: a_calibration().write(folder / "calibration.json"),
    "train-gate": lambda folder: gate_head.write(folder / "head.safetensors", head(), FIT),
    "import-settings": preset,
    "presets": presets,
}
ALL = {**WRITERS, "take": take}
"""Those too that write something else each time."""


def state(folder: Path) -> dict[str, Any]:
    """What the folder holds for whoever reads it: rows of indexes, bytes of files, no half-written ones."""
    seen: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        inside = any(part.endswith(".lance") for part in path.parts)
        if path.is_dir() and Store.exists(path):
            seen[name] = (
                elsewhere(content(path), folder),
                sorted(FingerprintTable(str(path)).read("test")),
                index.verify(path),
            )
            seen[f"{name}, approximate"] = without_recall(approximate.record(Store.open(path)))
        elif path.is_file() and not inside and not name.endswith((".part", ".lock")):
            seen[name] = without_date(path.read_bytes())
    return seen


def elsewhere(rows: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Rows without the folder in which their recordings lie."""
    return [row | {"source": (row["source"] or "").removeprefix(str(folder))} for row in rows]


def without_recall(found: approximate.ApproximateRecord | None) -> approximate.ApproximateRecord | None:
    """A record of an approximate index, whose cells begin at random, without what depends on them."""
    return found and replace(found, probes=0, candidates=0, recall=0.0)


def without_date(content: bytes) -> bytes:
    """A report without the minute in which it was made."""
    before, made, after = content.partition(b'"made":"')
    return before + made + after[30:] if made else content
