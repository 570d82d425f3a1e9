"""What a backbone is: a text-to-audio model taken apart into encode, denoise and decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from unheard.diffusion.settings import Sampling
from unheard.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from unheard.diffusion.prompt_guidance import PromptGuidance


class Conditioning(Protocol):
    """What a denoiser is told about each sample of a batch; any number of tensors, [batch, ...] each."""

    def __len__(self) -> int:
        """The number of samples."""
        ...

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """The samples of all parts, one after another."""
        ...

    def select(self, samples: Sequence[int]) -> Self:
        """The samples with these numbers, in this order; a number may come more than once."""
        ...

    def blended(self, other: Self, weight: float) -> Self:
        """Between the two, sample by sample: `weight` of this one and the rest of the other, 0 to 1."""
        ...

    @property
    def text_states(self) -> Tensor:
        """The states of the text encoder that the denoiser attends to, [batch, ...]."""
        ...

    def with_text_states(self, states: Tensor) -> Self:
        """The same with other states of the same shape; differentiable in them."""
        ...


class Backbone(Protocol):
    """A text-to-audio diffusion model in variance-exploding coordinates: `x = x0 + sigma * noise`.

    A class that inherits from this one need only add what differs: what has a value or a body here holds for
    a model that always denoises its full length, by classifier-free guidance, in the published schedule.

    Latents are `[batch, *latent_shape]`, float32 whatever the weights are, with time along `time_axis`;
    waveforms are `[batch, channels, time]`.

    Attributes:
        name: how the model was named.
        sample_rate: of its waveforms, in hertz.
        audio_channels: 1 or 2.
        max_duration: the longest sound it can make, in seconds.
        latent_shape: of one full-length latent, without the batch; of any rank.
        accepts: what it can be told besides a prompt and a duration: "start", "negative_prompt", "lyrics".
        distilled: whether its weights were made to run at guidance scale 1.
        default_sampling: how its own pipeline samples.
        time_axis: which axis of latents counts frames, from the end: -1 for `[channels, frames]`.
        hop_length: samples of the waveform that a frame of latents stands for.
        folder: what it was loaded from, if it was: other files of the model lie there.
        device: where its weights are.
        dtype: of its weights.
        fingerprint: what tells its weights from any others, or None where it was not loaded from files.
        components: the folders of its pipeline that the fingerprint reads, in their order.
        compiled: whether its denoiser runs in machine code of its own, see `compile`.
    """

    name: str
    sample_rate: int
    audio_channels: int
    max_duration: float
    latent_shape: tuple[int, ...]
    time_axis: int
    hop_length: int
    accepts: frozenset[str] = frozenset({"negative_prompt"})
    distilled: bool = False
    default_sampling: Sampling = Sampling()
    components: tuple[str, ...] = ()
    compiled: bool = False

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def fingerprint(self) -> str | None: ...

    @property
    def decoder_reach(self) -> int | None:
        """How many frames on either side of its own a decoded sample depends on; None for all of them."""
        return None

    def frames(self, duration: float) -> int:
        """How many frames of latents cover `duration` seconds."""
        ...

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """The shape of the noise that `duration` seconds are made from, one sample without the batch."""
        return self.latent_shape

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """The noise levels of a sampling, [steps + 1] in float64 on the CPU; see `diffusion.schedules`.

        Args:
            sampling: says how many steps, and whether in the model's own times.
            noise_level: where to begin if not in pure noise, as the family counts it: a sigma, or for a flow
                the share of noise.

        Raises:
            InputError: a noise level that is out of range.
        """
        from unheard.diffusion.schedules import sigmas_between

        return sigmas_between(sampling, noise_level)

    def prompt_guidance(self) -> PromptGuidance:
        """What the family's pipeline strengthens a prompt by, for one trajectory."""
        from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE

        return CLASSIFIER_FREE

    def check_sampling(self, sampling: Sampling) -> None:
        """Whether the model can be sampled so; asked before any work.

        Raises:
            InputError: it cannot.
        """
        return None

    def compile(self, backend: str = "inductor") -> None:
        """Have `torch.compile` make machine code of the denoiser, which changes the last bits of a sound.

        That happens at the first step, and again for another number of sounds, another length of latents, or
        where a gradient is asked for, and takes half a minute or more each time. On CUDA a step without
        gradient is then launched at once, as a CUDA graph, which keeps the memory that it needs.

        Raises:
            InputError: the model cannot be compiled.
        """
        raise InputError(f"{self.name} cannot be compiled: leave out compile (--compile)")

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words of a prompt that the model has never read.

        Only a tokenizer of whole words can tell; of any other there are none.
        """
        return ()

    def with_lyrics(self, lyrics: str) -> Backbone:
        """The same model, which is told these lyrics with every prompt; of one that accepts them."""
        raise InputError(f"{self.name} takes no lyrics: go without, or take a model of songs")

    def encode(
        self,
        prompts: Sequence[str],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> Any:
        """The `Conditioning` of each prompt with its timing."""
        ...

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> Any:
        """What classifier-free guidance leads away from: the negative prompt, or nothing where it is None."""
        ...

    def encode_both(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> tuple[Any, Any]:
        """`encode` and `encode_unconditional` of the same samples; the latter may depend on the prompts."""
        timing = seconds_start, seconds_total
        return self.encode(prompts, *timing), self.encode_unconditional(negative_prompts, *timing)

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: Any) -> Tensor:
        """The estimate of `x0` from `x` at noise level `sigma` (`[batch]`); differentiable in `x`."""
        ...

    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The latents of waveforms `[batch, audio_channels, time]` at `sample_rate`, of any length.

        Without gradient, and in bounded memory.
        """
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform of latents of any number of frames; differentiable."""
        ...


def trim(latents: Tensor, frames: int, time_axis: int) -> Tensor:
    """The first `frames` of latents along `time_axis`; all, if there are fewer."""
    return latents.narrow(time_axis, 0, min(frames, latents.shape[time_axis]))


def by_frame(latents: Tensor, time_axis: int) -> Tensor:
    """One latent of any rank as [features, frames]."""
    return latents.movedim(time_axis, -1).flatten(0, -2)
