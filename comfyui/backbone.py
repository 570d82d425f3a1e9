"""ComfyUI's model, text encoder and autoencoder as what `unheard.guidance` asks for."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.conds
import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import torch
from torch import Tensor

from unheard import Backbone
from unheard.diffusion.parameterisation import Velocity
from unheard.errors import InputError

from .conditioning import ComfyConditioning, OfSound


@dataclass(frozen=True)
class Family:
    """What ComfyUI does not say of a model.

    Attributes:
        sample_rate: of its autoencoder, in hertz.
        hop_length: samples a frame of latents.
        plan: whether its text encoder has a language model plan the sound, unless it is told not to.
    """

    sample_rate: int
    hop_length: int
    plan: bool = False


FAMILIES = {
    "StableAudio1": Family(44_100, 2048),
    "StableAudio3": Family(44_100, 4096),
    "ACEStep": Family(44_100, 4096),
    "ACEStep15": Family(48_000, 1920, plan=True),
}
"""By the name of the class in `comfy.model_base`."""

OF_PROMPT = ("pooled_output", "attention_mask")
"""What conditioning holds of its text beside the states: another caption does not take it over."""


def family_of(model: Any) -> Family:
    """What is known of a model, a `comfy.model_base.BaseModel`.

    Raises:
        InputError: it is of a family that is not known here, or is sampled in another way.
    """
    names = [kind.__name__ for kind in type(model).__mro__]
    known = next((FAMILIES[name] for name in names if name in FAMILIES), None)
    if known is None:
        raise InputError(
            f"the model is of ComfyUI's class {names[0]}: connect one of {', '.join(FAMILIES)}, which the "
            "detour guides"
        )
    if not isinstance(model.model_sampling, comfy.model_sampling.CONST | comfy.model_sampling.EPS):
        raise InputError(f"{names[0]} is sampled as {type(model.model_sampling).__name__}: undo that patch")
    return known


class ComfyBackbone(Backbone):
    """See `unheard.Backbone`; it denoises while ComfyUI samples, told of each step by `at`.

    Latents are in the scale that ComfyUI samples in, with time along the last axis. `x` and `sigma` are
    variance-exploding, which for Stable Audio 1 is what ComfyUI has; for a flow they are converted.

    Args:
        patcher: the `ModelPatcher` of a model.
        clip: its text encoder.
        vae: its autoencoder.

    Raises:
        InputError: see `family_of`.
    """

    audio_channels, time_axis, max_duration = 2, -1, math.inf
    dtype, fingerprint = torch.float32, None

    def __init__(self, patcher: Any, clip: Any, vae: Any) -> None:
        self._family = family_of(patcher.model)
        self._patcher, self._model, self._clip, self._vae = patcher, patcher.model, clip, vae
        self.name, self.sample_rate = type(patcher.model).__name__, self._family.sample_rate
        self._step: Mapping[str, Any] = {}
        self._at = torch.empty(0), torch.empty(0)
        self._known: dict[OfSound, tuple[int, Tensor]] = {}
        self._texts: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where ComfyUI computes."""
        device: torch.device = self._patcher.load_device
        return device

    @property
    def latent_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Of the latents that are being sampled."""
        return tuple(self._step["input"].shape[1:])

    def at(self, step: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Told what ComfyUI hands over in a step; its `x` and `sigma`."""
        self._step, self._known = step, {}
        z, time = step["input"].float(), step["sigma"].float()
        self._at = Velocity().canonical(z, time) if self._is_flow else (z, time)
        return self._at

    def know(self, conditioning: ComfyConditioning, denoised: Tensor) -> None:
        """Told what ComfyUI has predicted of the step's `x` at its `sigma`: that is not predicted again."""
        self._known.update(zip(conditioning.sounds, enumerate(denoised.float()), strict=True))

    def frames(self, duration: float) -> int:
        frames = math.ceil(duration * self.sample_rate / self._family.hop_length)
        return min(frames, self.latent_shape[-1])

    @property
    def longest(self) -> float:
        """Seconds that the latents cover."""
        return self.latent_shape[-1] * self._family.hop_length / self.sample_rate

    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> ComfyConditioning:
        """Captions in the place of the prompt; timing as ComfyUI has it where it has any, lyrics stay."""
        timings = zip(seconds_start, seconds_total, strict=True)
        told = [
            self._told(caption, {"seconds_start": start, "seconds_total": total})
            for caption, (start, total) in zip(prompts, timings, strict=True)
        ]
        return ComfyConditioning(tuple(told))

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> ComfyConditioning:
        """The empty text where there is no negative prompt."""
        return self.encode([prompt or "" for prompt in negative_prompts], seconds_start, seconds_total)

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: ComfyConditioning) -> Tensor:
        """Each sound on its own, since what they are told may differ in shape."""
        z, time = Velocity().native(x, sigma) if self._is_flow else (x, sigma)
        z, time = z.to(self._step["input"]), time.to(self._step["sigma"])
        denoised = []
        for row, sound in enumerate(conditioning.sounds):
            of_row = self._predicted_already(x[row], sigma[row], sound)
            if of_row is None:
                ((of_row,),) = comfy.samplers.calc_cond_batch(
                    self._model,
                    [[sound.part]],
                    z[row : row + 1],
                    time[row : row + 1],
                    self._step["model_options"],
                )
            denoised.append(of_row.to(x))
        return torch.stack(denoised)

    def _predicted_already(self, x: Tensor, sigma: Tensor, sound: OfSound) -> Tensor | None:
        """What ComfyUI has predicted of one sound's very latents in the very noise; None if it has not."""
        if sound not in self._known:
            return None
        number, denoised = self._known[sound]
        step_x, step_sigma = self._at
        same = torch.equal(sigma, step_sigma[number]) and torch.equal(x, step_x[number])
        return denoised if same else None

    def encode_audio(self, waveform: Tensor) -> Tensor:
        latents = self._model.process_latent_in(self._vae.encode(waveform.movedim(1, -1)))
        self._call_back()
        return latents.float().to(self.device)

    def decode(self, latents: Tensor) -> Tensor:
        waveform = self._vae.decode(self._model.process_latent_out(latents)).movedim(-1, 1)
        self._call_back()
        return waveform.float().to(self.device)

    @property
    def _is_flow(self) -> bool:
        return isinstance(self._model.model_sampling, comfy.model_sampling.CONST)

    def _told(self, caption: str, timing: Mapping[str, float]) -> OfSound:
        """The first sound's conditioning under another caption."""
        z = self._step["input"][:1]
        (positive,) = self._step["cond"]
        template = OfSound.taken(positive, 0, len(self._step["input"])).part
        kept = {name: value for name, value in template.items() if name not in OF_PROMPT}
        told = kept | {name: value for name, value in timing.items() if name in template}
        # What is as long as the latents, such as a mask, ComfyUI prepared of what is not at hand here.
        of_latents = {
            name: cond
            for name, cond in template["model_conds"].items()
            if isinstance(cond, comfy.conds.CONDNoiseShape)
        }
        told |= {"cross_attn": self._states(caption), "model_conds": of_latents, "uuid": uuid.uuid4()}
        (encoded,) = comfy.samplers.encode_model_conds(
            self._model.extra_conds, [told], z, z.device, "positive"
        )
        return OfSound({**encoded, "model_conds": encoded["model_conds"] | of_latents})

    def _states(self, caption: str) -> Tensor:
        """The text encoder's states of a caption, [1, tokens, dimension]."""
        if caption not in self._texts:
            options = {"generate_audio_codes": False, "duration": self.longest} if self._family.plan else {}
            tokens = self._clip.tokenize(caption, **options)
            ((self._texts[caption], _),) = self._clip.encode_from_tokens_scheduled(tokens)
            self._call_back()
        return self._texts[caption]

    def _call_back(self) -> None:
        """Have the model where ComfyUI computes: what encodes or decodes may have taken its place."""
        comfy.model_management.load_models_gpu([self._model.current_patcher])
