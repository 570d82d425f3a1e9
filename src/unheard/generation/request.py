"""What is asked for: prompts, seeds, duration, batches; checked before any work is done. No torch in here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

from unheard.auditing.results import BOUNDS
from unheard.common.texts import is_text, plural
from unheard.diffusion.settings import PURE_NOISE, Sampling
from unheard.errors import InputError
from unheard.guidance.base import Guidance

if TYPE_CHECKING:
    from unheard.backbones.base import Backbone

MAX_PROMPT_LENGTH = 2_000  # characters; the text encoders of the known models read far less
MAX_BATCH = 4  # of sounds at once unless asked otherwise: fits a laptop, and finished sounds are saved early
MIN_DURATION = 0.01  # seconds; less cannot be embedded
MAX_SEED = 2**63 - 1  # what a torch generator takes
DEFAULT_RETRIES = 4
DEFAULT_NOISE_LEVEL = 1.0  # of a recording to begin from, as the published generator has it
MAX_RETRIES = 100


@dataclass(frozen=True)
class Batch:
    """Sounds that are generated together: one seed and one prompt each, and their numbers in the request."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompts)

    def select(self, positions: Sequence[int]) -> Batch:
        """The sounds at these positions of the batch."""
        return Batch(
            tuple(self.prompts[position] for position in positions),
            tuple(self.seeds[position] for position in positions),
            tuple(self.numbers[position] for position in positions),
        )


@dataclass(frozen=True)
class Request:
    """A generation with every setting filled in: a plain value, which compares, pickles and prints.

    Attributes:
        prompts: one a sound.
        seeds: one a sound, see `seeds_for`.
        negative_prompt: what the sounds shall not be, all of them; None for the model's own unconditional.
        duration: seconds of sound.
        start: seconds into the piece at which the sound begins, as models are told in training; at least 0.
        batch: how many sounds are generated at once.
        sampling: sampler, steps, noise levels, guidance scale.
        guidance: weights and thresholds, or None for classifier-free guidance alone.
        index: path or URI of the training set's index, or None.
        references: paths of the training set's recordings; None where the index or the model says them.
        reject: verdict from which a sound is made again, see `unheard.generation.rejection`; None for none.
        retries: further attempts at a rejected sound.
        lyrics: what is sung, in all of them; None for a model that takes none.
        init_audio: path of a recording that the sounds begin from, or None for pure noise.
        init_noise_level: how much noise is put on it, as the model's family counts it; None without one.
        guidance_kind: the name by which `guidance` was asked for: where the training set has a calibration,
            its thresholds take their place; None for settings, which stay as they are.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    negative_prompt: str | None
    duration: float
    start: float
    batch: int
    sampling: Sampling
    guidance: Guidance | None
    index: str | None = None
    references: tuple[str, ...] | None = None
    reject: str | None = None
    retries: int = DEFAULT_RETRIES
    lyrics: str | None = None
    init_audio: str | None = None
    init_noise_level: float | None = None
    guidance_kind: str | None = None

    @property
    def named_references(self) -> str | tuple[str, ...] | None:
        """The references as they were named: in one folder, ids are the names of the files in it."""
        return (
            self.references[0]
            if self.references is not None and len(self.references) == 1
            else self.references
        )

    def batches(self) -> Iterator[Batch]:
        """The sounds in the order of the prompts, `batch` at a time; the last batch may be smaller."""
        for first in range(0, len(self.prompts), self.batch):
            together = slice(first, first + self.batch)
            numbers = tuple(range(len(self.prompts)))[together]
            yield Batch(self.prompts[together], self.seeds[together], numbers)

    def place(self, number: int) -> tuple[Batch, int]:
        """The batch that a sound is made in, and its position there."""
        batch = next(batch for batch in self.batches() if number in batch.numbers)
        return batch, batch.numbers.index(number)


def check_prompts(prompts: str | Sequence[str]) -> tuple[str, ...]:
    """One prompt or several as a tuple.

    Raises:
        InputError: none given, or one that is not text, is empty, or is longer than `MAX_PROMPT_LENGTH`.
    """
    several = (prompts,) if isinstance(prompts, str) else prompts
    if not isinstance(several, Sequence) or isinstance(several, bytes):
        raise InputError(f"prompts are {type(prompts).__name__}: give a text or a list of texts")
    if not several:
        raise InputError("no prompt: give at least one")
    return tuple(check_prompt(prompt) for prompt in several)


def check_prompt(prompt: object, name: str = "prompt") -> str:
    """The prompt itself if it is one; `name` is what the message calls it."""
    if not isinstance(prompt, str):
        raise InputError(f"{name} is {type(prompt).__name__} ({shown(repr(prompt))}): give text")
    if not prompt.strip():
        raise InputError(f"{name} is empty: describe the sound in a few words")
    if len(prompt) > MAX_PROMPT_LENGTH:
        raise InputError(f"{name} has {len(prompt):,} characters: give at most {MAX_PROMPT_LENGTH:,}")
    if not is_text(prompt):
        raise InputError(f"{name} is not text ({shown(ascii(prompt))}): give it in UTF-8")
    return prompt


def check_duration(duration: object, limit: float, model: str) -> float:
    """Seconds of sound, at least `MIN_DURATION` and at most the model's `limit`."""
    seconds = _number("duration", duration)
    if seconds < MIN_DURATION:
        raise InputError(f"duration is {seconds:g} s: give {MIN_DURATION:g} to {limit:g} s for {model}")
    if seconds > limit:
        raise InputError(f"duration is {seconds:g} s, but {model} makes at most {limit:g} s: lower it")
    return seconds


def check_start(start: object) -> float:
    """Seconds into the piece, at least 0."""
    seconds = _number("start", start)
    if seconds < 0:
        raise InputError(f"start is {seconds:g} s: give 0 or more")
    return seconds


def seeds_for(prompts: Sequence[str], seed: int | Sequence[int]) -> tuple[int, ...]:
    """One seed a prompt.

    A list is taken as it is. A number goes to every prompt, and a prompt that is given again takes the next
    number, so that four times the same prompt make four sounds.

    Raises:
        InputError: a seed that is not a whole number in [0, 2^63), or a list of another length.
    """
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        if len(seed) != len(prompts):
            raise InputError(
                f"{plural(len(seed), 'seed')} for {plural(len(prompts), 'prompt')}: "
                "give one for each, or a number"
            )
        return tuple(check_seed(each) for each in seed)
    first = check_seed(seed)
    seen: Counter[str] = Counter()
    seeds = []
    for prompt in prompts:
        seeds.append(check_seed(first + seen[prompt]))
        seen[prompt] += 1
    return tuple(seeds)


def check_seed(seed: object) -> int:
    """A whole number from 0 to `MAX_SEED`."""
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) <= MAX_SEED:
        raise InputError(f"seed is {seed!r}: give a whole number from 0 to {MAX_SEED}")
    return int(seed)


def check_batch(batch: int | None, sounds: int) -> int:
    """How many sounds at once: as asked, or all of them up to `MAX_BATCH`."""
    if batch is None:
        return min(sounds, MAX_BATCH)
    if not isinstance(batch, Integral) or isinstance(batch, bool) or batch < 1:
        raise InputError(f"batch is {batch!r}: give a whole number of at least 1")
    return int(batch)


def check_rejection(reject: str | None, retries: int) -> None:
    """A verdict that a sound can be as bad as, or None; a whole number of retries up to `MAX_RETRIES`."""
    if reject is not None and reject not in BOUNDS:
        raise InputError(f"reject is {reject!r}: choose one of {', '.join(BOUNDS)}")
    number: object = retries
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_RETRIES:
        raise InputError(f"retries is {number!r}: give a whole number from 0 to {MAX_RETRIES}")


def check_schedule(sampling: Sampling, given: Collection[str]) -> None:
    """Noise levels that were named mean something only in the schedule that goes by them."""
    if sampling.schedule != "polyexponential":
        for name in ("sigma_min", "sigma_max"):
            if name in given:
                raise InputError(
                    f"{name} is {getattr(sampling, name):g}, but the schedule is the model's own: take it "
                    "out, or choose the schedule polyexponential"
                )


def check_noise_level(
    backbone: Backbone, sampling: Sampling, init_audio: object, noise_level: float | None
) -> float | None:
    """The noise level that a recording begins at, 1 where none is given; None without a recording."""
    if init_audio is None:
        if noise_level is not None:
            raise InputError(
                f"init_noise_level is {noise_level}, but there is no init_audio to put noise on: give both"
            )
        return None
    level = (
        DEFAULT_NOISE_LEVEL if noise_level is None else _number("init_noise_level", noise_level, "a number")
    )
    if backbone.sigmas(sampling, level)[0] >= PURE_NOISE:
        raise InputError(
            f"init_noise_level is {level:g}, pure noise for {backbone.name}: nothing would be left of "
            f"{shown(str(init_audio))}; give less, such as 0.7"
        )
    return level


def check_accepted(backbone: Backbone, **given: object) -> None:
    """What is given besides prompts and duration, None for nothing, is accepted by the model."""
    names = {"start": "start", "negative_prompt": "negative prompt", "lyrics": "lyrics"}
    for key, value in given.items():
        if value is not None and key not in backbone.accepts:
            raise InputError(f"{backbone.name} takes no {names[key]}: leave {shown(repr(value))} out")


def check_references(references: str | Path | Sequence[str | Path] | None) -> tuple[str, ...] | None:
    """Paths of recordings, one or several, as a tuple; None for none."""
    if references is None:
        return None
    some = [references] if isinstance(references, str | Path) else references
    if not all(isinstance(path, str | Path) for path in some):
        raise InputError(
            f"references are {type(references).__name__}: a request takes paths; give a catalogue to "
            "Model.training_set"
        )
    return tuple(str(path) for path in some)


def shown(text: str, limit: int = 40) -> str:
    """A text short enough for a message of one line."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _number(name: str, value: object, what: str = "a number of seconds") -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}: give {what}")
    return float(value)
