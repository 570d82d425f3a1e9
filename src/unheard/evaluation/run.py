"""Runs an experiment: a Parquet part and the sounds of each batch, merged at the end; resumes."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch

from unheard import audio, provenance
from unheard.auditing import as_bad_as
from unheard.auditing.at_hand import catalogue_at_hand, fingerprints_folder
from unheard.auditing.witness import Witness
from unheard.embedders import load_embedder
from unheard.errors import GuidanceError, InputError, ModelError
from unheard.evaluation import held_out
from unheard.evaluation.experiment import Experiment, as_options
from unheard.evaluation.metrics import memory
from unheard.evaluation.metrics.similarity import replication_similarity, to_nearest
from unheard.evaluation.prompts import Prompt
from unheard.files import write_whole
from unheard.generate import load
from unheard.models import fetch
from unheard.settings import describe_guidance

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("setting", "prompt", "group", "batch", "audio", "audio_sha256")]
    + [("seed", pa.int64()), ("position", pa.int64()), ("verdict", pa.string()), ("replays", pa.string())]
    + [("replicated", pa.bool_()), ("replicated_target", pa.bool_()), ("acted", pa.int64())]
    + [(f"{ear}_{what}_similarity", pa.float64())
       for ear in ("guide", "judge") for what in ("target", "nearest", "replication")]
    + [(name, pa.float64()) for name in ("score", "clap_score", "seconds", "judging_seconds", "peak_memory")]
    + [("embedding", pa.list_(pa.float32())), ("trace_similarity", pa.list_(pa.float64()))]
    + [("batch_prompts", pa.list_(pa.string())), ("batch_seeds", pa.list_(pa.int64())),
       ("duration", pa.float64()), ("error", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Sounds made together, by the place of their setting; every setting has the same batches."""

    id: str
    setting: str
    prompts: tuple[Prompt, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Made:
    """The rows of a batch, and the FLAC files of its sounds by their paths in the folder of results."""

    rows: list[dict[str, Any]]
    sounds: dict[str, bytes]


Engine = Callable[[Sequence[Batch]], Iterator[tuple[Batch, Made]]]
"""Makes batches, and gives each back with what it is, in any order."""


class Bench:
    """A loaded model with the witnesses that judge its sounds."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.model = load(experiment.model)
        defaults = self.model.defaults
        own = fetch(experiment.model) / "judge"
        judge = experiment.judge or (str(own) if own.is_dir() else None)
        self.judge = None if judge is None else load_embedder(judge, device=self.model.backbone.device)
        catalogue = catalogue_at_hand(
            experiment.references, self.model.index, defaults.references, fingerprints=fingerprints_folder()
        )
        index = self.model.index
        self.witness = Witness(
            catalogue, index=index, embedder=None if index is None else self.model.embedder
        )
        self.heard = self._references()
        self.options = {name: experiment.options(name, defaults) for name in experiment.settings}

    def add(self, name: str, setting: Mapping[str, Any]) -> None:
        """One more setting, as a table."""
        self.options[name] = as_options(setting, self.model.defaults)

    def held_out(self, cache: Path) -> np.ndarray | None:
        """The held-out sounds as the judge hears them; None where there are none, or no judge."""
        place = self.experiment.held_out
        return None if place is None or self.judge is None else held_out.embed(place, self.judge, cache)

    def _references(self) -> np.ndarray:
        """The audit's references as the judge hears them, [references, dimension]."""
        if self.judge is None:
            return np.empty((0, 1))
        catalogue = self.witness.catalogue
        return held_out.heard((catalogue.read(name) for name in catalogue.ids), self.judge)

    def identity(self) -> dict[str, Any]:
        """What rows depend on besides their own batch."""
        return {
            "model": self.model.backbone.fingerprint,
            "embedder": getattr(self.model.embedder, "sha256", None),
            "index": None if self.model.index is None else self.model.index.sha256,
            "judge": getattr(self.judge, "sha256", None),
            "references": hashlib.sha256(self.witness.catalogue.prints.tobytes()).hexdigest(),
            "bound": self.experiment.bound,
        }

    def batches(self, settings: Sequence[str]) -> Iterator[Batch]:
        """All batches, seed by seed; the settings of a batch one after another."""
        experiment, identity = self.experiment, self.identity()
        pairs = [(prompt, seed) for seed in experiment.seeds for prompt in experiment.prompts]
        for duration in sorted({p.duration for p in experiment.prompts}, key=lambda d: (d is None, d or 0)):
            same = [pair for pair in pairs if pair[0].duration == duration]
            for start in range(0, len(same), experiment.batch):
                prompts, seeds = zip(*same[start : start + experiment.batch], strict=True)
                for setting in settings:
                    options = {**self.options[setting]}
                    options["guidance"] = describe_guidance(options["guidance"])
                    asked = [identity, setting, options, [asdict(p) for p in prompts], seeds]
                    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
                    yield Batch(digest, setting, prompts, seeds)

    def generate(self, batch: Batch) -> list[Any]:
        return self.model.generate(
            [prompt.text for prompt in batch.prompts], seed=list(batch.seeds), batch=len(batch.prompts),
            duration=batch.prompts[0].duration, references=self.experiment.references,
            **self.options[batch.setting],
        )  # fmt: skip

    def rows(self, batch: Batch) -> Made:
        """Generate and judge; where a batch fails, each of its sounds alone, and those that fail say why."""
        try:
            return self._rows(batch)
        except (GuidanceError, ModelError, InputError) as error:
            if len(batch.prompts) > 1:
                alone = (
                    replace(batch, prompts=(prompt,), seeds=(seed,))
                    for prompt, seed in zip(batch.prompts, batch.seeds, strict=True)
                )
                made = [self.rows(one) for one in alone]
                return Made(
                    [row for one in made for row in one.rows],
                    {path: sound for one in made for path, sound in one.sounds.items()},
                )
            return Made([{**self._asked(batch, 0), "error": str(error)}], {})

    def here(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Made]]:
        """The engine of this process."""
        for batch in batches:
            yield batch, self.rows(batch)

    def _asked(self, batch: Batch, position: int) -> dict[str, Any]:
        prompt = batch.prompts[position]
        return {
            "setting": batch.setting, "prompt": prompt.text, "group": prompt.group, "batch": batch.id,
            "seed": batch.seeds[position], "position": position, "duration": prompt.duration,
            "batch_prompts": [each.text for each in batch.prompts], "batch_seeds": list(batch.seeds),
        }  # fmt: skip

    @torch.no_grad()
    def _rows(self, batch: Batch) -> Made:
        device = self.model.backbone.device
        measurable = memory.reset_peak(device)
        began = time.perf_counter()
        sounds = self.generate(batch)
        generated = time.perf_counter()
        held = memory.peak(device) if measurable else None
        rate, waveforms = sounds[0].sample_rate, torch.stack([sound.waveform for sound in sounds])
        heard = said = None
        if self.judge is not None:
            heard = self.judge.embed_audio(waveforms.to(device), rate).cpu().numpy()
            said = self.judge.embed_text([prompt.text for prompt in batch.prompts]).cpu().numpy()
        guided = None
        if self.model.index is not None:
            guided = self.model.embedder.embed_audio(waveforms.to(device), rate).cpu().numpy()
        rows, flacs = [], {}
        for position, (sound, prompt) in enumerate(zip(sounds, batch.prompts, strict=True)):
            audit = self.witness.judge((sound.waveform, rate))
            judged = audit.verdict != "not judged"
            ours = [m.verdict for m in audit.matches if _item(m.reference) in prompt.targets]
            bound = self.experiment.bound
            path = f"sounds/{batch.id}-{batch.seeds[position]}-{position}.flac"
            flacs[path] = _flac(sound.waveform, rate)
            row = self._asked(batch, position) | {
                "audio": path, "audio_sha256": audio_hash(sound), "verdict": audit.verdict,
                "score": audit.score if judged else None, "acted": sound.acted,
                "replays": audit.matches[0].reference if audit.matches else None,
                "replicated": as_bad_as(audit.verdict, bound) if judged else None,
                "replicated_target": any(as_bad_as(verdict, bound) for verdict in ours)
                if judged and prompt.targets else None,
                "trace_similarity": [step.similarity for step in sound.trace],
            }  # fmt: skip
            if guided is not None and (index := self.model.index) is not None:
                few = set(prompt.targets)
                places = [place for place, name in enumerate(index.ids) if name in few] if few else []
                items = index.vectors(torch.tensor(places, dtype=torch.long)).cpu().numpy()
                row |= _similarities("guide", guided[position], items, sound.nearest[0].similarity)
            if heard is not None and said is not None:
                row["clap_score"] = float(heard[position] @ said[position])
                row["embedding"] = heard[position].tolist()
                own = [
                    n for n, name in enumerate(self.witness.catalogue.ids) if _item(name) in prompt.targets
                ]
                nearest = float(to_nearest(heard[position : position + 1], self.heard)[0][0])
                row |= _similarities("judge", heard[position], self.heard[own], nearest)
            rows.append(row)
        judging = time.perf_counter() - generated
        cost = {
            "seconds": (generated - began) / len(rows), "judging_seconds": judging / len(rows),
            "peak_memory": held,
        }  # fmt: skip
        return Made([row | cost for row in rows], flacs)


@dataclass(frozen=True)
class Results:
    """The rows of an experiment, and the held-out sounds as the judge hears them, [sounds, dimension]."""

    table: pa.Table
    held_out: np.ndarray | None


def evaluate(
    experiment: Experiment,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> Results:
    """Make what is not made yet, and write `generations.parquet` and `manifest.json` into a folder.

    Args:
        experiment: with settings.
        out: the folder of results.
        progress: called with how many sounds are there, and how many there will be.
        engine: what makes the batches; None for this process.

    Raises:
        InputError: the experiment has no settings, or something it names cannot be used.
    """
    if not experiment.settings:
        raise InputError("the experiment has nothing to compare: give [settings.NAME], or use unheard tune")
    bench = Bench(experiment)
    make_folders(out)
    unseen = bench.held_out(out)
    manifest = {
        "experiment": asdict(experiment), "identity": bench.identity(),
        "machine": provenance.machine(bench.model.backbone.device, bench.model.backbone.dtype),
    }  # fmt: skip
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    table = make(bench, list(experiment.settings), out, progress, engine)
    write_whole(out / "generations.parquet", _parquet(table))
    return Results(table, unseen)


def make(
    bench: Bench,
    settings: Sequence[str],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> pa.Table:
    """The rows of some settings, in order; each batch is a file in `parts`, made only where it lacks."""
    batches = list(bench.batches(settings))
    parts = {batch.id: out / "parts" / f"{batch.id}.parquet" for batch in batches}
    lacking = [batch for batch in batches if not parts[batch.id].is_file()]
    total = sum(len(batch.prompts) for batch in batches)
    done = total - sum(len(batch.prompts) for batch in lacking)
    for batch, made in (engine or bench.here)(lacking):
        for path, sound in made.sounds.items():
            write_whole(out / path, sound)
        write_whole(parts[batch.id], _parquet(pa.Table.from_pylist(made.rows, schema=SCHEMA)))
        done += len(batch.prompts)
        if progress is not None:
            progress(done, total)
    return pa.concat_tables(pq.read_table(part) for part in parts.values())


def make_folders(out: Path) -> None:
    """The folder of results, with those of its parts and sounds.

    Raises:
        InputError: it cannot be made.
    """
    try:
        for name in ("parts", "sounds"):
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}; choose another place") from error


def again(out: Path, row: int) -> tuple[str, str]:
    """Make a row's batch again; the audio hash as recorded, and as it is now."""
    stored = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["experiment"]
    prompts = tuple(Prompt(**{**each, "targets": tuple(each["targets"])}) for each in stored["prompts"])
    experiment = Experiment(**{**stored, "prompts": prompts, "seeds": tuple(stored["seeds"])})
    rows = pq.read_table(out / "generations.parquet").to_pylist()
    if not 0 <= row < len(rows):
        raise InputError(f"row is {row}: {out} has rows 0 to {len(rows) - 1}")
    known, wanted = {prompt.text: prompt for prompt in prompts}, rows[row]
    together = tuple(known[text] for text in wanted["batch_prompts"])
    batch = Batch(wanted["batch"], wanted["setting"], together, tuple(wanted["batch_seeds"]))
    return wanted["audio_sha256"], audio_hash(Bench(experiment).generate(batch)[wanted["position"]])


def audio_hash(sound: Any) -> str:
    """SHA-256 of the float32 samples as decoded."""
    return hashlib.sha256(sound.waveform.contiguous().numpy().tobytes()).hexdigest()


def _similarities(ear: str, sound: np.ndarray, targets: np.ndarray, nearest: float) -> dict[str, Any]:
    target = to_nearest(sound[None], targets)[0]
    values = (float(target[0]), nearest, float(replication_similarity(target, np.array([nearest]))[0]))
    names = ("target", "nearest", "replication")
    pairs = zip(names, values, strict=True)
    return {f"{ear}_{name}_similarity": None if np.isnan(v) else v for name, v in pairs}


def _item(reference: str) -> str:
    """The item that a reference is of: in a folder of references, ids are file names."""
    return Path(reference).stem if Path(reference).suffix else reference


def _flac(waveform: torch.Tensor, rate: int) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, audio.peak_normalise(waveform).T.numpy(), rate, format="FLAC")
    return content.getvalue()


def _parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()

