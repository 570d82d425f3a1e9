"""Stable Audio 3 inside diffusers' own pipelines; see `unheard.backbones.pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.pipelines import NetworkCall, PipelineCall, prompts_of
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.conditioning import StableAudio3Conditioning
from unheard.errors import InputError

SCHEDULER = "FlowMatchEulerDiscreteScheduler"
"""The one that takes the pipeline's times; with `num_train_timesteps` 1 it tells the network the same."""


class StableAudio3Adapter:
    """A `StableAudio3Pipeline`, or the one for audio-to-audio, which strengthens no prompt.

    Where the prompt is strengthened both halves come in one call, the one without it first.

    Args:
        pipeline: of diffusers, on any device, in any dtype.

    Raises:
        ModelError: the pipeline's scheduler tells the network other times than it was trained with.
    """

    def __init__(self, pipeline: Any) -> None:
        config = pipeline.scheduler.config
        self.backbone = StableAudio3Backbone(
            pipeline.vae,
            pipeline.text_encoder,
            pipeline.tokenizer,
            pipeline.duration_embedder,
            pipeline.transformer,
            # The pipeline makes its schedule itself, whatever else its scheduler is set to.
            {key: config[key] for key in ("num_train_timesteps", "stochastic_sampling") if key in config},
            name=type(pipeline).__name__,
        )
        self.parameterisation = self.backbone.parameterisation
        self.network = pipeline.transformer
        self._pipeline = pipeline

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        scheduler = self._pipeline.scheduler
        times = scheduler.config.num_train_timesteps
        if type(scheduler).__name__ != SCHEDULER or times != 1:
            raise InputError(
                f"the pipeline's scheduler is a {type(scheduler).__name__} of {times} times, which tells the "
                f"network other times than it was trained with: give it a {SCHEDULER}(num_train_timesteps=1)"
            )
        self.backbone.frames(arguments["duration"])
        scale = max(arguments.get("guidance_scale", 1.0), 1.0)
        return PipelineCall(prompts_of(arguments), scale, arguments["duration"])

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall:
        told = StableAudio3Conditioning.padded(
            # Its last token is the duration.
            arguments["encoder_hidden_states"][:, :-1],
            arguments["encoder_attention_mask"][:, :-1],
            self.network.prompt_padding_embedding,
            arguments["global_hidden_states"],
        )
        sounds, latents = len(call.prompts), arguments["hidden_states"]
        time = arguments["timestep"][:sounds]
        if len(latents) == sounds:
            return NetworkCall(latents, time, told, None)
        return NetworkCall(
            latents[:sounds], time, told.select(range(sounds, 2 * sounds)), told.select(range(sounds))
        )

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        return (torch.cat([prediction] * (len(arguments["hidden_states"]) // len(call.prompts))),)
