"""AudioLDM 2 (Liu et al. 2023, arXiv 2308.05734) from the parts of diffusers' AudioLDM2Pipeline.

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

from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning
from unheard.backbones.audioldm2.library import (
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    AutoTokenizer,
    ClapModel,
    GPT2Model,
    PreTrainedTokenizerBase,
    SpeechT5HifiGan,
    T5EncoderModel,
)
from unheard.backbones.audioldm2.mel import LogMel, as_in_training
from unheard.backbones.audioldm2.prompts import PromptEncoder
from unheard.backbones.discrete_times import DiscreteTimes
from unheard.backbones.of_pipeline import PipelineBackbone, frames_covering
from unheard.backbones.parts import Parts
from unheard.backbones.pieces import encode_in_pieces
from unheard.backbones.texts import check_texts, warn_of_truncation
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

COMPONENTS = (
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "projection_model",
    "language_model",
    "unet",
    "vocoder",
    "scheduler",
)
"""The pipeline's folders, in the order in which its fingerprint reads them; CLAP's ears are not needed."""
PIECE, CONTEXT = 256, 32
"""Frames of latents that are encoded at once (10.24 s, as in training), and beyond them on either side."""
MAX_DURATION = 60.0
"""Seconds. The pipeline has no limit, but attention takes memory with the square of a sound's length."""


class AudioLDM2Backbone(PipelineBackbone):
    """An AudioLDM 2 model as encode, denoise and decode; see `unheard.backbones.Backbone`.

    Latents are `[channels, frames, bands]`, of a mel spectrogram. Its parameters are frozen: gradients flow
    to latents, never to weights.

    Args:
        vae, text_encoder, text_encoder_2, tokenizer, tokenizer_2, projection_model, language_model, unet,
            vocoder: the pipeline's parts, all on one device; the language model with a head or without.
        scheduler_config: the configuration of the pipeline's scheduler, of any class: its betas and times.
        name: what the model is called in messages and provenance.
        folder: where it was loaded from, if it was.

    Raises:
        ModelError: the scheduler's configuration is not of a noise prediction in discrete times, the text
            encoder is the one that reads transcriptions, or the UNet's configuration says no length.
    """

    components = COMPONENTS

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: ClapModel,
        text_encoder_2: T5EncoderModel,
        tokenizer: PreTrainedTokenizerBase,
        tokenizer_2: PreTrainedTokenizerBase,
        projection_model: AudioLDM2ProjectionModel,
        language_model: GPT2Model,
        unet: AudioLDM2UNet2DConditionModel,
        vocoder: SpeechT5HifiGan,
        scheduler_config: Mapping[str, Any],
        *,
        name: str = "audioldm2",
        folder: Path | None = None,
    ) -> None:
        _check_text_encoder(text_encoder_2.config.model_type, name)
        if not isinstance(unet.config.sample_size, int):
            raise ModelError(
                f"the unet of {name} has sample_size {unet.config.sample_size!r}: its configuration must say "
                "how many frames of latents it was trained on"
            )
        self.vae = vae
        self.unet = unet
        self.vocoder = vocoder
        self.prompt_encoder = PromptEncoder(
            text_encoder,
            text_encoder_2,
            tokenizer,
            tokenizer_2,
            projection_model,
            language_model.base_model,
        )
        others = vae, text_encoder, text_encoder_2, projection_model, language_model, vocoder
        self.hold(unet, *others, name=name, folder=folder)

        self.sample_rate = int(vocoder.config.sampling_rate)
        self.audio_channels = 1
        self.max_duration = MAX_DURATION
        self.mel_hop_length = int(math.prod(vocoder.config.upsample_rates))
        self._mel_frames: int = 2 ** (len(vae.config.block_out_channels) - 1)
        self.hop_length: int = self.mel_hop_length * self._mel_frames
        self.time_axis = -2
        self._bands = int(vocoder.config.model_in_dim)
        self.latent_shape: tuple[int, ...] = (
            int(unet.config.in_channels),
            unet.config.sample_size,
            self._bands // self._mel_frames,
        )
        self._times = DiscreteTimes(scheduler_config, name)
        self.parameterisation = self._times.parameterisation
        self.default_sampling = self._times.default_sampling(200, guidance_scale=3.5)

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str | None = None, device: torch.device, dtype: torch.dtype
    ) -> AudioLDM2Backbone:
        """Load from a folder that `AudioLDM2Pipeline.save_pretrained` wrote, in whatever dtype.

        Raises:
            ModelError: a part is missing, damaged, or not of the class it should be.
        """
        parts = Parts(folder, device, dtype)
        reads = parts.configuration("text_encoder_2", "config.json").get("model_type")
        _check_text_encoder(reads, str(folder))
        return cls(
            vae=parts.network("vae", AutoencoderKL),
            text_encoder=parts.text_encoder("text_encoder", ClapModel),
            text_encoder_2=parts.text_encoder("text_encoder_2", T5EncoderModel),
            tokenizer=parts.tokenizer("tokenizer", AutoTokenizer),
            tokenizer_2=parts.tokenizer("tokenizer_2", AutoTokenizer),
            projection_model=parts.network("projection_model", AudioLDM2ProjectionModel),
            language_model=parts.text_encoder("language_model", GPT2Model),
            unet=parts.network("unet", AudioLDM2UNet2DConditionModel),
            vocoder=parts.text_encoder("vocoder", SpeechT5HifiGan),
            scheduler_config=parts.configuration("scheduler", "scheduler_config.json"),
            name=name or str(folder),
            folder=folder,
        )

    def frames(self, duration: float) -> int:
        """Frames of latents that cover `duration` seconds: `ceil(duration * sample_rate / hop_length)`.

        The pipeline counts whole frames of the mel first, rounded down, and so makes some sounds up to 10 ms
        shorter than asked for; wherever its frames cover the duration, these are as many.

        Raises:
            InputError: `duration` is not above 0, or longer than `max_duration`.
        """
        if not duration > 0:
            raise InputError(f"duration is {duration} s: give seconds above 0")
        if not duration <= self.max_duration:
            raise InputError(
                f"duration is {duration} s: {self.name} makes {self.max_duration:g} s at most, lower it"
            )
        return frames_covering(duration, self.sample_rate, self.hop_length)

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """Of as many frames as the duration has: the network is not bound to a length."""
        channels, _, bands = self.latent_shape
        return channels, self.frames(duration), bands

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """The noise levels of a sampling, [steps + 1]; see `DiscreteTimes.sigmas`."""
        return self._times.sigmas(sampling, noise_level)

    @torch.no_grad()
    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> AudioLDM2Conditioning:
        """The conditioning of each prompt, as if it were alone; the model is told no times.

        Args:
            prompts: one a sample. One longer than the tokenizer's limit is cut, with a warning.
            seconds_start, seconds_total: one a sample, unused.

        Raises:
            InputError: the three are not of one length, or a prompt is not text.
        """
        check_texts(prompts, seconds_start, seconds_total)
        self._warn_of_truncation(prompts)
        return AudioLDM2Conditioning.cat([self.prompt_encoder(prompt) for prompt in prompts])

    @torch.no_grad()
    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> AudioLDM2Conditioning:
        """What classifier-free guidance leads away from: a negative prompt, or the empty text for None.

        Alone, each is as long as it is. Beside a prompt the pipeline has it as long as that: `encode_both`.

        Raises:
            InputError: as `encode`.
        """
        return self.encode([prompt or "" for prompt in negative_prompts], seconds_start, seconds_total)

    @torch.no_grad()
    def encode_both(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> tuple[AudioLDM2Conditioning, AudioLDM2Conditioning]:
        """With prompts, and without, as the pipeline makes both of each prompt alone.

        It pads a negative prompt to as many tokens of T5 as its prompt has, and cuts what is beyond; here
        with a warning.

        Raises:
            InputError: as `encode`.
        """
        conditional = self.encode(prompts, seconds_start, seconds_total)
        texts = [prompt or "" for prompt in negative_prompts]
        check_texts(texts, seconds_start, seconds_total)
        unconditional = []
        for text, tokens in zip(texts, conditional.presence.sum(dim=1).int().tolist(), strict=True):
            warn_of_truncation(self.prompt_encoder.tokenizer_2, [text], tokens, f"{self.name} beside it")
            unconditional.append(self.prompt_encoder(text, tokens))
        return conditional, AudioLDM2Conditioning.cat(unconditional)

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: AudioLDM2Conditioning) -> Tensor:
        """The estimate of `x0` in `x = x0 + sigma * noise`, from the noise that the UNet predicts.

        Args:
            x: `[batch, channels, frames, bands]`, of any number of frames.
            sigma: `[batch]`, each sample its own.
            conditioning: of as many samples.

        Returns:
            A tensor like `x`, in its dtype, differentiable in it.
        """
        z, time = self.parameterisation.native(x, sigma)
        prediction: Tensor = self.unet(
            z.to(self.dtype),
            time,
            encoder_hidden_states=conditioning.generated,
            encoder_hidden_states_1=conditioning.text,
            encoder_attention_mask_1=conditioning.attention_mask,
            return_dict=False,
        )[0].to(x.dtype)
        return self.parameterisation.denoised(x, sigma, prediction)

    @torch.no_grad()
    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The autoencoder's posterior mean `[batch, channels, frames, bands]` of waveforms' log-mels.

        Without its mean and with a peak of one half, as recordings were in training: the level is not told.
        Padded with silence to whole frames. What is longer than `PIECE` frames is encoded in even pieces,
        each with `CONTEXT` frames of its surroundings, so that memory does not grow with the recording. The
        autoencoder normalises over all that it is given, so pieces are the whole only nearly.
        """
        sound = as_in_training(waveform.to(self.device, torch.float32))
        frames = math.ceil(waveform.shape[-1] / self.hop_length)
        piece = math.ceil(frames / math.ceil(frames / PIECE))
        latents = encode_in_pieces(self._encode_piece, sound, self.hop_length, piece=piece, context=CONTEXT)
        return latents.transpose(-1, -2)

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform `[batch, 1, frames * hop_length]` of latents `[batch, channels, frames, bands]`.

        The autoencoder's mel spectrogram through the vocoder, whose few samples beyond the last frame are
        cut. Runs in the weights' dtype, comes back in the latents' own; differentiable. Within [-1, 1].
        """
        mel = self.vae.decode(1 / self.vae.config.scaling_factor * latents.to(self.dtype)).sample
        waveform: Tensor = self.vocoder(mel[:, 0])[:, None, : latents.shape[-2] * self.hop_length]
        return waveform.to(latents.dtype)

    @functools.cached_property
    def _log_mel(self) -> LogMel:
        return LogMel(self._bands, self.sample_rate, self.mel_hop_length, self.device)

    def _encode_piece(self, waveform: Tensor) -> Tensor:
        """Waveforms of whole frames to latents with time last, `[batch, channels, bands, frames]`."""
        mel = self._log_mel(waveform[:, 0])[:, None].to(self.dtype)
        mean: Tensor = self.vae.encode(mel).latent_dist.mean.float() * self.vae.config.scaling_factor
        return mean.transpose(-1, -2)

    def _warn_of_truncation(self, prompts: Sequence[str]) -> None:
        tokenizer = self.prompt_encoder.tokenizer_2
        warn_of_truncation(tokenizer, prompts, tokenizer.model_max_length, self.name)


def _check_text_encoder(model_type: object, name: str) -> None:
    if model_type != "t5":
        raise ModelError(
            f"the text_encoder_2 of {name} is of type {model_type!r}: unheard runs AudioLDM 2 with 't5' "
            "only, not the models that speak a transcription"
        )
