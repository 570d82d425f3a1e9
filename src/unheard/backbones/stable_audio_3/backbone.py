"""Stable Audio 3 (arXiv 2605.17991) from the parts of diffusers' StableAudio3Pipeline.

Weights, configuration and model code are diffusers' and transformers'. The pipeline itself is not used: its
parts are driven one by one, and mean what they mean there. Its relatives for audio-to-audio and inpainting
have the same parts, so that a folder of theirs is the same model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.of_pipeline import PipelineBackbone, frames_covering
from unheard.backbones.parts import Parts
from unheard.backbones.stable_audio_3.conditioning import StableAudio3Conditioning
from unheard.backbones.stable_audio_3.library import (
    AutoencoderSAME,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    StableAudio3DiTModel,
    StableAudio3DurationEmbedder,
    T5GemmaEncoderModel,
)
from unheard.backbones.stable_audio_3.same import PiecewiseSAME
from unheard.backbones.stable_audio_3.schedule import logsnr_shares
from unheard.backbones.texts import check_texts, known_tokens, tokenized, warn_of_truncation
from unheard.diffusion.parameterisation import Parameterisation, Velocity
from unheard.diffusion.schedules import flow_sigmas, share_between, sigmas_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

COMPONENTS = ("vae", "text_encoder", "tokenizer", "duration_embedder", "transformer", "scheduler")
"""The pipeline's folders, in the order in which its fingerprint reads them."""
MAX_TOKENS = 256
"""Of a text, whatever its tokenizer says, as in the pipeline."""
DISTILLED = Sampling(sampler="pingpong", num_inference_steps=8, guidance_scale=1.0, schedule="model")
BASE = Sampling(sampler="euler", num_inference_steps=100, guidance_scale=7.0, schedule="model")
ANY_DIRECTION = ("euler", "pingpong")
"""Samplers that take a step to more noise, too."""


class StableAudio3Backbone(PipelineBackbone):
    """A Stable Audio 3 model as encode, denoise and decode; see `unheard.backbones.Backbone`.

    Latents are `[channels, frames]`, as many frames as the sound needs. Its parameters are frozen: gradients
    flow to latents and texts, never to weights.

    Args:
        vae, text_encoder, tokenizer, duration_embedder, transformer: the pipeline's parts, all on one device.
        scheduler_config: the configuration of the pipeline's scheduler; says whether the weights are
            distilled, and shifts the times.
        name: what the model is called in messages and provenance.
        folder: where it was loaded from, if it was.

    Raises:
        ModelError: the scheduler's configuration makes other times than those the transformer was trained on.
    """

    components = COMPONENTS

    def __init__(
        self,
        vae: AutoencoderSAME,
        text_encoder: T5GemmaEncoderModel,
        tokenizer: PreTrainedTokenizerBase,
        duration_embedder: StableAudio3DurationEmbedder,
        transformer: StableAudio3DiTModel,
        scheduler_config: Mapping[str, Any],
        *,
        name: str = "stable-audio-3",
        folder: Path | None = None,
    ) -> None:
        _check_times(scheduler_config, name)
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.duration_embedder = duration_embedder
        self.transformer = transformer
        self.hold(transformer, vae, text_encoder, duration_embedder, name=name, folder=folder)

        self.sample_rate = int(vae.config.sampling_rate)
        self.audio_channels = int(vae.config.audio_channels)
        self.hop_length = int(vae.downsampling_ratio)
        self.time_axis = -1
        self.parameterisation: Parameterisation = Velocity()
        self.distilled = bool(scheduler_config.get("stochastic_sampling"))
        self.default_sampling = DISTILLED if self.distilled else BASE
        self.max_duration = float(duration_embedder.config.max_val)
        self.latent_shape: tuple[int, ...] = (
            int(transformer.config.io_channels),
            self.frames(self.max_duration),
        )
        self.max_tokens = min(tokenizer.model_max_length, MAX_TOKENS)
        self._shift = float(scheduler_config.get("shift", 1.0))
        self._autoencoder = PiecewiseSAME(vae)

    @property
    def decoder_reach(self) -> int | None:
        """Of the windows of SAME's attention."""
        return self._autoencoder.reach

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str | None = None, device: torch.device, dtype: torch.dtype
    ) -> StableAudio3Backbone:
        """Load from a folder that `save_pretrained` of one of the pipelines wrote, in whatever dtype.

        Raises:
            ModelError: a part is missing, damaged, or not of the class it should be; or as above.
        """
        parts = Parts(folder, device, dtype)
        return cls(
            vae=parts.network("vae", AutoencoderSAME),
            text_encoder=parts.text_encoder("text_encoder", T5GemmaEncoderModel),
            tokenizer=parts.tokenizer("tokenizer", AutoTokenizer),
            duration_embedder=parts.network("duration_embedder", StableAudio3DurationEmbedder),
            transformer=parts.network("transformer", StableAudio3DiTModel),
            scheduler_config=parts.configuration("scheduler", "scheduler_config.json"),
            name=name or str(folder),
            folder=folder,
        )

    def frames(self, duration: float) -> int:
        """Frames of latents that cover `duration` seconds: `ceil(duration * sample_rate / hop_length)`.

        Raises:
            InputError: `duration` is not above 0, or longer than `max_duration`.
        """
        if not duration > 0:
            raise InputError(f"duration is {duration} s: give seconds above 0")
        if duration > self.max_duration:
            raise InputError(
                f"duration is {duration} s: {self.name} makes {self.max_duration:g} s at most, lower it"
            )
        return frames_covering(duration, self.sample_rate, self.hop_length)

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """As many frames as the sound has: the transformer was trained on all lengths."""
        return (self.latent_shape[0], self.frames(duration))

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """The noise levels of a sampling, [steps + 1] in float64 on the CPU.

        Args:
            sampling: in the model's own schedule, `logsnr_shares`; or in any polyexponential one.
            noise_level: the share of noise to begin with, above 0 and at most 1.

        Raises:
            InputError: the noise level is out of range, or its schedule rises at first and the sampler
                cannot.
        """
        share = share_between(noise_level)
        if sampling.schedule == "polyexponential":
            return sigmas_between(sampling, None if share == 1 else share / (1 - share))
        sigmas = flow_sigmas(logsnr_shares(sampling.num_inference_steps, share, self._shift))
        if sampling.sampler not in ANY_DIRECTION and bool((sigmas.diff() >= 0).any()):
            raise InputError(
                f"the model's own schedule rises at first from an init_noise_level of {noise_level:g}, which "
                f"{sampling.sampler} cannot follow: take euler or pingpong, or the schedule polyexponential"
            )
        return sigmas

    @torch.no_grad()
    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> StableAudio3Conditioning:
        """The conditioning of each prompt, with how long the sound is: from its start to its total.

        Where in its recording a sound starts means nothing to this model. Seconds outside the range that it
        knows (0 to 384) are clamped to it, as in its training.

        Args:
            prompts: one a sample. One longer than 256 tokens is cut, with a warning.
            seconds_start: one a sample.
            seconds_total: one a sample.

        Raises:
            InputError: the three are not of one length, a prompt is not text, or a time is not a finite
                number.
        """
        check_texts(prompts, seconds_start, seconds_total)
        states, mask = self._encode_texts(prompts)
        duration = self._encode_seconds(seconds_start, seconds_total)
        padding = self.transformer.prompt_padding_embedding
        return StableAudio3Conditioning.padded(states, mask, padding, duration)

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> StableAudio3Conditioning:
        """What classifier-free guidance leads away from: the negative prompt, or an empty one.

        With the same duration. At guidance scale 1, as distilled weights have it, it counts for nothing.

        Raises:
            InputError: as `encode`.
        """
        texts = ["" if prompt is None else prompt for prompt in negative_prompts]
        return self.encode(texts, seconds_start, seconds_total)

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: StableAudio3Conditioning) -> Tensor:
        """The estimate of `x0` in `x = x0 + sigma * noise`, from the velocity that the transformer predicts.

        Args:
            x: `[batch, channels, frames]`, of any number of frames.
            sigma: `[batch]`, each sample its own.
            conditioning: of as many samples.

        Returns:
            A tensor like `x`, in its dtype, differentiable in it.
        """
        z, time = self.parameterisation.native(x, sigma)
        velocity: Tensor = self.transformer(
            z.to(self.dtype),
            time,
            encoder_hidden_states=conditioning.cross_attention,
            global_hidden_states=conditioning.duration,
            local_add_cond=self._local_input,
            return_dict=False,
        )[0].to(x.dtype)
        return self.parameterisation.denoised(x, sigma, velocity)

    @torch.no_grad()
    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The autoencoder's latents `[batch, channels, frames]` of waveforms of any length, in pieces."""
        return self._autoencoder.encode(waveform)

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform `[batch, audio_channels, frames * hop_length]` of latents `[batch, channels, frames]`.

        Runs in the weights' dtype, comes back in the latents' own; differentiable. Not limited to [-1, 1],
        as the pipeline limits it.
        """
        return self._autoencoder.decode(latents)

    @property
    def _local_input(self) -> Tensor | None:
        """What the transformer is told frame by frame, for inpainting: nothing, as in the pipeline."""
        return None

    def _encode_texts(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The states of the texts' tokens `[batch, tokens, dimension]`, and 1 where there is one."""
        warn_of_truncation(self.tokenizer, prompts, self.max_tokens, self.name)
        tokens = tokenized(
            self.tokenizer,
            prompts,
            self.name,
            padding="max_length",
            max_length=self.max_tokens,
            truncation=True,
            return_tensors="pt",
        )
        mask = tokens.attention_mask.to(self.device)
        ids = known_tokens(tokens.input_ids, self.text_encoder, self.name).to(self.device)
        states = self.text_encoder(ids, attention_mask=mask).last_hidden_state
        return states.to(self.dtype), mask

    def _encode_seconds(self, seconds_start: Sequence[float], seconds_total: Sequence[float]) -> Tensor:
        """`[batch, dimension]`."""
        for value in (*seconds_start, *seconds_total):
            if not math.isfinite(value):
                raise InputError(f"the timing holds {value}: give seconds as finite numbers")
        seconds = [total - start for start, total in zip(seconds_start, seconds_total, strict=True)]
        embedding: Tensor = self.duration_embedder(
            torch.tensor(seconds, dtype=torch.float32, device=self.device)
        )
        return embedding


def _check_times(scheduler_config: Mapping[str, Any], name: str) -> None:
    """The transformer's time is the share of noise; a scheduler that means another makes noise of it."""
    expected = {
        "num_train_timesteps": 1,
        "use_dynamic_shifting": False,
        "shift_terminal": None,
        "invert_sigmas": False,
        "use_karras_sigmas": False,
        "use_exponential_sigmas": False,
        "use_beta_sigmas": False,
    }
    for setting, value in expected.items():
        # What a file leaves out is the scheduler's default: 1000 times, and else what is expected.
        given = scheduler_config.get(setting, 1000 if setting == "num_train_timesteps" else value)
        if given != value:
            raise ModelError(
                f"the scheduler of {name} has {setting} {given!r}: unheard runs Stable Audio 3 models with "
                f"{value!r} only, as they are converted"
            )
