"""Stable Audio Open inside diffusers' own pipeline; see `unheard.backbones.pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.pipelines import NetworkCall, PipelineCall, prompts_of
from unheard.backbones.stable_audio.backbone import StableAudioBackbone, prediction_of
from unheard.backbones.stable_audio.conditioning import StableAudioConditioning
from unheard.errors import InputError


class StableAudioAdapter:
    """A `StableAudioPipeline`: both halves in one call, without the prompt first.

    Args:
        pipeline: of diffusers, on any device, in any dtype.
    """

    def __init__(self, pipeline: Any) -> None:
        parameterisation, times = prediction_of(pipeline.scheduler.config, type(pipeline).__name__)
        self.backbone = StableAudioBackbone(
            pipeline.vae,
            pipeline.text_encoder,
            pipeline.tokenizer,
            pipeline.projection_model,
            pipeline.transformer,
            parameterisation,
            times=times,
            name=type(pipeline).__name__,
        )
        self.parameterisation = self.backbone.parameterisation
        self.network = pipeline.transformer
        self._pipeline = pipeline

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        scheduler = type(self._pipeline.scheduler).__name__
        if scheduler == "EDMDPMSolverMultistepScheduler":
            raise InputError(
                f"the pipeline's scheduler is a {scheduler}, which tells the network other times than it was "
                "trained with: give it a CosineDPMSolverMultistepScheduler"
            )
        start, end = arguments["audio_start_in_s"] or 0.0, arguments["audio_end_in_s"]
        duration = self.backbone.max_duration if end is None else end - start
        return PipelineCall(prompts_of(arguments), max(arguments["guidance_scale"], 1.0), duration, start)

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall:
        told = StableAudioConditioning(arguments["encoder_hidden_states"], arguments["global_hidden_states"])
        sounds, latents = len(call.prompts), arguments["hidden_states"]
        time = arguments["timestep"].expand(len(latents))[:sounds]
        if len(latents) == sounds:
            return NetworkCall(latents, time, told, None)
        return NetworkCall(
            latents[:sounds], time, told.select(range(sounds, 2 * sounds)), told.select(range(sounds))
        )

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        times = len(arguments["hidden_states"]) // len(call.prompts)
        sample = torch.cat([prediction] * times)
        if not arguments["return_dict"]:
            return (sample,)
        from diffusers.models.modeling_outputs import Transformer2DModelOutput

        return Transformer2DModelOutput(sample=sample)
