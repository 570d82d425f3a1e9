"""AudioLDM 2 inside diffusers' own pipeline; see `unheard.backbones.pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone
from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning
from unheard.backbones.pipelines import NetworkCall, PipelineCall, prompts_of


class AudioLDM2Adapter:
    """An `AudioLDM2Pipeline`: both halves in one call, without the prompt first.

    Whatever the scheduler, the UNet is given latents of unit variance and one of the discrete times or a
    time between two.

    Args:
        pipeline: of diffusers, on any device, in any dtype.
    """

    def __init__(self, pipeline: Any) -> None:
        self.backbone = AudioLDM2Backbone(
            pipeline.vae,
            pipeline.text_encoder,
            pipeline.text_encoder_2,
            pipeline.tokenizer,
            pipeline.tokenizer_2,
            pipeline.projection_model,
            pipeline.language_model,
            pipeline.unet,
            pipeline.vocoder,
            pipeline.scheduler.config,
            name=type(pipeline).__name__,
        )
        self.parameterisation = self.backbone.parameterisation
        self.network = pipeline.unet

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        duration = arguments["audio_length_in_s"]
        if duration is None:
            duration = self.backbone.latent_shape[1] * self.backbone.hop_length / self.backbone.sample_rate
        self.backbone.frames(duration)  # what is too long for it is refused before any work
        return PipelineCall(prompts_of(arguments), max(arguments["guidance_scale"], 1.0), duration)

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall:
        told = AudioLDM2Conditioning(
            arguments["encoder_hidden_states"],
            arguments["encoder_hidden_states_1"],
            arguments["encoder_attention_mask_1"].float(),
        )
        sounds, latents = len(call.prompts), arguments["sample"]
        time = torch.as_tensor(arguments["timestep"], device=latents.device).expand(sounds)
        if len(latents) == sounds:
            return NetworkCall(latents, time, told, None)
        return NetworkCall(
            latents[:sounds], time, told.select(range(sounds, 2 * sounds)), told.select(range(sounds))
        )

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        sample = torch.cat([prediction] * (len(arguments["sample"]) // len(call.prompts)))
        if not arguments["return_dict"]:
            return (sample,)
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        return UNet2DConditionOutput(sample=sample)
