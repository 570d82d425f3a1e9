"""Captions that the training set has once and that are not ordinary: what they make is a replay.

What is written like a memorised caption may lead to its recording, and what occurs once in an index may have
been trained on often. Such captions say nothing of what is ordinary. Those that a gate takes for memorised
before all others are finished without guidance, until so many in a row are no replays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from unheard.auditing.assembly import audit, auditor_for
from unheard.generation.calibration.measuring import Caption, Reading
from unheard.generation.model import Model
from unheard.generation.rejection import retry_seed
from unheard.generation.sound import Fallback, Sound
from unheard.generation.training_set import TrainingSet
from unheard.guidance import Guidance

PATIENCE = 5
"""Captions in a row that are no replays, after which no more are finished."""
REPLAYS = ("copy", "partial copy", "similar")
"""Verdicts of the audit after which nobody would call a caption ordinary."""
CHANCE = 0.001
"""Share of relatives that are by accident as alike as a replay; two sounds of a caption are relatives."""
EXCEPTIONAL = 0.1
"""Share of the captions up to which making one sound under two noises is taken for a replay."""


class Audited:
    """Finishes captions as sounds of one duration, and audits them against the recordings."""

    def __init__(self, model: Model, training_set: TrainingSet, duration: float) -> None:
        self._model, self._training_set, self._duration = model, training_set, duration
        of, index, brought = training_set.references, training_set.index, training_set.brought
        self._auditor = auditor_for(of, index, brought, model.embedder)

    def __call__(self, caption: Caption, guidance: Guidance | None) -> tuple[str, Fallback | None]:
        """The verdict, and what the sound went on under."""
        request = self._model.request(
            caption.text, seed=caption.seed, duration=self._duration, guidance=guidance
        )
        (sound,) = self._model.stream(request, self._training_set)
        return self._auditor.judge(_heard(sound), caption.text).verdict, sound.fallback


class UnderTwoNoises:
    """Finishes a caption under two seeds, and audits the one sound against the other.

    A replay is the same under any noise (Carlini et al., USENIX Security 2023, arXiv 2301.13188), so that it
    is seen without its recording.
    """

    def __init__(self, model: Model, training_set: TrainingSet, duration: float) -> None:
        self._model, self._training_set, self._duration = model, training_set, duration

    def __call__(self, caption: Caption) -> bool:
        """Whether both are one."""
        seeds = [caption.seed, retry_seed(caption.seed, 1)]
        request = self._model.request(
            [caption.text] * 2, seed=seeds, duration=self._duration, guidance=None, batch=2
        )
        one, other = self._model.stream(request, self._training_set)
        with TemporaryDirectory() as folder:
            found = audit(_heard(one), other.save(Path(folder, "other.wav"), float=True))
        return any(match.false_alarm_rate < CHANCE for match in found.files[0].matches)


def replaying(measured: Mapping[Caption, Reading], verdict: Callable[[Caption], str]) -> list[Caption]:
    """Captions whose predictions are like a recording, and whose sounds the audit finds like one."""
    captions = sorted(measured, key=lambda caption: measured[caption].excess, reverse=True)
    return list(_until_patience(captions, lambda caption: verdict(caption) in REPLAYS))


def repeating(measured: Mapping[Caption, Reading], one_sound: Callable[[Caption], bool]) -> list[Caption]:
    """Captions that settle their sounds, and that make one sound under two noises.

    None, where more than `EXCEPTIONAL` of the captions do: of a model that makes one sound of any prompt that
    says nothing.
    """
    captions = sorted(measured, key=lambda caption: measured[caption].settled_pull, reverse=True)
    most = int(EXCEPTIONAL * len(captions))
    found = list(islice(_until_patience(captions, one_sound), most + 1))
    return found if len(found) <= most else []


def _until_patience(captions: Iterable[Caption], replays: Callable[[Caption], bool]) -> Iterator[Caption]:
    """Those that replay, until `PATIENCE` in a row do not."""
    others = 0
    for caption in captions:
        if others == PATIENCE:
            return
        others = 0 if replays(caption) else others + 1
        if not others:
            yield caption


def _heard(sound: Sound) -> tuple[Tensor, int]:
    return sound.waveform, sound.sample_rate
