"""What came of a calibration: a value, and a JSON file. Read back, every part of it is checked. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from unheard.common.checks import (
    require_above_zero,
    require_at_least_zero,
    require_between,
    require_number,
    require_whole,
)
from unheard.common.files import data_folder, make_data_folder, write_whole
from unheard.common.structured_files import read_json
from unheard.common.texts import json_bytes, plural
from unheard.errors import InputError
from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated import is_gated, same_thresholds

CAPTIONS = 300
"""Ordinary captions of a calibration, unless another number is asked for: so many can show a rate of 1 %."""
FORMAT = 1
FIRST_KEY = "unheard_calibration"
KEPT_IN = "calibrations"
"""The folder of the user's data."""
PULL, SETTLED_PULL, EXCESS, ALIGNMENT = "pull", "settled pull", "excess", "alignment"
"""What is measured: the prompt's pull, the same as far as it settles the sound, the excess correlation with a
recording, and the pull's direction.
"""
OF_GATES = (PULL, SETTLED_PULL, EXCESS)
"""What the gates of a detour ask for."""

SEVERAL = 2
"""Replays that are no chance: among the first that are finished the audit may find one that is similar."""

Part = TypeVar("Part")


@dataclass(frozen=True)
class Threshold:
    """A threshold at a rate of false alarms.

    Attributes:
        value: the gate is open above it.
        rate: share of ordinary captions that it is set for.
        by: "tail" or "order statistic", see `unheard.generation.calibration.thresholds`.
        low, high: its interval, 95 %; None where the sample does not bound it.
        captions, above: how many ordinary captions there were, and how many of them exceed it.
        rate_low, rate_high: where the share of all ordinary captions that do may lie (Clopper and Pearson).
    """

    value: float
    rate: float
    by: str
    low: float | None
    high: float | None
    captions: int
    above: int
    rate_low: float
    rate_high: float

    @property
    def guards(self) -> float:
        """What a gate opens above: the lower end of the interval, so that few captions do not say too much.

        Where it has none, the value.
        """
        return self.value if self.low is None else min(self.low, self.value)

    def __post_init__(self) -> None:
        require_number("value", self.value)
        require_between("rate", self.rate, 0.0, 1.0)
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                require_number(name, getattr(self, name))
        require_whole("captions", self.captions, 1)
        require_whole("above", self.above, 0)
        require_between("rate_low", self.rate_low, 0.0, 1.0)
        require_between("rate_high", self.rate_high, 0.0, 1.0)


@dataclass(frozen=True)
class Separation:
    """How far suspected captions stand out of ordinary ones.

    Attributes:
        captions, above: how many there were, and how many exceed the threshold.
        low, high: the interval of that share, 95 %.
        area: under the receiver's curve: how often a suspected caption exceeds an ordinary one, 0 to 1.
        separates: whether more exceed it than false alarms explain.
    """

    captions: int
    above: int
    low: float
    high: float
    area: float
    separates: bool

    def __post_init__(self) -> None:
        require_whole("captions", self.captions, 1)
        require_whole("above", self.above, 0)
        for name in ("low", "high", "area"):
            require_between(name, getattr(self, name), 0.0, 1.0)
        if not isinstance(self.separates, bool):
            raise InputError(f"separates is {self.separates!r}: give true or false")


@dataclass(frozen=True)
class Statistic:
    """One measure of captions.

    Attributes:
        threshold: see `Threshold`.
        ordinary, suspected: the largest value of each caption, in the order of the captions.
        separation: None without suspected captions.
    """

    threshold: Threshold
    ordinary: tuple[float, ...]
    suspected: tuple[float, ...]
    separation: Separation | None

    def __post_init__(self) -> None:
        for value in (*self.ordinary, *self.suspected):
            require_number("a value", value)


@dataclass(frozen=True)
class AtDuration:
    """What holds for sounds of one duration.

    Attributes:
        duration: seconds.
        high_noise: noise level down to which the pull is asked, see `unheard.guidance.detour.high_noise`.
        spread: root mean square of the model's finished latents.
        statistics: by name: the pull, its alignment, with recordings the excess correlation, and the settled
            pull, which earlier calibrations lack.
    """

    duration: float
    high_noise: float
    spread: float
    statistics: dict[str, Statistic]

    def __post_init__(self) -> None:
        require_above_zero("duration", self.duration)
        require_at_least_zero("high_noise", self.high_noise)
        require_above_zero("spread", self.spread)
        if PULL not in self.statistics:
            raise InputError("it has no pull")
        require_at_least_zero("the threshold of the pull", self.statistics[PULL].threshold.value)


@dataclass(frozen=True)
class Proof:
    """A suspected caption, made into a sound without guidance and with it, and audited.

    Attributes:
        caption, seed: what both were made from.
        plain, guided: the audit's verdicts.
        fallback: the caption under which the guided one went on; None where it kept its own.
        prompt_weight: what was left of the prompt.
    """

    caption: str
    seed: int
    plain: str
    guided: str
    fallback: str | None
    prompt_weight: float | None


@dataclass(frozen=True)
class Calibration:
    """The detour's thresholds for a model and a training set.

    Attributes:
        model: its name.
        fingerprint: what tells its weights from any others; None where it was not loaded from files.
        index: the SHA-256 of the training set's index.
        items: of the training set.
        recordings: how many of them had their recordings available.
        sampling: sampler, steps, noise levels and guidance scale that captions were measured with.
        false_alarms: share of ordinary captions that may open a gate.
        seed: of the draw of captions, and of the first sound.
        ordinary, suspected: the captions.
        replayed: captions that the training set has once and that replay all the same, see
            `unheard.generation.calibration.replays`; they count as neither.
        durations: what was measured, the shortest duration first.
        proof: finished sounds.
        made: seconds, pairs of predictions, and versions.
    """

    kind: ClassVar[str] = Detour.kind

    model: str
    fingerprint: str | None
    index: str
    items: int
    recordings: int
    sampling: dict[str, Any]
    false_alarms: float
    seed: int
    ordinary: tuple[str, ...]
    suspected: tuple[str, ...]
    replayed: tuple[str, ...]
    durations: tuple[AtDuration, ...]
    proof: tuple[Proof, ...]
    made: dict[str, Any]

    def __post_init__(self) -> None:
        require_between("false_alarms", self.false_alarms, 0.0, 1.0)
        require_whole("items", self.items, 1)
        require_whole("recordings", self.recordings, 0)
        if not self.durations:
            raise InputError("it has no duration")

    @property
    def digest(self) -> str:
        """The SHA-256 of all that it says."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(json_bytes(content)).hexdigest()

    @property
    def separates(self) -> bool | None:
        """Whether suspected captions open a gate of the detour; None where there were none.

        Captions that were found to replay were found by what a gate asks, so that they do.
        """
        if len(self.replayed) >= SEVERAL:
            return True
        told = [
            statistic.separation.separates
            for at in self.durations
            for name, statistic in at.statistics.items()
            if name in OF_GATES and statistic.separation is not None
        ]
        return any(told) if told else None

    def at(self, duration: float) -> AtDuration:
        """What was measured at the duration nearest to another, by their ratio."""
        return min(
            self.durations,
            key=lambda each: max(each.duration, duration) / min(each.duration, duration),
        )

    def detour(self, duration: float, recordings: int) -> Detour:
        """The settings for sounds of a duration, with so many recordings available.

        The excess correlation depends on which recordings it is looked for in: its threshold is the
        calibrated one where as many are available as there were.
        """
        at, published = self.at(duration), Detour()
        excess = at.statistics.get(EXCESS) if recordings == self.recordings else None
        threshold, sure = published.threshold, published.threshold
        if excess is not None:
            values = excess.threshold.guards, excess.threshold.value
            threshold, sure = (min(max(value, 0.0), 1.0) for value in values)
        settled = at.statistics.get(SETTLED_PULL)
        return Detour(
            threshold=threshold,
            sure_threshold=sure if sure > threshold else 0.0,
            pull=max(at.statistics[PULL].threshold.guards, 0.0),
            high_noise=at.high_noise,
            settled_pull=0.0 if settled is None else max(settled.threshold.guards, 0.0),
        )

    def gives(self, guidance: Guidance | None, duration: float, recordings: int) -> bool:
        """Whether a guidance has the thresholds for sounds of a duration, whatever else is set."""
        return is_gated(guidance) and same_thresholds(guidance, self.detour(duration, recordings))

    def words(self, duration: float, recordings: int) -> str:
        """What a detour with it goes by, in a line."""
        at, settings = self.at(duration), self.detour(duration, recordings)
        excess = f" or an excess of {settings.threshold:.3g}" if EXCESS in at.statistics else ""
        if excess and settings.sure_threshold > settings.threshold:
            excess += f" to {settings.sure_threshold:.3g}"
        if excess and recordings != self.recordings:
            excess += f" (not calibrated for {plural(recordings, 'recording')})"
        prompted = f"a pull of {settings.pull:.3g}"
        if settings.settled_pull:
            prompted = f"a settled pull of {settings.settled_pull:.3g}"
        return (
            f"detour calibrated at {at.duration:g} s: acts above {prompted}{excess}, by "
            f"{len(self.ordinary):,} ordinary captions at {self.false_alarms:.3g} false alarms; "
            f"calibration {self.digest[:8]}"
        )

    def describe(self) -> dict[str, Any]:
        """What provenance says of it."""
        return {"sha256": self.digest, "false_alarms": self.false_alarms, "captions": len(self.ordinary)}

    def fits(self, fingerprint: str | None, index: str) -> bool:
        """Whether it is that of a model and an index."""
        return self.fingerprint is not None and (self.fingerprint, self.index) == (fingerprint, index)

    def keep(self) -> Path:
        """Write it where `generate` looks for it, in the user's data, in the place of an earlier one.

        Raises:
            InputError: the model was not loaded from files: nothing would tell it from another. Or nothing
                can be written there.
        """
        if self.fingerprint is None:
            raise InputError(f"{self.model} was loaded from no folder: nothing tells it from other models")
        make_data_folder(KEPT_IN, "a calibration")
        path = own_path(self.fingerprint, self.index)
        self.write(path)
        return path

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all; raises InputError where nothing can be written."""
        content = json.dumps({FIRST_KEY: FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        write_whole(path, json_bytes(f"{content}\n"))

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Read one that `write` wrote.

        Raises:
            InputError: it is missing, or is no calibration.
        """
        try:
            found = _calibration(read_json(path))
            _ = found.digest  # whatever is in it can be said
            return found
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (InputError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} is no calibration, or a damaged one ({error}): remove it, or calibrate again"
            ) from error


def own_path(fingerprint: str, index: str) -> Path:
    """Where the user's calibration of a model and an index is kept."""
    return data_folder(KEPT_IN) / f"{index[:16]}-{fingerprint.rpartition(':')[2][:16]}.json"


def is_any_for(index: str) -> bool:
    """Whether the user has calibrated any model on an index."""
    return any(data_folder(KEPT_IN).glob(f"{index[:16]}-*.json"))


def find(fingerprint: str | None, index: str, brought: Path | None) -> Calibration | None:
    """The calibration of a model on an index: the user's own, or the one that the model brings.

    Raises:
        InputError: it is damaged.
    """
    own = None if fingerprint is None else own_path(fingerprint, index)
    for path in (own, brought):
        if path is not None and path.is_file() and (found := Calibration.read(path)).fits(fingerprint, index):
            return found
    return None


def _calibration(stored: dict[str, Any]) -> Calibration:
    if stored.pop(FIRST_KEY, None) != FORMAT:
        raise InputError(f"it lacks {FIRST_KEY} {FORMAT}")
    for name in ("ordinary", "suspected", "replayed"):
        stored[name] = tuple(stored.get(name, ()))
    stored["durations"] = tuple(map(_at_duration, stored["durations"]))
    stored["proof"] = tuple(_part(Proof, each) for each in stored["proof"])
    return _part(Calibration, stored)


def _at_duration(stored: dict[str, Any]) -> AtDuration:
    statistics = {name: _statistic(each) for name, each in stored["statistics"].items()}
    return _part(AtDuration, {**stored, "statistics": statistics})


def _statistic(stored: dict[str, Any]) -> Statistic:
    separation = stored["separation"]
    return _part(
        Statistic,
        {
            "threshold": _part(Threshold, stored["threshold"]),
            "ordinary": tuple(stored["ordinary"]),
            "suspected": tuple(stored["suspected"]),
            "separation": None if separation is None else _part(Separation, separation),
        },
    )


def _part(made: type[Part], stored: Mapping[str, Any]) -> Part:
    """A dataclass of exactly the fields that are stored."""
    names = [field.name for field in fields(made)]  # type: ignore[arg-type]
    if lacking := [name for name in names if name not in stored]:
        raise InputError(f"it lacks {lacking[0]}")
    return made(**{name: stored[name] for name in names})
