"""Runs an experiment: generates what is lacking, judges what is not judged, merges both; resumes.

A batch is a Parquet file in `parts` with its sounds in `sounds`, and one in `judgements` for each who judged
it. Generating costs much more than judging, so other judges, another calibration of the audit or another
bound find the sounds there.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unheard.auditing.catalogue import Catalogue
from unheard.backbones.hub import fetch
from unheard.common.files import write_whole
from unheard.common.progress import Report
from unheard.embedders import load_embedder
from unheard.errors import InputError
from unheard.evaluation import code_version, generating, held_out, judging
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generating import Batch, Made, Studio, training_set
from unheard.evaluation.judging import Jury
from unheard.evaluation.metrics import OF_SETS
from unheard.generation import provenance

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("model", "setting", "prompt", "group")]
    + [(name, pa.string()) for name in ("batch", "audio", "audio_sha256")]
    + [("seed", pa.int64()), ("position", pa.int64()), ("verdict", pa.string()), ("replays", pa.string())]
    + [("replicated", pa.bool_()), ("replicated_target", pa.bool_()), ("acted", pa.int64())]
    + [(f"{ear}_{what}_similarity", pa.float64())
       for ear in ("guide", "judge") for what in ("target", "nearest", "replication")]
    + [(name, pa.float64()) for name in ("score", "clap_score", "seconds", "judging_seconds", "peak_memory")]
    + [("embedding", pa.list_(pa.float32())), ("trace_similarity", pa.list_(pa.float64()))]
    + [("batch_prompts", pa.list_(pa.string())), ("batch_seeds", pa.list_(pa.int64())),
       ("duration", pa.float64()), ("error", pa.string())]
)  # fmt: skip
"""A row a sound: what it was made from, and what the witnesses say."""

ORIGIN = "origin"
"""The metadata of a part that tell what it was made of and on, in JSON."""
EXPERIMENT = "experiment"
"""The metadata of the rows that tell what experiment they belong to, in JSON."""

NAMED = 3
"""References left out that a warning names."""


class Engine(Protocol):
    """Who generates and judges: this process (`Bench`), or many machines."""

    def make(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Made]]:
        """Generate batches; each is given back as soon as it is there, in any order."""

    def judge(
        self, batches: Sequence[Batch], made: Callable[[Batch], Made]
    ) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
        """Judge batches, which `made` reads; each is given back with its rows, in any order."""


class Bench:
    """Loaded models with the witnesses that judge their sounds; the engine of this process."""

    def __init__(self, experiment: Experiment, progress: Report | None = None) -> None:
        self.experiment, self._progress = experiment, progress
        index = training_set(experiment)
        self._studios = {name: Studio.of(experiment, name, index) for name in experiment.models}
        first = experiment.models[0]
        own = fetch(first) / "judge"
        judge = experiment.judge or (str(own) if own.is_dir() else None)
        device = self._studios[first].model.backbone.device
        self.judging = None if judge is None else load_embedder(judge, device=device)
        self._juries = {
            name: Jury(
                studio.model, studio.index, self.judging, experiment.references, experiment.bound,
                self._hearing("references"),
            )
            for name, studio in self._studios.items()
        }  # fmt: skip
        self._models: dict[str, str] = {}
        for name, setting in experiment.settings.items():
            self.add(name, setting)

    def add(self, name: str, setting: Mapping[str, Any]) -> None:
        """One more setting, as a table; of the first model if it names none."""
        self._models[name] = setting.get("model", self.experiment.models[0])
        self.studio(name).add(name, setting)

    def model(self, setting: str) -> str:
        """The name of a setting's model."""
        return self._models[setting]

    def studio(self, setting: str) -> Studio:
        """Where sounds of a setting are made."""
        return self._studios[self._models[setting]]

    def jury(self, setting: str) -> Jury:
        """Who judges sounds of a setting."""
        return self._juries[self._models[setting]]

    def held_out(self) -> np.ndarray | None:
        """The held-out sounds as the judge hears them; None where they are not asked for, or no judge."""
        place = self.experiment.held_out
        if place is None or self.judging is None or not {*OF_SETS} & {*self.experiment.metrics}:
            return None
        return held_out.embed(place, self.judging, self._hearing("held-out sounds"))

    def _hearing(self, what: str) -> Report | None:
        return None if self._progress is None else partial(self._progress, note=f"embedding {what}")

    def identity(self) -> dict[str, Any]:
        """What rows depend on besides their own batch, by the model's name."""
        return {
            name: studio.identity() | self._juries[name].identity() for name, studio in self._studios.items()
        }

    def references(self) -> dict[str, dict[str, int]]:
        """How many references the audit uses, and how many it has to leave out, by the model's name."""
        return {
            name: {"used": len(catalogue), "left_out": len(catalogue.left_out)}
            for name, catalogue in self._catalogues().items()
        }

    def warn_of_left_out(self) -> None:
        """Warn of references that cannot be used: what replays them is not found."""
        catalogues = self._catalogues().values()
        # Models that share their references share the warning.
        for warning in dict.fromkeys(_left_out(each) for each in catalogues if each.left_out):
            warnings.warn(warning, stacklevel=2)

    def _catalogues(self) -> dict[str, Catalogue]:
        return {name: jury.witness.catalogue for name, jury in self._juries.items()}

    def machine(self) -> dict[str, Any]:
        """What works here, see `unheard.generation.provenance.machine`."""
        backbone = self._studios[self.experiment.models[0]].model.backbone
        return provenance.machine(backbone.device, backbone.dtype)

    def batches(self, settings: Sequence[str]) -> Iterator[Batch]:
        """All batches, seed by seed; the settings of a batch one after another."""
        experiment = self.experiment
        pairs = [(prompt, seed) for seed in experiment.seeds for prompt in experiment.prompts]
        for duration in sorted({p.duration for p in experiment.prompts}, key=lambda d: (d is None, d or 0)):
            same = [pair for pair in pairs if pair[0].duration == duration]
            for start in range(0, len(same), experiment.batch):
                prompts, seeds = zip(*same[start : start + experiment.batch], strict=True)
                for setting in settings:
                    yield self.studio(setting).batch(setting, prompts, seeds)

    def make(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Made]]:
        for batch in batches:
            yield batch, self.studio(batch.setting).make(batch)

    def judge(
        self, batches: Sequence[Batch], made: Callable[[Batch], Made]
    ) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
        for batch in batches:
            yield batch, self.jury(batch.setting).hear(batch, made(batch))


class Folder:
    """A folder of results: what was made and judged, written wholly or not at all.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self.path = out
        try:
            for name in ("parts", "judgements", "sounds"):
                (out / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {out}: {error.strerror}; choose another place") from error

    def part(self, batch: Batch) -> Path:
        return self.path / "parts" / f"{batch.id}.parquet"

    def judgement(self, name: str) -> Path:
        return self.path / "judgements" / f"{name}.parquet"

    def write_part(self, batch: Batch, made: Made) -> None:
        """The sounds first, so that a part that is there has its sounds; what was said of others goes."""
        for judgement in (self.path / "judgements").glob(f"{batch.id}-*.parquet"):
            judgement.unlink()
        for path, sound in made.sounds.items():
            write_whole(self.path / path, sound)
        table = pa.Table.from_pylist(made.rows, schema=generating.SCHEMA)
        table = table.replace_schema_metadata({ORIGIN: json.dumps(made.origin)})
        write_whole(self.part(batch), _parquet(table))

    def write_judgement(self, name: str, rows: list[dict[str, Any]]) -> None:
        write_whole(self.judgement(name), _parquet(pa.Table.from_pylist(rows, schema=judging.SCHEMA)))

    def is_made(self, batch: Batch) -> bool:
        """Whether all sounds of a batch were made."""
        if not self.part(batch).is_file():
            return False
        errors = pq.read_table(self.part(batch), columns=["error"])["error"]
        return errors.null_count == len(errors)

    def has_sounds(self, batch: Batch) -> bool:
        """Whether the sounds of a batch that was made can still be judged."""
        paths = pq.read_table(self.part(batch), columns=["audio"])["audio"].to_pylist()
        return all((self.path / path).is_file() for path in paths if path is not None)

    def made(self, batch: Batch) -> Made:
        """What became of a batch, read back."""
        table = pq.read_table(self.part(batch))
        rows = table.to_pylist()
        paths = [row["audio"] for row in rows if row["audio"] is not None]
        sounds = {path: (self.path / path).read_bytes() for path in paths}
        return Made(rows, sounds, self.origin(batch.id))

    def origin(self, part: str) -> dict[str, Any]:
        """What a batch was made of and on, by its id.

        Raises:
            InputError: it is no longer there.
        """
        path = self.path / "parts" / f"{part}.parquet"
        try:
            metadata = pq.read_schema(path).metadata
        except OSError as error:
            raise InputError(f"cannot read {path} ({error}): run unheard evaluate there again") from error
        return json.loads(metadata[ORIGIN.encode()])

    def rows(self, batch: Batch, judgement: str) -> list[dict[str, Any]]:
        """What was made, what was said of it, and how it is called here."""
        made = pq.read_table(self.part(batch)).to_pylist()
        judged = pq.read_table(self.judgement(judgement)).to_pylist()
        return [
            {**of_sound, **of_jury, "setting": batch.setting, "group": prompt.group, "batch": batch.id}
            for of_sound, of_jury, prompt in zip(made, judged, batch.prompts, strict=True)
        ]


@dataclass(frozen=True)
class Results:
    """What an experiment came to.

    Attributes:
        table: its rows.
        held_out: the held-out sounds as the judge hears them, [sounds, dimension]; None for none.
        references: see `Bench.references`.
        heard: what the guidance of a setting hears at each step, which `trace_similarity` has, in words; of
            those that hear something.
    """

    table: pa.Table
    held_out: np.ndarray | None
    references: dict[str, dict[str, int]]
    heard: dict[str, str]


def evaluate(
    experiment: Experiment, out: Path, progress: Report | None = None, engine: Engine | None = None
) -> Results:
    """Make and judge what is not there yet, and write `generations.parquet` and `manifest.json`.

    Args:
        experiment: with settings.
        out: the folder of results.
        progress: called with how many sounds are through, how many there are, and what is done with them.
        engine: what makes and judges the batches; None for this process.

    Raises:
        InputError: the experiment has no settings, or something it names cannot be used.
    """
    if not experiment.settings:
        raise InputError("the experiment has nothing to compare: give [settings.NAME], or use unheard tune")
    bench = Bench(experiment, progress)
    bench.warn_of_left_out()
    folder = Folder(out)
    unseen, references = bench.held_out(), bench.references()
    manifest = {
        "experiment": asdict(experiment),
        "identity": bench.identity(),
        "references": references,
        "machine": bench.machine(),
    }
    table = make(bench, list(experiment.settings), folder, progress, engine)
    table = table.replace_schema_metadata({EXPERIMENT: json.dumps(manifest["experiment"])})
    write_whole(out / "generations.parquet", _parquet(table))
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    heard = {name: bench.studio(name).hears(name) for name in experiment.settings}
    named = {name: what for name, what in heard.items() if what is not None}
    return Results(table, unseen, references, named)


def make(
    bench: Bench,
    settings: Sequence[str],
    folder: Folder,
    progress: Report | None = None,
    engine: Engine | None = None,
) -> pa.Table:
    """The rows of some settings, in order; what lies in the folder is not made or judged again.

    A batch in which a sound failed is tried again.
    """
    batches = list(bench.batches(settings))
    different = _different(batches)
    names = {batch.id: bench.jury(batch.setting).judgement(batch) for batch in batches}
    working = engine or bench

    def is_judged(batch: Batch) -> bool:
        return folder.judgement(names[batch.id]).is_file()

    unmade = [
        batch
        for batch in different
        if not folder.is_made(batch) or not (is_judged(batch) or folder.has_sounds(batch))
    ]
    count = _Count("generating", different, unmade, progress)
    for batch, made in working.make(unmade):
        folder.write_part(batch, made)
        count.through(batch)
    unjudged = [batch for batch in different if not is_judged(batch)]
    count = _Count("judging", different, unjudged, progress)
    for batch, rows in working.judge(unjudged, folder.made):
        folder.write_judgement(names[batch.id], rows)
        count.through(batch)
    of_parts = ((folder.origin(batch.id), len(batch.prompts)) for batch in different)
    code_version.warn_of_several(of_parts, folder.path / "parts")
    rows = [
        row | {"model": bench.model(batch.setting)}
        for batch in batches
        for row in folder.rows(batch, names[batch.id])
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


class _Count:
    """Sounds that are through, and how many there are."""

    def __init__(
        self, doing: str, batches: Sequence[Batch], lacking: Sequence[Batch], progress: Report | None
    ) -> None:
        self._doing, self._progress = doing, progress
        self._total = sum(len(batch.prompts) for batch in batches)
        self._done = self._total - sum(len(batch.prompts) for batch in lacking)
        self._say()

    def through(self, batch: Batch) -> None:
        self._done += len(batch.prompts)
        self._say()

    def _say(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._doing)


def _left_out(catalogue: Catalogue) -> str:
    """How many references are left out, and the first of them with the reasons."""
    count = len(catalogue.left_out)
    reasons = [f"{name} ({reason})" for name, reason in islice(catalogue.left_out.items(), NAMED)]
    more = f", and {count - NAMED:,} more" if count > NAMED else ""
    return (
        f"{catalogue.name}: {count:,} of {len(catalogue) + count:,} reference(s) left out, and what replays "
        f"them is not found: {', '.join(reasons)}{more}"
    )


def _different(batches: Iterable[Batch]) -> list[Batch]:
    """Batches without those that give the same sounds under another setting's name."""
    return list({batch.id: batch for batch in batches}.values())


def _parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()
