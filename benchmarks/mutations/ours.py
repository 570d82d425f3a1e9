"""What this package writes and reads again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.mutations import given
from benchmarks.mutations.family import Family
from unheard.errors import UnheardError


@cache
def records() -> dict[str, bytes]:
    trace = [{"step": 0, "sigma": 80.0, "measure": "cosine", "value": 0.5, "guided": True}]
    record = {
        "unheard": 2, "prompt": "a bell", "negative_prompt": None, "seed": 3, "duration": 2.0, "start": 0.0,
        "guidance": {"kind": "amg", "c1": 1.0, "c2": 2.0, "c3": 3.0},
        "sampling": {"sampler": "dpmpp-3m-sde", "num_inference_steps": 20, "sigma_min": 0.3,
                     "sigma_max": 500.0, "guidance_scale": 3.0},
        "batch": {"position": 0, "prompts": ["a bell"], "seeds": [3]},
        "model": {"name": "tiny", "fingerprint": "sha256:0"},
        "machine": {"device": "cpu", "dtype": "float32"},
        "result": {"encoding": "16-bit", "sha256": "0"}, "trace": trace,
    }  # fmt: skip
    older = {
        **record,
        "unheard": 1,
        "trace": [{"step": 0, "sigma": 80.0, "similarity": 0.5, "way": "x", "share": 1.0}],
    }
    return {
        "new.json": json.dumps(record, indent=1).encode(),
        "old.json": json.dumps(older, indent=1).encode(),
    }


@cache
def calibrations() -> dict[str, bytes]:
    threshold = {"value": 0.4, "rate": 0.01, "by": "tail", "low": 0.3, "high": None, "captions": 200,
                 "above": 2, "rate_low": 0.0, "rate_high": 0.036}  # fmt: skip
    separation = {"captions": 10, "above": 8, "low": 0.4, "high": 0.9, "area": 0.95, "separates": True}
    statistic = {"threshold": threshold, "ordinary": [0.1, 0.2], "suspected": [0.9], "separation": separation}
    duration = {"duration": 4.0, "high_noise": 9.0, "spread": 1.1,
                "statistics": {"pull": statistic, "excess": {**statistic, "separation": None}}}  # fmt: skip
    proof = {"caption": "A loop", "seed": 0, "plain": "copy", "guided": "clear", "fallback": "Strings",
             "prompt_weight": 0.2}  # fmt: skip
    record = {"unheard_calibration": 1, "model": "a model", "fingerprint": "sha256:0", "index": "0" * 64,
              "items": 2620, "recordings": 60, "sampling": {"sampler": "euler"}, "false_alarms": 0.01,
              "seed": 0, "ordinary": ["A bell", "Strings"], "suspected": ["A loop"], "replayed": [],
              "durations": [duration], "proof": [proof], "made": {"seconds": 1.0}}  # fmt: skip
    return {"calibration.json": json.dumps(record, indent=1).encode()}


@cache
def audits() -> dict[str, bytes]:
    matches = [{"reference": "r", "verdict": "copy", "score": 9.0}, {"reference": "s", "verdict": "similar"}]
    files = [
        {"path": "a.wav", "sha256": "0" * 64, "verdict": "copy", "matches": matches},
        {"path": "b.wav", "sha256": None, "verdict": "clear", "matches": []},
        {"path": "c.wav", "sha256": "1" * 64, "verdict": "not judged", "reason": "silent", "matches": []},
    ]
    return {"audit.json": json.dumps({"files": files, "verdict": "copy"}).encode()}


def read_record(path: Path) -> None:
    from unheard.generation.provenance import differences, read

    differences(read(path), json.loads(records()["new.json"]))


def read_calibration(path: Path) -> None:
    from unheard.generation.calibration.record import Calibration

    found = Calibration.read(path)
    found.words(4.0, 60)
    found.detour(4.0, 60)
    json.dumps(found.describe())


def read_audit(path: Path) -> None:
    from unheard.auditing import comparison

    (good := path.with_name("before.json")).write_bytes(audits()["audit.json"])
    found = comparison.compare(comparison.read_audit(good), comparison.read_audit(path))
    assert found.is_worse in (True, False)


@cache
def takes() -> dict[str, bytes]:
    record = json.loads(records()["new.json"])
    step = {"sigma": 80.0, "value": 0.5, "measure": "cosine", "threshold": 0.4, "neighbour": "00001",
            "acted": True, "fallback": "00002", "prompt_weight": 0.2}  # fmt: skip
    nearest = {"id": "00001", "caption": "a bell", "similarity": 0.9}
    match = {"reference": "00001", "verdict": "copy", "score": 9.0}
    audit = {"verdict": "copy", "reason": None, "score": 9.0, "matches": [match]}
    record["result"] |= {"file": "take-1.wav", "nearest": [nearest]}
    return {"take-1.json": json.dumps({**record, "audit": audit, "trace": [step, step]}, indent=1).encode()}


@cache
def results() -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    from unheard.evaluation import columns
    from unheard.evaluation.experiment import Experiment

    rows = [
        {"prompt": "a bell", "audio": "sounds/a.flac", "audio_sha256": "0", "seed": 1, "position": 0,
         "acted": 1, "trace_similarity": [0.5, None], "trace_measure": ["cosine", None],
         "batch_prompts": ["a bell"], "batch_seeds": [1]},
        {"prompt": "b", "error": "it failed"},
    ]  # fmt: skip
    made = pa.Table.from_pylist(rows, schema=columns.GENERATED)
    named = made.append_column("setting", [["amg", "amg"]]).append_column("batch", [["part", "part"]])
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "experiment.toml").write_bytes(given.experiments()["experiment.toml"])
        stored = asdict(Experiment.read(path))
    written = {}
    for name, table, told in (
        ("generations.parquet", named, {columns.EXPERIMENT: stored}),
        ("part.parquet", made, {columns.ORIGIN: {"model": "sha256:0", "code": "0"}}),
    ):
        file = io.BytesIO()
        metadata = {key: json.dumps(said) for key, said in told.items()}
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), file)
        written[name] = file.getvalue()
    return written


def read_results(path: Path) -> None:
    from unheard.evaluation.reproduce import recorded
    from unheard.evaluation.results_folder import ResultsFolder
    from unheard.evaluation.traces import mean_traces

    folder = ResultsFolder(path.parent)
    folder.make()
    for name, content in results().items():
        lies = path.parent / ("parts/part.parquet" if name == "part.parquet" else name)
        lies.write_bytes(path.read_bytes() if name == path.name else content)
    batch = SimpleNamespace(id="part")
    if folder.is_generated(batch):  # type: ignore[arg-type]
        folder.has_sounds(batch)  # type: ignore[arg-type]
    mean_traces(path.parent)
    recorded(path.parent, 0)


@cache
def caches() -> dict[str, bytes]:
    """One of each: an entry in safetensors, a judgement, and the numbers of a JSON index."""
    from safetensors.numpy import save

    prints = np.ones((2, 64), np.float16)
    items = {"ids": ["a", "b"], "prompts": ["a bell", "b"], "seconds_start": [0.0, 0.0],
             "seconds_total": [1.0, 2.0], "embedder": None, "dimension": 3}  # fmt: skip
    return {
        "entry.safetensors": save({"prints": prints, "seconds": np.array(2.0)}),
        "judgement.json": json.dumps(asdict(_judged())).encode(),
        "items.json": json.dumps(items).encode(),
        "unit.f32": np.ones((2, 3), np.float32).tobytes(),
        "exact.f64": np.ones((2, 3), np.float64).tobytes(),
    }


def _judged() -> Any:
    from unheard.auditing.results import FileAudit, Match, Part

    match = Match(
        reference="00001", reference_path=None, caption="a bell", verdict="copy", score=6.0, score_needed=1.6,
        score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=2e-6,
        evidence=(Part("altered copies", 20.0, 1e-5),), start=0.75, end=2.25, reference_start=0.25,
        reference_end=1.75, share=0.6, shift=0.5, stretch=1.0, transposition=0.0, embedding_similarity=None,
        found_by=("fingerprint",),
    )  # fmt: skip
    return FileAudit("a.wav", "copy", matches=(match,))


def read_cache(path: Path) -> None:
    {
        "entry.safetensors": _read_entry,
        "judgement.json": _read_judgement,
    }.get(path.name, _read_numbers)(path)


def _read_entry(path: Path) -> None:
    from unheard.auditing.fingerprint_cache import fingerprint_files

    cache = fingerprint_files(path.parent)
    cache.folder.mkdir()
    path.rename(cache.folder / path.name)
    cache.read(path.stem)


def _read_judgement(path: Path) -> None:
    from unheard.auditing.judgements import Judgements
    from unheard.auditing.results import Audit

    (sound := path.parent / "a.wav").write_bytes(given.sounds()["b.wav"])
    catalogue = SimpleNamespace(
        ids=["00001"], captions=["a bell"], seconds=[1.0], prints=np.ones(1), paths=[Path("b.wav")],
        number=["00001"].index,
    )  # fmt: skip
    auditor: Any = SimpleNamespace(
        joint=SimpleNamespace(kinds=[]), likenesses=[], embedder=None, index=None, k=5, catalogue=catalogue,
        judge=lambda path: _judged(),
    )  # fmt: skip
    judgements = Judgements(auditor, path.parent / "judgements")
    judgements.judge(sound)
    (entry,) = (path.parent / "judgements").rglob("*.json")
    path.replace(entry)
    audit = Audit((judgements.judge(sound),), {})
    json.dumps([audit.verdict, asdict(audit)])


def _read_numbers(path: Path) -> None:
    """Of a JSON file that is large enough to be cached."""
    import torch

    from unheard.index import Index

    folder = path.parent
    os.environ["XDG_CACHE_HOME"] = str(folder)
    content = given.published()["index.json"] + b" " * (1 << 20)
    (folder / "index.json").write_bytes(content)
    held = folder / "unheard/json-indexes" / hashlib.sha256(content).hexdigest()
    held.mkdir(parents=True)
    for name in ("items.json", "unit.f32", "exact.f64"):
        (held / name).write_bytes(path.read_bytes() if name == path.name else caches()[name])
    index = Index.open(folder / "index.json")
    for item, _ in index.nearest(torch.ones(index.dimension), 2):
        item.prompt.encode("utf-8")


@cache
def stores() -> dict[str, bytes]:
    """An index on disk with fingerprints beside it. Lance gives its files other names each time."""
    import pyarrow as pa

    from unheard.index.store.embedder_record import EmbedderRecord
    from unheard.index.store.fingerprints import FingerprintTable, Prints
    from unheard.index.store.rows import schema
    from unheard.index.store.table import Store

    def row(identifier: str) -> dict[str, Any]:
        return {"id": identifier, "window": 0, "window_start": 0.0, "window_end": 1.0,
                "embedding": [1.0, 0, 0], "prompt": "a bell", "seconds_start": 0.0, "seconds_total": 1.0,
                "content_sha256": "0" * 64, "source": "/a.wav", "silent": False, "further": None}  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        uri = Path(folder) / "store"
        store = Store.create(uri, EmbedderRecord("guide", 3))
        for identifier in "ab":
            store.append(pa.Table.from_pylist([row(identifier)], schema=schema(3)))
        vectors, at = np.ones((5, 6), np.int8), np.arange(5, dtype=np.int32)
        made = Prints(np.ones((2, 3), np.float16), np.ones((2, 4), np.int32), vectors, at, 1.0)
        FingerprintTable(store.uri).add("test", {"0" * 64: made})
        store.remove(["b"])
        files = [path for path in uri.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def read_store(path: Path) -> None:
    import torch

    from unheard import index
    from unheard.index.store.fingerprints import FingerprintTable

    uri = path
    while uri.name != "store":
        uri = uri.parent
    for name, content in stores().items():
        if not (lies := uri.parent / name).exists():
            lies.parent.mkdir(parents=True, exist_ok=True)
            lies.write_bytes(content)
    problems = index.verify(uri)
    assert all("\n" not in problem for problem in problems)
    with suppress(UnheardError):
        FingerprintTable(str(uri)).read("test")
    opened = index.Index.open(uri)
    opened.nearest(torch.ones(opened.dimension), 2)


def read_take(path: Path) -> None:
    from unheard.studio.takes import Takes, read_sound

    (path.parent / "take-1.wav").write_bytes(given.sounds()["b.wav"])
    for take in Takes(path.parent).all():
        for each in take.paths.values():
            sound = read_sound(each, {})
            json.dumps([sound.outcome, sound.acted, sound.faults, [item.record() for item in sound.nearest]])
        json.dumps([take.record["prompt"], take.record["seed"]])


FAMILIES = {
    "provenance": Family(records, read_record),
    "calibrations": Family(calibrations, read_calibration),
    "audits": Family(audits, read_audit),
    "takes": Family(takes, read_take),
    "results": Family(results, read_results),
    "caches": Family(caches, read_cache, text=False),
    "stores": Family(stores, read_store, text=False),
}
