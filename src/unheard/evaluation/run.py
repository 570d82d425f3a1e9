"""Runs an experiment: generates what is lacking, judges what is not judged, merges both; resumes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.common.files import check_folder, write_whole
from unheard.common.progress import Report
from unheard.common.structured_files import read_json
from unheard.common.texts import json_bytes
from unheard.errors import InputError, said
from unheard.evaluation import code_version, columns
from unheard.evaluation.batch import Batch, Row
from unheard.evaluation.engine import Engine
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine
from unheard.evaluation.results_folder import GENERATIONS, ResultsFolder, write_table

MANIFEST = "manifest.json"
"""What was asked for, versions and hashes."""


@dataclass(frozen=True)
class Results:
    """What an experiment came to.

    Attributes:
        table: its rows, see `columns.ROWS`.
        held_out: embeddings of the held-out sounds by the judge, [sounds, dimension]; None for none.
        references: see `LocalEngine.references`.
    """

    table: pa.Table
    held_out: np.ndarray | None
    references: dict[str, dict[str, int]]


def evaluate(
    experiment: Experiment, out: Path, progress: Report | None = None, engine: Engine | None = None
) -> Results:
    """Generate and judge what is not there yet, and write `generations.parquet` and `manifest.json`.

    Args:
        experiment: with settings.
        out: the folder of results.
        progress: called with how many sounds are through, how many there are, and what is done with them.
        engine: what generates and judges the batches; None for this process.

    Raises:
        InputError: the experiment has no settings, something it names cannot be used, or nothing can be
            written to the folder.
    """
    if not experiment.settings:
        raise InputError("the experiment has nothing to compare: give [settings.NAME], or use unheard tune")
    check_folder(out)
    local = LocalEngine(experiment, progress)
    local.warn_of_left_out()
    folder = ResultsFolder(out)
    held_out, references = local.held_out(), local.references()
    manifest = {
        "experiment": asdict(experiment),
        "identity": local.identity(),
        "references": references,
        "machine": local.machine(),
    }
    table = run_settings(local, list(experiment.settings), folder, progress, engine)
    write_table(out / GENERATIONS, table, {columns.EXPERIMENT: manifest["experiment"]})
    write_whole(out / MANIFEST, json_bytes(json.dumps(manifest, indent=1, ensure_ascii=False)))
    return Results(table, held_out, references)


def goes_on(experiment: Experiment, out: Path) -> bool:
    """Whether an experiment asks for all sounds of the one that was finished in a folder, if one was.

    Settings may have other names, and what judges the sounds may be another.

    Raises:
        InputError: the folder's manifest is damaged.
    """
    try:
        there = _asked(read_json(out / MANIFEST)["experiment"])
        here = _asked(json.loads(json.dumps(asdict(experiment))))
        return all(one in now for now, before in zip(here, there, strict=True) for one in before)
    except FileNotFoundError:  # nothing was finished there
        return True
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"cannot read {out / MANIFEST} ({said(error)}): move it away") from error


def _asked(experiment: Mapping[str, Any]) -> Iterator[Collection[Any]]:
    """What the sounds of an experiment are of, as JSON has it."""
    yield experiment["settings"].values()
    yield from (experiment[name] for name in ("prompts", "seeds"))


def run_settings(
    local: LocalEngine,
    settings: Sequence[str],
    folder: ResultsFolder,
    progress: Report | None = None,
    engine: Engine | None = None,
) -> pa.Table:
    """The rows of some settings, in order; what lies in the folder is not generated or judged again.

    A batch in which a sound failed is tried again.
    """
    batches = list(local.batches(settings))
    different = _different(batches)
    judgements = {batch.id: local.judges(batch.setting).judgement_id(batch) for batch in batches}
    working = engine or local
    folder.make()

    def is_judged(batch: Batch) -> bool:
        return folder.is_judged(judgements[batch.id])

    lacking = [
        batch
        for batch in different
        if not folder.is_generated(batch) or not (is_judged(batch) or folder.has_sounds(batch))
    ]
    count = _Count("generating", different, lacking, progress)
    for batch, generated in working.generate(lacking):
        folder.write_part(batch, generated)
        count.through(batch)

    lacking = [batch for batch in different if not is_judged(batch)]
    count = _Count("judging", different, lacking, progress)
    for batch, rows in working.judge(lacking, folder.generated):
        folder.write_judgement(judgements[batch.id], rows)
        count.through(batch)

    origins = ((folder.origin(batch.id), len(batch)) for batch in different)
    code_version.warn_of_several(origins, folder.parts)
    return pa.Table.from_pylist(
        [
            row | {"model": local.model(batch.setting), "trace_measure": _measures(local, batch.setting, row)}
            for batch in batches
            for row in folder.rows(batch, judgements[batch.id])
        ],
        schema=columns.ROWS,
    )


class _Count:
    """Sounds that are through, and how many there are."""

    def __init__(
        self, note: str, batches: Sequence[Batch], lacking: Sequence[Batch], progress: Report | None
    ) -> None:
        self._note, self._progress = note, progress
        self._total = sum(map(len, batches))
        self._done = self._total - sum(map(len, lacking))
        self._report()

    def through(self, batch: Batch) -> None:
        self._done += len(batch)
        self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._note)


def _different(batches: Iterable[Batch]) -> list[Batch]:
    """Batches without those that give the same sounds under another setting's name."""
    return list({batch.id: batch for batch in batches}.values())


def _measures(local: LocalEngine, setting: str, row: Row) -> list[str | None] | None:
    """What each value of a trace measures; where a part is too old to say so, what its setting measures."""
    trace = row["trace_similarity"]
    if trace is None or row.get("trace_measure") is not None:
        return row.get("trace_measure")
    return [local.generator(setting).measure(setting)] * len(trace)
