"""Stable Audio from a checkpoint of stable-audio-tools and the text encoder that its configuration names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from unheard.backbones.native.checkpoint import read_checkpoint
from unheard.backbones.native.filling import building, fill
from unheard.backbones.native.layout import configuration_beside
from unheard.backbones.native.text_encoder import files_of_model, find_text_encoder
from unheard.backbones.parts import Parts
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.library import AutoTokenizer, T5EncoderModel
from unheard.backbones.stable_audio.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio.native.modules import build_modules
from unheard.backbones.stable_audio.native.renaming import renamed
from unheard.diffusion.parameterisation import Parameterisation, Velocity, VPrediction
from unheard.diffusion.schedules import flow_sigmas, flow_sigmas_between, share_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError

PREDICTIONS: dict[str, type[Parameterisation]] = {
    "v": VPrediction,
    "rectified_flow": Velocity,
    "rf_denoiser": Velocity,
}
"""What a transformer predicts, by its `diffusion_objective`."""
SAMPLINGS = {
    "v": Sampling(),
    "rectified_flow": Sampling("euler", num_inference_steps=50, schedule="model"),
    "rf_denoiser": Sampling("pingpong", num_inference_steps=8, guidance_scale=1.0, schedule="model"),
}
"""How stable-audio-tools samples them unless it is told otherwise."""
NOISIEST, CLEANEST = -6.0, 2.0
"""Log signal-to-noise ratios between which a flow's times are spaced evenly in stable-audio-tools."""


class NativeStableAudioBackbone(StableAudioBackbone):
    """A Stable Audio model in the layout of stable-audio-tools; see `StableAudioBackbone`.

    Args:
        parts: as for `StableAudioBackbone`.
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
        objective = configuration.objective
        super().__init__(parameterisation=PREDICTIONS[objective](), name=name, folder=folder, **parts)
        self.distilled = objective == "rf_denoiser"
        self.default_sampling = SAMPLINGS[objective]
        self.files = files

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
                checkpoint of the name that the configuration gives, or else for that name on the hub.

        Raises:
            ModelError: something is missing, damaged, or not supported.
        """
        folder = checkpoint.parent
        configuration_file = configuration_beside(checkpoint)
        configuration = read_configuration(configuration_file)
        encoder_folder = find_text_encoder(configuration.text_encoder, folder, text_encoder)
        parts = Parts(encoder_folder.parent, device, dtype)
        encoder = parts.text_encoder(encoder_folder.name, T5EncoderModel)
        tokenizer = parts.tokenizer(encoder_folder.name, AutoTokenizer)
        tokenizer.model_max_length = configuration.max_tokens
        with building(configuration_file):
            modules = build_modules(configuration, encoder.config.d_model)
        rename = partial(renamed, blocks=len(configuration.autoencoder["downsampling_ratios"]))
        fill(modules, read_checkpoint(checkpoint), rename, checkpoint, device, dtype)
        return cls(
            configuration=configuration,
            files=files_of_model(configuration_file, checkpoint, encoder_folder),
            name=name,
            folder=folder,
            text_encoder=encoder,
            tokenizer=tokenizer,
            **modules,
        )

    def sigmas(self, sampling: Sampling, noise_level: float | None = None) -> Tensor:
        """See `Backbone`; for a flow, `noise_level` is the share of noise at the beginning.

        Raises:
            InputError: a noise level that is out of range.
        """
        if isinstance(self.parameterisation, VPrediction):
            return super().sigmas(sampling, noise_level)
        if sampling.schedule == "model":
            return flow_sigmas(logsnr_shares(sampling.num_inference_steps, share_between(noise_level)))
        return flow_sigmas_between(sampling, noise_level, logsnr_shares)


def logsnr_shares(steps: int, first: float = 1.0) -> Tensor:
    """Shares of noise `[steps]` that are evenly spaced in their log signal-to-noise ratio, from `first` on.

    Raises:
        InputError: `first` is so small that they would rise.
    """
    noisiest = NOISIEST if first == 1 else math.log((1 - first) / first)
    if not noisiest < CLEANEST:
        least = 1 / (1 + math.exp(CLEANEST))
        raise InputError(
            f"init_noise_level is {first:g}: in this model's own times give more than {least:.3g}"
        )
    shares = torch.sigmoid(-torch.linspace(noisiest, CLEANEST, steps + 1, dtype=torch.float64)[:-1])
    shares[0] = first
    return shares
