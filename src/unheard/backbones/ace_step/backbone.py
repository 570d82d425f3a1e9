"""ACE-Step 1.5 (arXiv 2602.00744) from the parts of diffusers' AceStepPipeline: music from a text.

Weights, configuration and model code are diffusers' and transformers'. The pipeline itself is not used: it
runs without gradients and applies its guidance inline, so here its parts are driven one by one, and mean
what they mean there for the task "text2music".
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.ace_step.library import (
    AceStepConditionEncoder,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    AutoModel,
    AutoTokenizer,
    FlowMatchEulerDiscreteScheduler,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from unheard.backbones.ace_step.template import Song
from unheard.backbones.of_pipeline import PipelineBackbone
from unheard.backbones.parts import Parts
from unheard.backbones.pieces import encode_in_pieces
from unheard.backbones.sequences import SequenceConditioning
from unheard.backbones.stable_audio.oobleck import FrozenDecoder
from unheard.backbones.texts import check_texts, known_tokens, tokenized, warn_of_truncation
from unheard.diffusion.parameterisation import Parameterisation, Velocity
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, AdaptiveProjection, PromptGuidance
from unheard.diffusion.schedules import flow_sigmas_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

COMPONENTS = ("vae", "text_encoder", "tokenizer", "condition_encoder", "transformer", "scheduler")
"""The pipeline's folders, in the order in which its fingerprint reads them."""
MAX_TEXT, MAX_LYRICS = 256, 2048
"""Tokens of the description and of the lyrics, as in the pipeline."""
TIMBRE_SECONDS = 30
"""Of the recording that a timbre is taken from; silence, where there is none."""
SHIFT = 3.0
"""Of the times towards noise, as in the pipeline."""
PIECE, CONTEXT = 1024, 32
"""Frames of latents that are encoded at once (41 s), and beyond them on either side."""


class AceStepBackbone(PipelineBackbone):
    """An ACE-Step 1.5 model as encode, denoise and decode; see `unheard.backbones.Backbone`.

    Latents are `[frames, features]`, as many frames as the sound needs. Its parameters are frozen: gradients
    flow to latents, never to weights.

    Args:
        vae, text_encoder, tokenizer, condition_encoder, transformer: the pipeline's parts, all on one device.
        scheduler_config: the configuration of the pipeline's scheduler.
        name: what the model is called in messages and provenance.
        folder: where it was loaded from, if it was.
        song: what is told of every song besides prompt and duration.

    Raises:
        ModelError: the scheduler's times are no shares of noise.
    """

    components = COMPONENTS

    def __init__(
        self,
        vae: AutoencoderOobleck,
        text_encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        condition_encoder: AceStepConditionEncoder,
        transformer: AceStepTransformer1DModel,
        scheduler_config: Mapping[str, Any],
        *,
        name: str = "ace-step",
        folder: Path | None = None,
        song: Song | None = None,
    ) -> None:
        _check_times(scheduler_config, name)
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.condition_encoder = condition_encoder
        self.transformer = transformer
        self.hold(transformer, vae, text_encoder, condition_encoder, name=name, folder=folder)

        self.song = Song() if song is None else song
        self.sample_rate = int(vae.config.sampling_rate)
        self.audio_channels = int(vae.config.audio_channels)
        self.hop_length = int(vae.hop_length)
        self.features = int(transformer.config.audio_acoustic_hidden_dim)
        self.time_axis = -2
        self.max_duration = condition_encoder.silence_latent.shape[1] / self._frames_a_second
        self.latent_shape: tuple[int, ...] = self.noise_shape(self.max_duration)
        self.accepts = frozenset({"lyrics"})
        config = transformer.config
        self.distilled = bool(config.is_turbo or config.model_version == "turbo")
        self.default_sampling = Sampling(
            sampler="euler",
            num_inference_steps=8,
            guidance_scale=1.0 if self.distilled else 7.0,
            schedule="model",
        )
        self.parameterisation: Parameterisation = Velocity()
        self._scheduler_config = dict(scheduler_config)
        self._context_of: Tensor | None = None

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str | None = None, device: torch.device, dtype: torch.dtype
    ) -> AceStepBackbone:
        """Load from a folder that `AceStepPipeline.save_pretrained` wrote, in whatever dtype.

        Raises:
            ModelError: a part is missing, damaged, or not of the class it should be.
        """
        parts = Parts(folder, device, dtype)
        return cls(
            vae=parts.network("vae", AutoencoderOobleck),
            text_encoder=parts.text_encoder("text_encoder", AutoModel),
            tokenizer=parts.tokenizer("tokenizer", AutoTokenizer),
            condition_encoder=parts.network("condition_encoder", AceStepConditionEncoder),
            transformer=parts.network("transformer", AceStepTransformer1DModel),
            scheduler_config=parts.configuration("scheduler", "scheduler_config.json"),
            name=name or str(folder),
            folder=folder,
        )

    @functools.cached_property
    def _decoder(self) -> FrozenDecoder:
        """The autoencoder's decoder; made when first asked for, where the weights are by then."""
        return FrozenDecoder(self.vae.decoder)

    @property
    def decoder_reach(self) -> int | None:
        """Of Oobleck's convolutions."""
        return self._decoder.reach

    def frames(self, duration: float) -> int:
        """Frames of latents that cover `duration` seconds.

        Raises:
            InputError: `duration` is not above 0, or longer than `max_duration`.
        """
        if not 0 < duration <= self.max_duration:
            raise InputError(
                f"duration is {duration} s: {self.name} makes above 0 and at most {self.max_duration:g} s"
            )
        return math.ceil(duration * self._frames_a_second)

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """Of as many frames as the sound has."""
        return (self.frames(duration), self.features)

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """The noise levels of a sampling; a `noise_level` is the share of noise at the beginning.

        Raises:
            InputError: a noise level that is out of range.
        """
        return flow_sigmas_between(sampling, noise_level, self._shares)

    def check_sampling(self, sampling: Sampling) -> None:
        """Distilled weights have the guidance in them.

        Raises:
            InputError: a guidance scale above 1 for those.
        """
        if self.distilled and sampling.guidance_scale > 1:
            raise InputError(
                f"guidance_scale is {sampling.guidance_scale:g}: {self.name} is distilled and runs at 1"
            )

    def prompt_guidance(self) -> PromptGuidance:
        """Adaptive projection; of distilled weights none that matters, since they run at scale 1."""
        return CLASSIFIER_FREE if self.distilled else AdaptiveProjection(time_axis=self.time_axis)

    def with_lyrics(self, lyrics: str) -> AceStepBackbone:
        """The same model, with these lyrics in every song."""
        return self.telling(replace(self.song, lyrics=lyrics))

    def telling(self, song: Song) -> AceStepBackbone:
        """The same model, which is told this of every song."""
        self._decoder  # noqa: B018  made once for all
        same = copy.copy(self)
        same.song = song
        return same

    @torch.no_grad()
    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> SequenceConditioning:
        """The conditioning of each prompt, with the song's duration in whole seconds.

        The transformer attends to one sequence: the encoded lyrics, a token for the timbre, which is that of
        silence, and the description. It has no mask, and so sees the length of each.

        Args:
            prompts: one a sample. A description of more than `MAX_TEXT` tokens is cut, with a warning.
            seconds_start: one a sample; not told.
            seconds_total: one a sample.

        Raises:
            InputError: the three are not of one length, or a prompt is not text.
        """
        check_texts(prompts, seconds_start, seconds_total)
        texts = [
            self.song.description(prompt, total) for prompt, total in zip(prompts, seconds_total, strict=True)
        ]
        warn_of_truncation(self.tokenizer, texts, MAX_TEXT, self.name)
        return SequenceConditioning.cat([self._encode_text(text) for text in texts])

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> SequenceConditioning:
        """What the guidance leads away from: the learned embedding of nothing, as long as one likes.

        Raises:
            InputError: a negative prompt, which this model does not know.
        """
        for prompt in negative_prompts:
            if prompt is not None:
                raise InputError(f"{self.name} takes no negative prompt: leave {prompt!r} out")
        nothing = self.nothing
        one = SequenceConditioning.of(nothing[None, None], torch.ones(1, 1, device=nothing.device), nothing)
        return one.select([0] * len(negative_prompts))

    def encode_both(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> tuple[SequenceConditioning, SequenceConditioning]:
        """With prompts, and without: of the same lengths, so that one call of the transformer serves both.

        Raises:
            InputError: as `encode` and `encode_unconditional`.
        """
        self.encode_unconditional(negative_prompts, seconds_start, seconds_total)
        conditional = self.encode(prompts, seconds_start, seconds_total)
        return conditional, conditional.without_text()

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: SequenceConditioning) -> Tensor:
        """The estimate of `x0` in `x = x0 + sigma * noise`, from the velocity that the transformer predicts.

        Args:
            x: `[batch, frames, features]`, of any number of frames.
            sigma: `[batch]`, each sample its own.
            conditioning: of as many samples. The transformer is called once for each length.

        Returns:
            A tensor like `x`, in its dtype, differentiable in it.
        """
        z, time = self.parameterisation.native(x, sigma)
        z, time, context = z.to(self.dtype), time.to(self.dtype), self._context(x.shape[1])

        def network(samples: list[int], states: Tensor, mask: Tensor) -> Tensor:
            velocity: Tensor = self.transformer(
                hidden_states=z[samples],
                timestep=time[samples],
                timestep_r=time[samples],
                encoder_hidden_states=states,
                context_latents=context.expand(len(samples), -1, -1),
                return_dict=False,
            )[0]
            return velocity

        return self.parameterisation.denoised(x, sigma, conditioning.predict(network).to(x.dtype))

    @torch.no_grad()
    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The autoencoder's posterior mean `[batch, frames, features]` of waveforms.

        In pieces of `PIECE` frames with `CONTEXT` frames around them, so that memory does not grow with the
        recording. The encoder reaches no further.
        """

        def encode(samples: Tensor) -> Tensor:
            mean: Tensor = self.vae.encode(samples.to(self.device, self.dtype)).latent_dist.mean
            return mean.float()

        latents = encode_in_pieces(encode, waveform, self.hop_length, piece=PIECE, context=CONTEXT)
        return latents.transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform `[batch, audio_channels, frames * hop_length]` of latents `[batch, frames, features]`.

        Runs in the weights' dtype, comes back in the latents' own; differentiable once. As loud as the
        network makes it, and so not limited to [-1, 1]: the pipeline sets the peak to -1 dB afterwards.
        """
        return self._decoder(latents.transpose(1, 2).to(self.dtype)).to(latents.dtype)

    @property
    def _frames_a_second(self) -> float:
        return self.sample_rate / self.hop_length

    @property
    def nothing(self) -> Tensor:
        """The learned embedding of no condition, `[dimension]`."""
        nothing: Tensor = self.condition_encoder.null_condition_emb[0, 0]
        return nothing

    def _shares(self, steps: int) -> Tensor:
        """The shares of noise at which the pipeline calls the transformer, falling from 1."""
        even = torch.linspace(1.0, 0.0, steps + 1)[:-1]
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self._scheduler_config)
        scheduler.set_timesteps(sigmas=(SHIFT * even / (1 + (SHIFT - 1) * even)).tolist())
        shares: Tensor = scheduler.sigmas[:-1].double()
        return shares

    def _encode_text(self, description: str) -> SequenceConditioning:
        """One song's sequence, as the pipeline has it of one prompt: nothing is padded."""
        tokens, sung = self._tokens(description, MAX_TEXT), self._tokens(self.song.words(), MAX_LYRICS)
        timbre = self.condition_encoder.silence_latent[:, : math.ceil(TIMBRE_SECONDS * self._frames_a_second)]
        states, mask = self.condition_encoder(
            text_hidden_states=self.text_encoder(input_ids=tokens).last_hidden_state.to(self.dtype),
            text_attention_mask=torch.ones_like(tokens, dtype=torch.bool),
            lyric_hidden_states=self.text_encoder.get_input_embeddings()(sung).to(self.dtype),
            lyric_attention_mask=torch.ones_like(sung, dtype=torch.bool),
            refer_audio_acoustic_hidden_states_packed=timbre,
            refer_audio_order_mask=torch.zeros(1, dtype=torch.long, device=self.device),
        )
        return SequenceConditioning.of(states, mask, self.nothing)

    def _tokens(self, text: str, limit: int) -> Tensor:
        options = {"truncation": True, "max_length": limit, "return_tensors": "pt"}
        tokens = tokenized(self.tokenizer, [text], self.name, **options)
        return known_tokens(tokens.input_ids, self.text_encoder, self.name).to(self.device)

    def _context(self, frames: int) -> Tensor:
        """What the transformer sees beside the latents `[1, frames, 2 * features]`.

        Silence, as the source that nothing is taken from, and ones: every frame is to be made.
        """
        if self._context_of is None or self._context_of.shape[1] != frames:
            silence = self.condition_encoder.silence_latent.to(self.dtype)
            tiled = silence.repeat(1, -(-frames // silence.shape[1]), 1)[:, :frames]
            self._context_of = torch.cat([tiled, torch.ones_like(tiled)], dim=-1)
        return self._context_of


def _check_times(scheduler_config: Mapping[str, Any], name: str) -> None:
    """The transformer is told the scheduler's times as they are: shares of noise from 1 to 0."""
    if (steps := scheduler_config.get("num_train_timesteps")) != 1 or scheduler_config.get("invert_sigmas"):
        raise ModelError(
            f"the scheduler of {name} has num_train_timesteps {steps!r} and invert_sigmas "
            f"{scheduler_config.get('invert_sigmas')!r}: unheard runs ACE-Step models with 1 and False only"
        )
