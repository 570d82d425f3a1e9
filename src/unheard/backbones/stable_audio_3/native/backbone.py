"""Stable Audio 3 from a checkpoint of Stability AI's and the text encoder that its configuration names.

It sounds as Stability AI's own code, `StableAudioModel.generate`, which differs from diffusers' pipeline: a
sound is made with 6 s behind its end, which are cut off; the prompt is strengthened by adaptive projected
guidance, against nothing at all rather than an empty text; and the layers for inpainting are told of no
recording rather than left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from unheard.backbones.native.checkpoint import read_checkpoint
from unheard.backbones.native.filling import building, fill
from unheard.backbones.native.layout import configuration_beside
from unheard.backbones.native.text_encoder import files_of_model, find_text_encoder
from unheard.backbones.parts import Parts
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.conditioning import StableAudio3Conditioning
from unheard.backbones.stable_audio_3.library import AutoTokenizer, T5GemmaEncoderModel
from unheard.backbones.stable_audio_3.native.chunked import reach_of_chunks
from unheard.backbones.stable_audio_3.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio_3.native.modules import build_modules
from unheard.backbones.stable_audio_3.native.renaming import renamer
from unheard.backbones.stable_audio_3.same import PiecewiseSAME, reach
from unheard.backbones.texts import check_texts
from unheard.diffusion.prompt_guidance import OrthogonalProjection, PromptGuidance


class EncoderOfT5Gemma(T5GemmaEncoderModel):  # type: ignore[misc]  # transformers' is untyped here
    """The encoder of a T5Gemma that was saved whole."""

    _keys_to_ignore_on_load_unexpected = (r"\bdecoder\.", r"\blm_head\.")


HEADROOM = 6.0
"""Seconds behind the end of a sound that are made with it."""


class NativeStableAudio3Backbone(StableAudio3Backbone):
    """A Stable Audio 3 model in Stability AI's layout; see `StableAudio3Backbone`.

    Args:
        parts: as for `StableAudio3Backbone`.
        configuration: of the model.
        files: that it was loaded from, by what they are.
        name: what the model is called in messages and provenance.
        folder: where its checkpoint lies.
    """

    def __init__(
        self,
        *,
        configuration: Configuration,
        files: Mapping[str, Path],
        name: str,
        folder: Path,
        **parts: Any,
    ) -> None:
        scheduler = {
            "num_train_timesteps": 1,
            "stochastic_sampling": configuration.objective == "rf_denoiser",
        }
        super().__init__(scheduler_config=scheduler, name=name, folder=folder, **parts)
        self.files = files
        self.max_tokens = configuration.max_tokens
        longest = configuration.sample_size / self.sample_rate
        self.max_duration = min(longest, self.max_duration)
        self.latent_shape = (self.latent_shape[0], self.frames(self.max_duration))
        chunks = configuration.chunks
        # A convolution adds a patch, which is less than a frame; chunks leave room for it.
        self._autoencoder = PiecewiseSAME(
            self.vae,
            reach(self.vae.config) + bool(configuration.convolving)
            if chunks is None
            else reach_of_chunks(chunks.frames, chunks.shifted),
        )

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Path,
        *,
        name: str,
        device: torch.device,
        dtype: torch.dtype,
        text_encoder: str | Path | None = None,
    ) -> Self:
        """Load a checkpoint with the configuration beside it.

        Args:
            checkpoint: `*.safetensors` or `*.ckpt`.
            text_encoder: the folder of the text encoder and its tokenizer; None for a folder beside the
                checkpoint of the name that the configuration gives, or else for what it names on the hub.

        Raises:
            ModelError: something is missing, damaged, or not supported.
        """
        configuration_file = configuration_beside(checkpoint)
        configuration = read_configuration(configuration_file)
        encoder_folder = find_text_encoder(configuration.text_encoder, checkpoint.parent, text_encoder)
        parts = Parts(encoder_folder.parent, device, dtype)
        encoder = parts.text_encoder(encoder_folder.name, EncoderOfT5Gemma, is_encoder_decoder=False)
        tokenizer = parts.tokenizer(encoder_folder.name, AutoTokenizer)
        with building(configuration_file):
            modules = build_modules(configuration)
        rename = renamer(modules["vae"], modules["transformer"])
        fill(modules, read_checkpoint(checkpoint), rename, checkpoint, device, dtype)
        return cls(
            configuration=configuration,
            files=files_of_model(configuration_file, checkpoint, encoder_folder),
            name=name,
            folder=checkpoint.parent,
            text_encoder=encoder,
            tokenizer=tokenizer,
            **modules,
        )

    def noise_shape(self, duration: float) -> tuple[int, ...]:
        """As many frames as the sound has and 6 s more, as far as the model was trained."""
        channels, most = self.latent_shape
        headroom = int(HEADROOM * self.sample_rate / self.hop_length)
        return (channels, min(self.frames(duration) + headroom, most))

    def prompt_guidance(self) -> PromptGuidance:
        """Adaptive projected guidance, as Stability AI's code has it; at guidance scale 1 it does nothing."""
        return OrthogonalProjection()

    @torch.no_grad()
    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> StableAudio3Conditioning:
        """What guidance leads away from: the negative prompt, or else nothing that is attended to.

        With the same duration as global state. Where a negative prompt has no token, there are zeros, and not
        the learned vector.

        Raises:
            InputError: as `encode`.
        """
        texts = ["" if prompt is None else prompt for prompt in negative_prompts]
        check_texts(texts, seconds_start, seconds_total)
        states, mask = self._encode_texts(texts)
        duration = self._encode_seconds(seconds_start, seconds_total)
        given = torch.tensor([[prompt is not None] for prompt in negative_prompts], device=self.device)
        text = states * mask[..., None] * given[..., None]
        return StableAudio3Conditioning(text, duration, duration * given)

    @property
    def _local_input(self) -> Tensor:
        """No recording to keep, in any frame: zeros, to which the layers for inpainting add their biases."""
        channels = self.transformer.config.local_add_cond_dim
        return torch.zeros(1, channels, 1, dtype=self.dtype, device=self.device)
