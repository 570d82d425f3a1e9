"""The models of an experiment with the judges of their sounds, loaded; the engine of this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from unheard.auditing.catalogue import Catalogue
from unheard.backbones.hub import fetch
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.embedders import Embedder, load_embedder
from unheard.evaluation import held_out
from unheard.evaluation.batch import Batch, Generated, Row
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator, open_index
from unheard.evaluation.judges import Judges
from unheard.evaluation.listener import Listener
from unheard.evaluation.metrics import OF_SETS
from unheard.evaluation.ordinary import OrdinarySounds
from unheard.generation import provenance

UNJUDGED = (
    "without recordings no copy is found: the audit's verdicts, what the judge compares with recordings, and "
    "the likeness to the own recording are left open; the similarities of the embeddings and the adherence "
    "to the prompts are reported"
)
NAMED = 3
"""References left out that a warning names."""


class LocalEngine:
    """Generates and judges in this process, and knows what every sound and judgement depends on.

    Args:
        experiment: whose models are loaded.
        progress: called while the judge embeds references and held-out sounds, with a note of which.
    """

    def __init__(self, experiment: Experiment, progress: Report | None = None) -> None:
        self.experiment, self._progress = experiment, progress
        index = open_index(experiment)
        self._generators = {name: Generator.of(experiment, name, index) for name in experiment.models}
        self.judge_embedder = self._load_judge()
        listener = self._load_listener()
        ordinary = None if experiment.held_out is None else OrdinarySounds.open(experiment.held_out)
        self._judges = {
            name: Judges(
                generator.model, generator.training_set, self.judge_embedder, listener, experiment.bound,
                ordinary, self._embedding("references"),
            )
            for name, generator in self._generators.items()
        }  # fmt: skip
        self._models: dict[str, str] = {}
        for name, setting in experiment.settings.items():
            self.add(name, setting)

    def _load_judge(self) -> Embedder | None:
        """The judge that the experiment names, or the first model's own; None where there is none."""
        first = self.experiment.models[0]
        own = fetch(first) / "judge"
        judge = self.experiment.judge or (str(own) if own.is_dir() else None)
        device = self._generators[first].model.backbone.device
        return None if judge is None else load_embedder(judge, device=device)

    def _load_listener(self) -> Listener | None:
        """The listener that the experiment names, or the first model's own; None where there is none."""
        first = self.experiment.models[0]
        own = fetch(first) / "listener"
        folder = self.experiment.listener or (own if own.is_dir() else None)
        device = self._generators[first].model.backbone.device
        return None if folder is None else Listener.load(folder, device=device)

    def _embedding(self, what: str) -> Report | None:
        return None if self._progress is None else partial(self._progress, note=f"embedding {what}")

    # --- settings and batches -----------------------------------------------------------------------------

    def add(self, name: str, setting: Mapping[str, Any]) -> None:
        """One more setting, as a table; of the first model if it names none."""
        self._models[name] = setting.get("model", self.experiment.models[0])
        self.generator(name).add(name, setting)

    def model(self, setting: str) -> str:
        """The name of a setting's model."""
        return self._models[setting]

    def generator(self, setting: str) -> Generator:
        """What makes the sounds of a setting."""
        return self._generators[self._models[setting]]

    def judges(self, setting: str) -> Judges:
        """Who judges the sounds of a setting."""
        return self._judges[self._models[setting]]

    def batches(self, settings: Sequence[str]) -> Iterator[Batch]:
        """All batches, seed by seed; the settings of a batch one after another."""
        experiment = self.experiment
        pairs = [(prompt, seed) for seed in experiment.seeds for prompt in experiment.prompts]
        for duration in sorted({p.duration for p in experiment.prompts}, key=lambda d: (d is None, d or 0)):
            same = [pair for pair in pairs if pair[0].duration == duration]
            for start in range(0, len(same), experiment.batch):
                prompts, seeds = zip(*same[start : start + experiment.batch], strict=True)
                for setting in settings:
                    yield self.generator(setting).batch(setting, prompts, seeds)

    # --- the work -----------------------------------------------------------------------------------------

    def generate(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Generated]]:
        for batch in batches:
            yield batch, self.generator(batch.setting).generate(batch)

    def judge(
        self, batches: Sequence[Batch], generated: Callable[[Batch], Generated]
    ) -> Iterator[tuple[Batch, list[Row]]]:
        for batch in batches:
            yield batch, self.judges(batch.setting).judge(batch, generated(batch))

    def held_out(self) -> np.ndarray | None:
        """Embeddings of the held-out sounds by the judge; None where they are not asked for, or no judge."""
        source = self.experiment.held_out
        if source is None or self.judge_embedder is None or not {*OF_SETS} & {*self.experiment.metrics}:
            return None
        return held_out.embed(source, self.judge_embedder, self._embedding("held-out sounds"))

    # --- what results depend on ---------------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """What rows depend on besides their own batch, by the model's name."""
        return {
            name: generator.identity() | self._judges[name].identity()
            for name, generator in self._generators.items()
        }

    def machine(self) -> dict[str, Any]:
        """What works here, see `unheard.generation.provenance.machine`."""
        return provenance.machine(self._generators[self.experiment.models[0]].model.backbone)

    def references(self) -> dict[str, dict[str, int]]:
        """How many references the audit uses, and how many it has to leave out, by the model's name."""
        found = {
            name: {"used": len(catalogue), "left_out": len(catalogue.left_out)}
            for name, catalogue in self._catalogues().items()
        }
        return {name: found.get(name, {"used": 0, "left_out": 0}) for name in self._judges}

    def warn_of_left_out(self) -> None:
        """Warn of references that cannot be used or are not there: what replays them is not found."""
        if self.unaudited is not None:
            warnings.warn(f"{UNJUDGED}. {self.unaudited}", stacklevel=2)
        catalogues = self._catalogues().values()
        # Models that share their references share the warning.
        for warning in dict.fromkeys(_left_out(each) for each in catalogues if each.left_out):
            warnings.warn(warning, stacklevel=2)

    @property
    def unaudited(self) -> str | None:
        """Why the sounds of a model cannot be audited, of the first such model; None if all can."""
        return next((judges.unaudited for judges in self._judges.values() if judges.unaudited), None)

    def _catalogues(self) -> dict[str, Catalogue]:
        auditors = {name: judges.auditor for name, judges in self._judges.items()}
        return {name: each.catalogue for name, each in auditors.items() if each is not None}


def _left_out(catalogue: Catalogue) -> str:
    """How many references are left out, and the first of them with the reasons."""
    count = len(catalogue.left_out)
    reasons = [f"{name} ({reason})" for name, reason in islice(catalogue.left_out.items(), NAMED)]
    more = f", and {count - NAMED:,} more" if count > NAMED else ""
    return (
        f"{catalogue.name}: {count:,} of {plural(len(catalogue) + count, 'reference')} left out, and what "
        f"replays them is not found: {', '.join(reasons)}{more}"
    )
