"""LongCat-AudioDiT (arXiv 2603.29339) from the parts of diffusers' LongCatAudioDiTPipeline.

Weights, configuration and model code are diffusers' and transformers'. The pipeline itself is not used: it
runs without gradients and applies its guidance inline, so here its parts are driven one by one, and mean
what they mean there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.backbones.longcat.library import (
    AutoTokenizer,
    FlowMatchEulerDiscreteScheduler,
    LongCatAudioDiTTransformer,
    LongCatAudioDiTVae,
    PreTrainedTokenizerBase,
    UMT5EncoderModel,
)
from unheard.backbones.of_pipeline import PipelineBackbone
from unheard.backbones.parts import Parts
from unheard.backbones.pieces import encode_in_pieces
from unheard.backbones.sequences import SequenceConditioning
from unheard.backbones.texts import check_texts, known_tokens, tokenized, warn_of_truncation
from unheard.diffusion.parameterisation import Parameterisation, ReversedVelocity
from unheard.diffusion.schedules import flow_sigmas_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

COMPONENTS = ("vae", "text_encoder", "tokenizer", "transformer", "scheduler")
"""The pipeline's folders, in the order in which its fingerprint reads them."""
MAX_DURATION = 30.0
"""Seconds; the pipeline makes no more."""
PIECE, CONTEXT = 512, 16
"""Frames of latents that are encoded at once (44 s), and beyond them on either side."""
NORM_EPSILON = 1e-6
DEFAULT_SCHEDULER = {"shift": 1.0, "invert_sigmas": True}
"""Of the scheduler that the pipeline makes where it is given none."""
QUOTATION_MARKS = r'["\u201c\u201d\u2018\u2019]'


class LongCatBackbone(PipelineBackbone):
    """A LongCat-AudioDiT model as encode, denoise and decode; see `unheard.backbones.Backbone`.

    Latents are `[frames, features]`, as many frames as fit into the duration. The text is all that the model
    is told: neither where the sound begins nor how long it is. Its parameters are frozen.

    Args:
        vae, text_encoder, tokenizer, transformer: the pipeline's parts, all on one device.
        scheduler_config: the configuration of the pipeline's scheduler; makes the model's own times.
        name: what the model is called in messages and provenance.
        folder: where it was loaded from, if it was.

    Raises:
        ModelError: the scheduler's times do not run from noise to sound.
    """

    components = COMPONENTS

    def __init__(
        self,
        vae: LongCatAudioDiTVae,
        text_encoder: UMT5EncoderModel,
        tokenizer: PreTrainedTokenizerBase,
        transformer: LongCatAudioDiTTransformer,
        scheduler_config: Mapping[str, Any] = DEFAULT_SCHEDULER,
        *,
        name: str = "longcat",
        folder: Path | None = None,
    ) -> None:
        if not scheduler_config.get("invert_sigmas"):
            raise ModelError(
                f"the scheduler of {name} has invert_sigmas {scheduler_config.get('invert_sigmas')!r}: "
                "unheard runs LongCat models with True only"
            )
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.transformer = transformer
        self.hold(transformer, vae, text_encoder, name=name, folder=folder)

        self.sample_rate = int(vae.config.sample_rate)
        self.audio_channels = int(vae.config.in_channels)
        self.hop_length = int(vae.config.downsampling_ratio)
        self.max_duration = MAX_DURATION
        self.features = int(transformer.config.latent_dim)
        self.time_axis = -2
        self.latent_shape: tuple[int, ...] = self.noise_shape(MAX_DURATION)
        self.accepts = frozenset({"negative_prompt"})
        self.default_sampling = Sampling(
            sampler="euler", num_inference_steps=16, guidance_scale=4.0, schedule="model"
        )
        self.parameterisation: Parameterisation = ReversedVelocity()
        self._scheduler_config = dict(scheduler_config)

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str | None = None, device: torch.device, dtype: torch.dtype
    ) -> LongCatBackbone:
        """Load from a folder that `LongCatAudioDiTPipeline.save_pretrained` wrote, in whatever dtype.

        Raises:
            ModelError: a part is missing, damaged, or not of the class it should be.
        """
        parts = Parts(folder, device, dtype)
        return cls(
            vae=parts.network("vae", LongCatAudioDiTVae),
            text_encoder=parts.text_encoder("text_encoder", UMT5EncoderModel),
            tokenizer=parts.tokenizer("tokenizer", AutoTokenizer),
            transformer=parts.network("transformer", LongCatAudioDiTTransformer),
            # The pipeline writes none: it can do without.
            scheduler_config=parts.configuration("scheduler", "scheduler_config.json")
            if (folder / "scheduler").is_dir()
            else DEFAULT_SCHEDULER,
            name=name or str(folder),
            folder=folder,
        )

    def frames(self, duration: float) -> int:
        """Whole frames of latents in `duration` seconds, at least 1: a sound may lack a part of a frame.

        Raises:
            InputError: `duration` is not above 0, or longer than `max_duration`.
        """
        if not 0 < duration <= MAX_DURATION:
            raise InputError(f"duration is {duration} s: {self.name} makes above 0 and at most 30 s")
        return max(1, int(duration * self.sample_rate // self.hop_length))

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """Of as many frames as the sound has."""
        return (self.frames(duration), self.features)

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """The noise levels of a sampling; a `noise_level` is the share of noise at the beginning.

        Raises:
            InputError: a noise level that is out of range.
        """
        return flow_sigmas_between(sampling, noise_level, self._shares)

    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> SequenceConditioning:
        """The conditioning of each prompt, in lower case and without quotation marks; the timing is not told.

        Args:
            prompts: one a sample. One longer than the tokenizer's limit is cut, with a warning.
            seconds_start: one a sample.
            seconds_total: one a sample.

        Raises:
            InputError: the three are not of one length, or a prompt is not text.
        """
        check_texts(prompts, seconds_start, seconds_total)
        return self._encode_text([_normalised(prompt) for prompt in prompts])

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> SequenceConditioning:
        """What classifier-free guidance leads away from: a negative prompt, as it is written.

        Where it is None, zeros, as many as an empty prompt has tokens. See `encode_both`.

        Raises:
            InputError: as `encode`.
        """
        return self.encode_both([""] * len(negative_prompts), negative_prompts, seconds_start, seconds_total)[
            1
        ]

    def encode_both(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> tuple[SequenceConditioning, SequenceConditioning]:
        """With prompts, and without: where a negative prompt is None, its prompt's states are zeros.

        Raises:
            InputError: as `encode`.
        """
        conditional = self.encode(prompts, seconds_start, seconds_total)
        told = ["" if prompt is None else prompt for prompt in negative_prompts]
        check_texts(told, seconds_start, seconds_total)
        both = SequenceConditioning.cat([conditional.without_text(), self._encode_text(told)])
        return conditional, both.select(
            [
                sample if prompt is None else len(prompts) + sample
                for sample, prompt in enumerate(negative_prompts)
            ]
        )

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: SequenceConditioning) -> Tensor:
        """The estimate of `x0` in `x = x0 + sigma * noise`, from the velocity that the transformer predicts.

        Args:
            x: `[batch, frames, features]`, of any number of frames.
            sigma: `[batch]`, each sample its own.
            conditioning: of as many samples. The transformer is called once for each length of their texts.

        Returns:
            A tensor like `x`, in its dtype, differentiable in it.
        """
        z, time = self.parameterisation.native(x, sigma)
        z, time = z.to(self.dtype), time.to(self.dtype)

        def network(samples: list[int], states: Tensor, mask: Tensor) -> Tensor:
            velocity: Tensor = self.transformer(
                hidden_states=z[samples],
                encoder_hidden_states=states,
                encoder_attention_mask=mask,
                timestep=time[samples],
                latent_cond=torch.zeros_like(z[samples]),
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
            latents: Tensor = self.vae.encode(
                samples.to(self.device, self.dtype), sample_posterior=False
            ).latents
            return latents.float()

        latents = encode_in_pieces(encode, waveform, self.hop_length, piece=PIECE, context=CONTEXT)
        return latents.transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform `[batch, audio_channels, frames * hop_length]` of latents `[batch, frames, features]`.

        Runs in the weights' dtype, comes back in the latents' own; differentiable. Not limited to [-1, 1].
        """
        waveform: Tensor = self.vae.decode(latents.transpose(1, 2)).sample
        return waveform.to(latents.dtype)

    def _shares(self, steps: int) -> Tensor:
        """The shares of noise at which the pipeline calls the transformer, falling from 1."""
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self._scheduler_config)
        scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1.0 / steps, steps).tolist())
        shares: Tensor = 1 - scheduler.sigmas[:-1].double()
        return shares

    @torch.no_grad()
    def _encode_text(self, texts: Sequence[str]) -> SequenceConditioning:
        """The last layer's states and the first one's, each normalised, added up; each text for itself."""
        limit = self._token_limit
        warn_of_truncation(self.tokenizer, texts, limit, self.name)
        options = {"padding": "longest", "truncation": True, "max_length": limit, "return_tensors": "pt"}
        tokens = tokenized(self.tokenizer, texts, self.name, **options)
        mask = tokens.attention_mask.to(self.device)
        ids = known_tokens(tokens.input_ids, self.text_encoder, self.name).to(self.device)
        output = self.text_encoder(ids, attention_mask=mask, output_hidden_states=True)
        last, first = (_normed(states) for states in (output.last_hidden_state, output.hidden_states[0]))
        states = (last + first).to(self.dtype)
        lengths = tokens.attention_mask.sum(dim=1).tolist()
        return SequenceConditioning.of(states, mask, torch.zeros_like(states[0, 0]), lengths)

    @property
    def _token_limit(self) -> int:
        """The tokenizer's, unless that says nothing; as the pipeline decides it."""
        limit = self.tokenizer.model_max_length
        return limit if isinstance(limit, int) and 0 < limit <= 32_768 else 512


def _normed(states: Tensor) -> Tensor:
    return F.layer_norm(states, states.shape[-1:], eps=NORM_EPSILON)


def _normalised(prompt: str) -> str:
    """As the model was trained to read texts: in lower case, without quotation marks."""
    return re.sub(r"\s+", " ", re.sub(QUOTATION_MARKS, " ", prompt.lower())).strip()
