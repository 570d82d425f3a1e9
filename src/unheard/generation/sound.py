"""What comes out: one sound with its trace, its nearest training items, and its provenance."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

from safetensors.torch import save
from torch import Tensor

from unheard import audio
from unheard.common.files import locked, replacing, write_whole
from unheard.common.sound_endings import WRITTEN
from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.guidance.base import Step
from unheard.guidance.detour.settings import UNGUIDED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TraceStep:
    """What happened to one sound in one denoising step; under plain guidance only `sigma` is known.

    Attributes:
        sigma: noise level.
        value: what the guidance measured.
        measure: what `value` is, in words, such as "cosine to the nearest training item".
        threshold: value above which the guidance acts.
        neighbour: id of the training item that `value` speaks of.
        acted: whether the guidance acted.
        s1, s2: scales of despecification and deduplication at this similarity, applied where `acted`.
        fallback: id of the training item whose caption took the place of the prompt's.
        prompt_weight: what is left of the prompt in the conditioning, 0 to 1.
        caption: the text that took the place of the prompt's, where it is no item's caption.
    """

    sigma: float
    value: float | None = None
    measure: str | None = None
    threshold: float | None = None
    neighbour: str | None = None
    acted: bool | None = None
    s1: float | None = None
    s2: float | None = None
    fallback: str | None = None
    prompt_weight: float | None = None
    caption: str | None = None


def trace_of_each(step: Step, sounds: int, ids: Sequence[str] | None) -> list[TraceStep]:
    """A step of a batch as one entry a sound; positions in the index, whose `ids` are given, by their ids."""
    unknown: list[Any] = [None] * sounds

    def named(positions: Sequence[int | None] | None) -> list[str | None]:
        if ids is None or positions is None:
            return unknown
        return [None if position is None else ids[position] for position in positions]

    known = (
        step.value, step.measure, step.threshold, named(step.neighbour), step.acted, step.s1, step.s2,
        named(step.fallback), step.prompt_weight, step.caption,
    )  # fmt: skip
    columns: Any = [unknown if column is None else column for column in known]
    return [TraceStep(step.sigma, *of_one) for of_one in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Nearest:
    """A training item near to a sound, by the cosine of their embeddings.

    `window_start` and `window_end`: which seconds of its recording; None where the index does not say.
    """

    id: str
    caption: str
    similarity: float
    window_start: float | None = None
    window_end: float | None = None

    def record(self) -> dict[str, Any]:
        """What is known of it, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Fallback:
    """The caption that took the place of the prompt.

    Attributes:
        id: of the training item whose caption it is; None where it is no item's.
        caption: the text, "" without any.
        prompt_weight: what was left of the prompt, 0 to 1.
        step: at which step the prompt was first left, from 1.
    """

    id: str | None
    caption: str
    prompt_weight: float
    step: int


@dataclass(repr=False)
class Sound:
    """A generated sound.

    Attributes:
        waveform: [channels, time] in float32 on the CPU, as the decoder gave it: not yet peak-normalised.
        sample_rate: Hz.
        prompt, seed: what it was made from.
        trace: one entry a denoising step.
        nearest: nearest training items, the nearest first; empty without an index.
        provenance: the record that `save` writes, see `unheard.generation.provenance`; with what an audit
            found under "audit", if there was one.
        number: which of the sounds asked for, from 0.
        fallback: the caption that took the place of the prompt; None where the prompt was kept.
        latents: what was decoded, of the model's `latent_shape` or fewer frames, in float32 on the CPU; None
            for a sound that was not generated here.
    """

    waveform: Tensor
    sample_rate: int
    prompt: str
    seed: int
    trace: list[TraceStep]
    nearest: list[Nearest] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    fallback: Fallback | None = None
    latents: Tensor | None = None

    def __repr__(self) -> str:
        seconds = self.waveform.shape[-1] / self.sample_rate
        acted = f"guidance acted in {self.acted} of {self._steps}"
        return (
            f"<Sound {self.prompt!r}, seed {self.seed}: {seconds:.2f} s, {self.waveform.shape[0]} x "
            f"{self.sample_rate:,} Hz, {acted if self.provenance.get('guidance') else 'no guidance'}>"
        )

    @property
    def acted(self) -> int:
        """In how many of the steps the guidance acted."""
        return sum(bool(step.acted) for step in self.trace)

    @property
    def _steps(self) -> str:
        return plural(len(self.trace), "step")

    @property
    def no_way(self) -> str | None:
        """What the detour was to do where no caption leads away from a recording, if that was so."""
        way: str | None = self.provenance.get("no_way")
        return way

    @property
    def outcome(self) -> str:
        """What the guidance did to the prompt, in words."""
        kind = (self.provenance.get("guidance") or {}).get("kind")
        if kind is None:
            return "made without guidance: it may replay a recording"
        if self.no_way == UNGUIDED:
            return (
                "the prompt leads to a recording, and so does every caption that was tried: went on under "
                "the prompt, it may replay the recording"
            )
        if (left := self.fallback) is not None:
            instead = f'as "{left.caption}"' if left.caption else "without a caption"
            part = f"{left.prompt_weight:.0%}" if left.prompt_weight else "nothing"
            if all(step.value is None for step in self.trace):  # of a kind that asks nothing
                return f"made {instead}, with {part} of the prompt"
            return (
                f"{self._why_left}: went on {instead}, with {part} of the prompt, from step {left.step} of "
                f"{len(self.trace)}{self._in_whose_place}"
            )
        if not self.acted:
            return "kept the prompt"
        return f"steered away in {self.acted} of {self._steps}"

    @property
    def _why_left(self) -> str:
        """Why the prompt was left, in words."""
        asked = (self.provenance.get("guidance") or {}).get("way")
        if asked and "instead_of" not in self.provenance:
            nowhere = "" if self.no_way is None else ", and no caption is left"
            return f"way {asked} was asked for{nowhere}"
        everything = "" if self.no_way is None else ", and so does every caption that was tried"
        return f"the prompt leads to a recording{everything}"

    @property
    def _in_whose_place(self) -> str:
        """What was wrong with the sounds that it was made in the place of, in words."""
        before = self.provenance.get("instead_of", [])
        return "".join(
            "; under the prompt it was like what the model recalls of another caption"
            if former["recalled"]
            else f'; as "{former["caption"]}" it ended in near silence'
            for former in before
        )

    @property
    def faults(self) -> list[str]:
        """What is wrong with the waveform (silent, clipped, constant) and its usual cause; mostly empty."""
        return audio.find_faults(self.waveform)

    def _repr_html_(self) -> str:
        """Player, spectrogram, outcome, verdict and trace, for a notebook."""
        from unheard.generation.notebook import sound_html

        audited = self.provenance.get("audit")
        return sound_html(
            repr(self)[1:-1], self.outcome, self.waveform, self.sample_rate, self.trace, audited
        )

    def plot(self) -> Figure:
        """Spectrogram, and below it what the guidance measured in each step; a notebook shows it.

        Raises:
            InputError: matplotlib is not installed.
        """
        from unheard.figures.drawing import draw_sound

        return draw_sound(self.prompt, self.waveform, self.sample_rate, self.trace)

    def to_bytes(self, format: str = "wav", *, float: bool = False) -> bytes:
        """The sound as a file that `save` would write, without its provenance.

        Args:
            format: "wav" or "flac".
            float: see `save`.

        Raises:
            InputError: another format, or floats in FLAC.
        """
        return audio.encode(self.waveform, self.sample_rate, f".{format.removeprefix('.')}", float32=float)

    @overload
    def save(self, path: str | Path, float: bool = False, *, overwrite: bool = False) -> Path: ...

    @overload
    def save(self, path: BinaryIO, float: bool = False, *, format: str = "wav") -> None: ...

    def save(
        self,
        path: str | Path | BinaryIO,
        float: bool = False,
        *,
        overwrite: bool = False,
        format: str = "wav",
    ) -> Path | None:
        """Write the sound at `path` and its provenance beside it, at the same name with .json.

        To an open binary file the sound alone is written: its provenance is in `provenance`.

        Both or neither, but for a crash between the two: then the provenance is there, which makes the sound
        again.

        Args:
            path: ends in .wav or .flac; its folder exists. A sound that is there is replaced. Or a binary
                file that is open for writing, such as an `io.BytesIO` or a response.
            float: 32-bit float as decoded, in place of 16-bit and peak-normalised; in WAV alone.
            overwrite: replace the JSON beside it even if it is something else than provenance.
            format: of an open file: "wav" or "flac".

        Returns:
            The path; None for an open file.

        Raises:
            InputError: another ending, floats in FLAC, a path that cannot be written, or a JSON beside it
                that is something else, such as an index of that name.
        """
        if not isinstance(path, str | os.PathLike):
            path.write(self.to_bytes(format, float=float))
            return None
        path = Path(path)
        if path.suffix.lower() not in WRITTEN:
            raise InputError(f"output is {path}: give a name that ends in {' or '.join(WRITTEN)}")
        beside = path.with_suffix(".json")
        if not overwrite and os.path.lexists(beside) and not provenance.is_record(beside):
            raise InputError(
                f"cannot write the provenance of {path}: {beside} is there and holds something else; choose "
                "another name, or overwrite it"
            )
        content = audio.encode(self.waveform, self.sample_rate, path.suffix, float32=float)
        with locked(path), replacing(path) as file:  # another that writes there waits, or the two would mix
            file.write(content)
            file.flush()  # a full disk is found out before anything is replaced
            provenance.write(beside, self._record(path, "float" if float else "16-bit", content))
        return path

    def save_latents(self, path: str | Path) -> Path:
        """Write the latents as `latents` in a safetensors file, with the sound's prompt and seed.

        Raises:
            InputError: there are none, or the path cannot be written.
        """
        if self.latents is None:
            raise InputError("this sound has no latents: it was not generated here")
        told = {"prompt": self.prompt, "seed": str(self.seed)}
        write_whole(Path(path), save({"latents": self.latents.contiguous()}, metadata=told))
        return Path(path)

    def _record(self, path: Path, encoding: str, content: bytes) -> dict[str, Any]:
        """The provenance with what came out, and the trace at the end."""
        result = {
            "file": path.name,
            "encoding": encoding,
            "sha256": hashlib.sha256(content).hexdigest(),
            "sample_rate": self.sample_rate,
            "channels": self.waveform.shape[0],
            "samples": self.waveform.shape[1],
            "faults": self.faults,
            "steps": len(self.trace),
            "acted": self.acted,
            "nearest": [item.record() for item in self.nearest],
        }
        return {**self.provenance, "result": result, "trace": [asdict(step) for step in self.trace]}
