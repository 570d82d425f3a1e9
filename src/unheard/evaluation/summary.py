"""What an experiment came to: an entry a setting, group and metric, with 95 % intervals over prompts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.common.intervals import ClusteredShare
from unheard.evaluation import bootstrap
from unheard.evaluation.metrics import METRICS, OF_CAPTIONS, OF_PROMPTS, OF_SETS
from unheard.evaluation.metrics.diversity import mean_pairwise_distance
from unheard.evaluation.metrics.frechet import frechet_audio_distance
from unheard.evaluation.metrics.kernel import kernel_audio_distance, kernel_audio_distances
from unheard.evaluation.outcomes import RATES, counts, open_verdicts, with_rates

Rows = list[dict[str, Any]]
"""Of `generations.parquet`, one a sound."""


def summarise(
    table: pa.Table,
    baselines: Mapping[str, str],
    held_out: np.ndarray | None = None,
    metrics: Collection[str] = METRICS,
) -> list[dict[str, Any]]:
    """One entry a setting, group ("all" and the prompts' own) and metric, with the paired difference.

    A value is of all sounds that it was measured of: of `RATES` the share of sounds, else the mean over
    prompts. A difference is of pairs: a sound, by prompt and seed,
    that lacks a value on one side is left out on both. Diversity and the distances, which are of several
    sounds together, are taken anew of what is left, so that both sides of a difference are of the same
    prompts and seeds, and of equally many sounds.

    Every entry has the `counts` of the sounds of its setting and group. Those of `RATES` have as well how
    many sounds are meant (`count` of `sounds`, which say as much as `effective_sounds` independent ones), and
    how many prompts have at least one (`prompts_hit` of `prompts`, with the exact interval `prompts_low` to
    `prompts_high`); see `unheard.common.intervals`.

    Args:
        table: the rows of an experiment.
        baselines: for each setting the one that differences are taken to.
        held_out: embeddings of held-out sounds by the judge, [sounds, dimension]; None leaves the distances
            to them unmeasured.
        metrics: what is wanted, of `METRICS`.
    """
    rows = [with_rates(dict.fromkeys(METRICS) | row) for row in table.to_pylist()]
    verdicts = open_verdicts(rows)
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    found = []
    for group in ["all", *dict.fromkeys(row["group"] for row in rows)]:
        some = [row for row in rows if group in ("all", row["group"])]
        of = {name: [row for row in some if row["setting"] == name] for name in settings}
        counted = {name: counts(of[name], verdicts) for name in settings}
        prompts = list(dict.fromkeys(row["prompt"] for row in some))
        drawn = bootstrap.draws(len(prompts))
        entries = [
            *_of_prompts(of, baselines, [each for each in OF_PROMPTS if each in metrics], prompts, drawn),
            *_of_sets(of, baselines, [each for each in OF_SETS if each in metrics], prompts, drawn, held_out),
        ]
        found += [
            {"setting": each["setting"], "group": group} | each | counted[each["setting"]] for each in entries
        ]
    return found


def _of_prompts(
    of: Mapping[str, Rows],
    baselines: Mapping[str, str],
    metrics: list[str],
    prompts: list[str],
    drawn: np.ndarray,
) -> Iterator[dict[str, Any]]:
    for metric in metrics:
        for name, rows in of.items():
            ours, theirs = _pairs(rows, of[baselines[name]], metric)
            shift = _by_prompt(ours, prompts, metric) - _by_prompt(theirs, prompts, metric)
            difference = bootstrap.mean(shift, drawn)
            if metric in RATES:
                interval, more = _rate(rows, metric)
            else:
                interval = bootstrap.mean(_by_prompt(rows, prompts, metric), drawn)
                more = _counted(rows, metric) if metric in OF_CAPTIONS else {}
            yield _entry(name, metric, interval, difference) | more


def _rate(rows: Rows, metric: str) -> tuple[bootstrap.Interval, dict[str, Any]]:
    """The share of sounds with its interval, and what else is counted."""
    of_prompt: dict[str, list[bool]] = {}
    for row in rows:
        if row[metric] is not None:
            of_prompt.setdefault(row["prompt"], []).append(row[metric])
    share = ClusteredShare.of((sum(some), len(some)) for some in of_prompt.values())
    if share.value is None:
        return bootstrap.Interval(None, None, None, 0), {"count": 0, "sounds": 0}
    return bootstrap.Interval(share.value, share.low, share.high, share.clusters), {
        "count": share.hits,
        "sounds": share.trials,
        "effective_sounds": share.effective,
        "prompts_hit": share.hit_clusters,
        "prompts_low": share.clusters_low,
        "prompts_high": share.clusters_high,
    }


def _counted(rows: Rows, metric: str) -> dict[str, int]:
    """Of how many sounds it holds, and of how many the caption says it."""
    said = [row[metric] for row in rows if row[metric] is not None]
    return {"count": sum(said), "sounds": len(said)}


def _of_sets(
    of: Mapping[str, Rows],
    baselines: Mapping[str, str],
    metrics: list[str],
    prompts: list[str],
    drawn: np.ndarray,
    held_out: np.ndarray | None,
) -> Iterator[dict[str, Any]]:
    if not metrics:
        return
    measure = partial(_distances, prompts=prompts, held_out=held_out, drawn=drawn)
    distances = {name: measure(rows) for name, rows in of.items()}
    for name, rows in of.items():
        baseline = baselines[name]
        pairs = _pairs(rows, of[baseline], "embedding")
        # Distances are dear, and mostly nothing is left out.
        left, right = (
            distances[side] if len(paired) == len(of[side]) else measure(paired)
            for side, paired in zip((name, baseline), pairs, strict=True)
        )
        for metric in metrics:
            yield _entry(name, metric, distances[name][metric].interval, left[metric].less(right[metric]))


def _pairs(ours: Rows, theirs: Rows, metric: str) -> tuple[Rows, Rows]:
    """The rows of both sides whose prompts and seeds have a value on both."""
    column = "embedding" if metric == "diversity" else metric
    measured = [
        {(row["prompt"], row["seed"]) for row in side if row[column] is not None} for side in (ours, theirs)
    ]
    both = measured[0] & measured[1]
    paired = [[row for row in side if (row["prompt"], row["seed"]) in both] for side in (ours, theirs)]
    return paired[0], paired[1]


@dataclass(frozen=True)
class _OfSet:
    """A distance of some sounds, and of every draw of their prompts; NaN where it lacks."""

    value: float
    values_of_draws: np.ndarray
    prompts: int

    @property
    def interval(self) -> bootstrap.Interval:
        if np.isnan(self.value):
            return bootstrap.Interval(None, None, None, 0)
        if self.prompts < 2 or np.isnan(self.values_of_draws).all():
            return bootstrap.Interval(self.value, None, None, self.prompts)
        return bootstrap.around(self.value, self.values_of_draws, self.prompts)

    def less(self, other: _OfSet) -> bootstrap.Interval:
        """The difference, draw by draw."""
        difference = self.values_of_draws - other.values_of_draws
        return _OfSet(self.value - other.value, difference, self.prompts).interval


def _distances(
    rows: Rows, prompts: list[str], held_out: np.ndarray | None, drawn: np.ndarray
) -> dict[str, _OfSet]:
    """Both distances of some sounds to held-out ones; the Fréchet distance, biased in its sample, undrawn."""
    rows = [row for row in rows if row["embedding"] is not None]
    unknown = np.full(len(drawn), np.nan)
    if held_out is None or len(rows) < 2:
        return {metric: _OfSet(np.nan, unknown, 0) for metric in OF_SETS}
    sounds = np.array([row["embedding"] for row in rows], np.float64)
    number = {prompt: position for position, prompt in enumerate(prompts)}
    groups = np.array([number[row["prompt"]] for row in rows])
    count = len(np.unique(groups))
    of_draws = kernel_audio_distances(sounds, held_out, groups, drawn)
    values = (kernel_audio_distance(sounds, held_out), frechet_audio_distance(sounds, held_out))
    return {
        metric: _OfSet(value, draws, count)
        for metric, value, draws in zip(OF_SETS, values, (of_draws, unknown), strict=True)
    }


def _entry(
    setting: str, metric: str, interval: bootstrap.Interval, shift: bootstrap.Interval
) -> dict[str, Any]:
    differences = {"difference": shift.value, "difference_low": shift.low, "difference_high": shift.high}
    return {"setting": setting, "metric": metric, **vars(interval), **differences}


def _by_prompt(rows: Rows, prompts: list[str], metric: str) -> np.ndarray:
    """The mean over seeds of each prompt; NaN where nothing was measured."""
    of: dict[str, Rows] = {prompt: [] for prompt in prompts}
    for row in rows:
        of[row["prompt"]].append(row)
    values: list[float] = []
    for some in of.values():
        if metric == "diversity":
            vectors = np.array([row["embedding"] for row in some if row["embedding"] is not None])
            distance = mean_pairwise_distance(vectors)
            values.append(np.nan if distance is None else distance)
        else:
            measured = [float(row[metric]) for row in some if row[metric] is not None]
            values.append(float(np.mean(measured)) if measured else np.nan)
    return np.array(values, np.float64)
