"""Both takes of a seed: with the guidance that is asked for, and without any, each audited and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from unheard.errors import RejectedError
from unheard.generation.batches import Progress
from unheard.generation.rejection import audited
from unheard.generation.request import Request
from unheard.generation.sound import Sound, TraceStep
from unheard.studio.stream import Cancel, told
from unheard.studio.takes import GUIDED, LATENTS, UNGUIDED, Take
from unheard.studio.workshop import Workshop


@dataclass(frozen=True)
class At:
    """Where a generation is.

    Attributes:
        which: of the two takes.
        sound, sounds: which of how many of that kind, from 1.
        step, steps: of how many, from 1.
        attempt: 0, or which retry of a rejected sound.
        trace: what happened to the sound so far; only the last `attempt`.
    """

    which: str
    sound: int
    sounds: int
    step: int
    steps: int
    attempt: int
    trace: tuple[TraceStep, ...]


@dataclass(frozen=True)
class Waiting:
    """Somebody else uses the model."""


@dataclass(frozen=True)
class Auditing:
    """A sound is finished, and is compared with the recordings."""

    which: str


@dataclass(frozen=True)
class Saved:
    """A sound is written; `take` has what there is of its take by now."""

    which: str
    take: Take


Told = At | Waiting | Auditing | Saved


@dataclass(frozen=True)
class Output:
    """How takes are written.

    Attributes:
        ending: `.wav` or `.flac`.
        as_float: whether samples are floats; in WAV alone.
        latents: whether latents are written beside.
    """

    ending: str = ".wav"
    as_float: bool = False
    latents: bool = False


def make_takes(workshop: Workshop, request: Request, output: Output, cancel: Cancel) -> Iterator[Told]:
    """Make a take for every sound that is asked for, and tell what happens; a take is saved sound by sound.

    The sounds without guidance are made from the seeds that those with guidance ended with. Under `reject`
    these are other seeds than asked for, where a sound was made again.

    Raises:
        RejectedError: at the end, if a sound with guidance was refused; what was saved stays.
        Cancelled: it was; what was saved stays.
        UnheardError: see `Model.generate`.
    """
    return told(partial(_make, workshop, request, output, cancel), cancel)


def _make(
    workshop: Workshop, request: Request, output: Output, cancel: Cancel, tell: Callable[[Told], None]
) -> None:
    if not workshop.model_in_use.acquire(blocking=False):
        tell(Waiting())
        while not workshop.model_in_use.acquire(timeout=0.2):
            cancel.check()
    numbers: dict[int, int] = {}
    try:
        made = _Take(workshop, output, numbers, tell)
        refused: RejectedError | None = None
        if request.guidance is not None:
            try:
                made.stream(GUIDED, request)
            except RejectedError as error:
                refused = error
            request = _of_those(request, made.seeds)
        if request.prompts:
            made.stream(UNGUIDED, replace(request, guidance=None, reject=None))
        if refused is not None:
            raise refused
    finally:
        workshop.model_in_use.release()
        for number in numbers.values():
            workshop.takes.release(number)


def _of_those(request: Request, seeds: Mapping[int, int]) -> Request:
    """The request for those sounds that came out, with the seeds that they came out with."""
    numbers = sorted(seeds)
    return replace(
        request,
        prompts=tuple(request.prompts[number] for number in numbers),
        seeds=tuple(seeds[number] for number in numbers),
    )


class _Take:
    """Sounds as they are made, to the takes that they belong to."""

    def __init__(
        self, workshop: Workshop, output: Output, numbers: dict[int, int], tell: Callable[[Told], None]
    ) -> None:
        self.workshop, self.output, self.numbers, self.tell = workshop, output, numbers, tell
        self.seeds: dict[int, int] = {}
        self._trace: list[TraceStep] = []

    def stream(self, which: str, request: Request) -> None:
        """Make all sounds of one kind."""
        workshop, positions = self.workshop, sorted(self.seeds) or range(len(request.prompts))
        for sound in workshop.model.stream(request, workshop.training_set, partial(self._step, which)):
            position = positions[sound.number]
            self.seeds[position] = sound.seed
            self._save(which, position, self._audited(which, sound))

    def _step(self, which: str, at: Progress) -> None:
        if at.step == 1:
            self._trace.clear()
        self._trace.append(at.trace[0])
        self.tell(At(which, at.numbers[0] + 1, at.total, at.step, at.steps, at.attempt, (*self._trace,)))

    def _audited(self, which: str, sound: Sound) -> Sound:
        """The sound with what the audit finds in its provenance, where recordings are available."""
        if "audit" in sound.provenance:  # it passed `reject`
            return sound
        self.tell(Auditing(which))
        auditor = self.workshop.auditor()
        return sound if auditor is None else audited(sound, auditor)

    def _save(self, which: str, position: int, sound: Sound) -> None:
        takes = self.workshop.takes
        if position not in self.numbers:
            self.numbers[position] = takes.reserve()
        number = self.numbers[position]
        path = takes.save(number, which, sound, self.output.ending, as_float=self.output.as_float)
        if self.output.latents:
            sound.save_latents(path.with_suffix(LATENTS))
        self.tell(Saved(which, takes.take(number)))
