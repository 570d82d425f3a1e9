"""Stable Audio Open (Evans et al. 2024, arXiv 2407.14358) from the parts of diffusers' StableAudioPipeline.

Weights, configuration and model code are diffusers' and transformers'. The pipeline itself is not used: it
runs without gradients and applies its guidance inline, so here its parts are driven one by one, and mean
what they mean there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.discrete_times import DiscreteTimes
from unheard.backbones.of_pipeline import PipelineBackbone, frames_covering
from unheard.backbones.parts import Parts
from unheard.backbones.pieces import encode_in_pieces
from unheard.backbones.stable_audio.conditioning import StableAudioConditioning
from unheard.backbones.stable_audio.library import (
    AutoencoderOobleck,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    StableAudioDiTModel,
    StableAudioProjectionModel,
    T5EncoderModel,
    get_1d_rotary_pos_embed,
)
from unheard.backbones.stable_audio.oobleck import FrozenDecoder
from unheard.backbones.texts import (
    check_texts,
    known_tokens,
    tokenized,
    unknown_words,
    warn_of_truncation,
    whole_words,
)
from unheard.diffusion.parameterisation import Parameterisation, VPrediction
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

COMPONENTS = ("vae", "text_encoder", "tokenizer", "projection_model", "transformer", "scheduler")
"""The pipeline's folders, in the order in which its fingerprint reads them."""
PIECE, CONTEXT = 1024, 32
"""Frames of latents that are encoded at once (48 s of Stable Audio Open), and beyond them on either side."""


class StableAudioBackbone(PipelineBackbone):
    """A Stable Audio Open model as encode, denoise and decode; see `unheard.backbones.Backbone`.

    Latents are `[channels, frames]`. Its parameters are frozen: gradients flow to latents, never to weights.

    Args:
        vae, text_encoder, tokenizer, projection_model, transformer: the pipeline's parts, all on one device.
        parameterisation: what the transformer sees and predicts.
        times: of a transformer that predicts noise in discrete times.
        name: what the model is called in messages and provenance.
        folder: where it was loaded from, if it was.
    """

    components = COMPONENTS

    def __init__(
        self,
        vae: AutoencoderOobleck,
        text_encoder: T5EncoderModel,
        tokenizer: PreTrainedTokenizerBase,
        projection_model: StableAudioProjectionModel,
        transformer: StableAudioDiTModel,
        parameterisation: Parameterisation,
        *,
        times: DiscreteTimes | None = None,
        name: str = "stable-audio",
        folder: Path | None = None,
    ) -> None:
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.projection_model = projection_model
        self.transformer = transformer
        self.hold(transformer, vae, text_encoder, projection_model, name=name, folder=folder)

        self.sample_rate = int(vae.config.sampling_rate)
        self.audio_channels = int(vae.config.audio_channels)
        self.hop_length = int(vae.hop_length)
        self.time_axis = -1
        # Stable Audio Open Small is told only how long a recording is.
        knows_start = projection_model.start_number_conditioner is not None
        self.accepts = frozenset({"negative_prompt"} | ({"start"} if knows_start else set()))
        self.parameterisation = parameterisation
        self._times = times
        if times is not None:
            self.default_sampling = times.default_sampling(100, guidance_scale=7.0)
        self._full_length = int(transformer.config.sample_size)
        self.latent_shape: tuple[int, ...] = (int(transformer.config.in_channels), self._full_length)
        self.max_duration = self._full_length * self.hop_length / self.sample_rate
        self._rotary_embeddings: dict[int, tuple[Tensor, Tensor]] = {}

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str | None = None, device: torch.device, dtype: torch.dtype
    ) -> StableAudioBackbone:
        """Load from a folder that `StableAudioPipeline.save_pretrained` wrote, in whatever dtype.

        Raises:
            ModelError: a part is missing, damaged, or not of the class it should be, or the scheduler is
                neither of a v-prediction with sigma_data 1 nor of a noise prediction in discrete times.
        """
        name = name or str(folder)
        parts = Parts(folder, device, dtype)
        # Read, and not by its class: nothing else of the scheduler is used.
        parameterisation, times = prediction_of(
            parts.configuration("scheduler", "scheduler_config.json"), name
        )
        return cls(
            vae=parts.network("vae", AutoencoderOobleck),
            text_encoder=parts.text_encoder("text_encoder", T5EncoderModel),
            tokenizer=parts.tokenizer("tokenizer", AutoTokenizer),
            projection_model=parts.network("projection_model", StableAudioProjectionModel),
            transformer=parts.network("transformer", StableAudioDiTModel),
            parameterisation=parameterisation,
            times=times,
            name=name,
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

    @functools.cached_property
    def _words(self) -> frozenset[str] | None:
        """The words that the tokenizer has, if it has whole words."""
        return whole_words(self.tokenizer.get_vocab())

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words of a prompt that the tokenizer spells in letters, if it is one of whole words."""
        return () if self._words is None else unknown_words(self._words, text)

    def frames(self, duration: float) -> int:
        """Frames of latents that cover `duration` seconds: `ceil(duration * sample_rate / hop_length)`.

        Raises:
            InputError: `duration` is not above 0, or longer than `max_duration`.
        """
        if not duration > 0:
            raise InputError(f"duration is {duration} s: give seconds above 0")
        if not duration * self.sample_rate < self._full_length * self.hop_length + 0.5:
            raise InputError(
                f"duration is {duration} s: {self.name} makes {self.max_duration:.3f} s at most, lower it"
            )
        return frames_covering(duration, self.sample_rate, self.hop_length)

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """See `Backbone`; of discrete times see `DiscreteTimes.sigmas`."""
        if self._times is None:
            return super().sigmas(sampling, noise_level)
        return self._times.sigmas(sampling, noise_level)

    @torch.no_grad()
    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> StableAudioConditioning:
        """The conditioning of each prompt, with where in its recording the sound starts and ends.

        The transformer attends to the text's tokens, zero where the text has ended, followed by one token
        for the start, if the model knows starts, and one for the end; the same, concatenated, are its global
        states. Seconds outside the range that the model knows (0 to 512 for Stable Audio Open 1.0) are
        clamped to it, as in its training.

        Args:
            prompts: one a sample. One longer than the tokenizer's limit is cut, with a warning.
            seconds_start: one a sample.
            seconds_total: one a sample.

        Raises:
            InputError: the three are not of one length, a prompt is not text, or a time is not a finite
                number.
        """
        check_texts(prompts, seconds_start, seconds_total)
        text = self._encode_text(prompts)
        times = self._encode_seconds(seconds_start, seconds_total)
        return StableAudioConditioning(
            cross_attention=torch.cat([text, *times], dim=1), global_states=torch.cat(times, dim=2)
        )

    @torch.no_grad()
    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> StableAudioConditioning:
        """What classifier-free guidance leads away from, as diffusers' pipeline has it.

        A negative prompt is conditioning like any other. Where it is None, all tokens of the
        cross-attention are zero, those of the timing too, while the global states still hold the timing.

        Raises:
            InputError: as `encode`.
        """
        conditioning = self.encode(
            ["" if prompt is None else prompt for prompt in negative_prompts], seconds_start, seconds_total
        )
        given = torch.tensor([prompt is not None for prompt in negative_prompts], device=self.device)
        return StableAudioConditioning(
            cross_attention=conditioning.cross_attention * given[:, None, None],
            global_states=conditioning.global_states,
        )

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: StableAudioConditioning) -> Tensor:
        """The estimate of `x0` in `x = x0 + sigma * noise`, from what the transformer predicts.

        Args:
            x: `[batch, channels, frames]`, of full length as in training: `latent_shape`.
            sigma: `[batch]`, each sample its own.
            conditioning: of as many samples.

        Returns:
            A tensor like `x`, in its dtype, differentiable in it.
        """
        z, time = self.parameterisation.native(x, sigma)
        prediction: Tensor = self.transformer(
            z.to(self.dtype),
            time,
            encoder_hidden_states=conditioning.cross_attention,
            global_hidden_states=conditioning.global_states,
            rotary_embedding=self._rotary_embedding(x.shape[-1]),
            return_dict=False,
        )[0].to(x.dtype)
        return self.parameterisation.denoised(x, sigma, prediction)

    @torch.no_grad()
    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The autoencoder's posterior mean `[batch, channels, frames]` of waveforms.

        In pieces of `PIECE` frames with `CONTEXT` frames around them, so that memory does not grow with the
        recording. The encoder reaches no further.
        """

        def encode(samples: Tensor) -> Tensor:
            mean: Tensor = self.vae.encode(samples.to(self.device, self.dtype)).latent_dist.mean
            return mean.float()

        return encode_in_pieces(encode, waveform, self.hop_length, piece=PIECE, context=CONTEXT)

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform `[batch, audio_channels, frames * hop_length]` of latents `[batch, channels, frames]`.

        Runs in the weights' dtype, comes back in the latents' own; differentiable once. Not limited to
        [-1, 1].
        """
        return self._decoder(latents.to(self.dtype)).to(latents.dtype)

    def _encode_text(self, prompts: Sequence[str]) -> Tensor:
        """`[batch, tokens, dimension]`, zero beyond each text's end."""
        warn_of_truncation(self.tokenizer, prompts, self.tokenizer.model_max_length, self.name)
        tokens = tokenized(
            self.tokenizer,
            prompts,
            self.name,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        mask = tokens.attention_mask.to(self.device)
        ids = known_tokens(tokens.input_ids, self.text_encoder, self.name).to(self.device)
        states = self.text_encoder(ids, attention_mask=mask).last_hidden_state
        text = self.projection_model(text_hidden_states=states.to(self.dtype)).text_hidden_states
        masked: Tensor = text * mask.unsqueeze(-1)
        return masked

    def _encode_seconds(self, seconds_start: Sequence[float], seconds_total: Sequence[float]) -> list[Tensor]:
        """A token `[batch, 1, dimension]` for each time that the model knows: the start perhaps, the end."""
        for value in (*seconds_start, *seconds_total):
            if not math.isfinite(value):
                raise InputError(f"the timing holds {value}: give seconds as finite numbers")
        start, end = (
            self.projection_model.start_number_conditioner,
            self.projection_model.end_number_conditioner,
        )
        return [
            conditioner(torch.tensor(seconds, dtype=torch.float32, device=self.device))
            for conditioner, seconds in ((start, seconds_start), (end, seconds_total))
            if conditioner is not None
        ]

    def _rotary_embedding(self, frames: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the positions: first one for the global states, then the frames."""
        if frames not in self._rotary_embeddings:
            cosines, sines = get_1d_rotary_pos_embed(
                self.transformer.config.attention_head_dim // 2,
                frames + 1,
                use_real=True,
                repeat_interleave_real=False,
            )
            self._rotary_embeddings[frames] = (cosines.to(self.device), sines.to(self.device))
        return self._rotary_embeddings[frames]


def prediction_of(
    scheduler_config: Mapping[str, Any], name: str
) -> tuple[Parameterisation, DiscreteTimes | None]:
    """What the transformer of a pipeline predicts, by the configuration of its scheduler, and at which times.

    Raises:
        ModelError: neither v with sigma_data 1 nor noise, for which other weights would make noise.
    """
    if scheduler_config.get("prediction_type") == "epsilon" and "sigma_data" not in scheduler_config:
        times = DiscreteTimes(scheduler_config, name)
        return times.parameterisation, times
    for setting, expected in (("prediction_type", "v_prediction"), ("sigma_data", 1.0)):
        if scheduler_config.get(setting) != expected:
            raise ModelError(
                f"the scheduler of {name} has {setting} {scheduler_config.get(setting)!r}: unheard runs "
                f"Stable Audio models with {expected!r}, or such as predict noise in discrete times"
            )
    return VPrediction(), None
