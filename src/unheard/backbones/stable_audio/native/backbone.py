"""Stable Audio from a checkpoint of stable-audio-tools and the text encoder that its configuration names."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from unheard.backbones import native
from unheard.backbones.contained import check_contained, reason
from unheard.backbones.downloads import fetch_text_encoder, text_encoder_id
from unheard.backbones.fingerprint import fingerprint_of_files
from unheard.backbones.parts import Parts, quiet_loading
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.library import AutoTokenizer, T5EncoderModel
from unheard.backbones.stable_audio.native.checkpoint import read_checkpoint
from unheard.backbones.stable_audio.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio.native.modules import build_modules, fill
from unheard.diffusion.parameterisation import Parameterisation, Velocity, VPrediction
from unheard.diffusion.schedules import flow_sigmas, flow_sigmas_between, share_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

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

OF_TEXT_ENCODER = ("config.json", "*.safetensors", "tokenizer.json", "spiece.model")
"""The files that a text encoder is told by."""


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
        files: dict[str, Path],
        name: str,
        folder: Path,
        **parts: Any,
    ) -> None:
        objective = configuration.objective
        super().__init__(parameterisation=PREDICTIONS[objective](), name=name, folder=folder, **parts)
        self.distilled = objective == "rf_denoiser"
        self.default_sampling = SAMPLINGS[objective]
        self._files = files

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
        configuration_file = folder / str(native.configuration_of(checkpoint.name, os.listdir(folder)))
        configuration = read_configuration(configuration_file)
        encoder_folder = _find_text_encoder(configuration.text_encoder, folder, text_encoder)
        parts = Parts(encoder_folder.parent, device, dtype)
        encoder = parts.text_encoder(encoder_folder.name, T5EncoderModel)
        tokenizer = parts.tokenizer(encoder_folder.name, AutoTokenizer)
        tokenizer.model_max_length = configuration.max_tokens
        try:
            with quiet_loading():
                modules = build_modules(configuration, encoder.config.d_model)
        except Exception as error:  # sizes that no network can have
            raise ModelError(f"cannot build the model of {configuration_file}: {reason(error)}") from error
        fill(modules, read_checkpoint(checkpoint), checkpoint, device, dtype)
        return cls(
            configuration=configuration,
            files={
                "model_config.json": configuration_file,
                "checkpoint": checkpoint,
                **{
                    f"text_encoder/{file.name}": file
                    for pattern in OF_TEXT_ENCODER
                    for file in sorted(encoder_folder.glob(pattern))
                },
            },
            name=name,
            folder=folder,
            text_encoder=encoder,
            tokenizer=tokenizer,
            **modules,
        )

    @functools.cached_property
    def fingerprint(self) -> str | None:
        """See `unheard.backbones.fingerprint`: over configuration, checkpoint and text encoder."""
        return fingerprint_of_files(self._files)

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


def _find_text_encoder(name: str, folder: Path, given: str | Path | None) -> Path:
    """Where the text encoder is: where it was said to be, beside the checkpoint, or on the hub."""
    if given is not None:
        found = Path(given).expanduser()
        if not os.path.isdir(found):
            raise ModelError(
                f"there is no folder {given} of a text encoder: check the path of --text-encoder"
            )
    elif os.path.isdir(folder / name):
        found = folder / name
    else:
        try:
            found = fetch_text_encoder(name)
        except ModelError as error:
            raise ModelError(
                f"the text encoder {name} is not on this machine and cannot be downloaded: run `hf download "
                f"{text_encoder_id(name)}` where there is a network, or give its folder: --text-encoder"
            ) from error
    check_contained(found)
    return found
