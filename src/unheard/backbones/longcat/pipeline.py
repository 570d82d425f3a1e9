"""LongCat-AudioDiT inside diffusers' own pipeline; see `unheard.backbones.pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.longcat.backbone import LongCatBackbone
from unheard.backbones.pipelines import NetworkCall, PipelineCall, prompts_of
from unheard.backbones.sequences import SequenceConditioning


class LongCatAdapter:
    """A `LongCatAudioDiTPipeline`: two calls a step, first with the prompts, then without.

    Args:
        pipeline: of diffusers, on any device, in any dtype.
    """

    def __init__(self, pipeline: Any) -> None:
        self.backbone = LongCatBackbone(
            pipeline.vae,
            pipeline.text_encoder,
            pipeline.tokenizer,
            pipeline.transformer,
            pipeline.scheduler.config,
            name=type(pipeline).__name__,
        )
        self.parameterisation = self.backbone.parameterisation
        self.network = pipeline.transformer
        self._negative: SequenceConditioning | None = None
        self._without_comes_next = False

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        prompts = prompts_of(arguments)
        self._without_comes_next = False
        self._negative = None
        if (negative := arguments["negative_prompt"]) is not None:
            texts = [negative] * len(prompts) if isinstance(negative, str) else list(negative)
            self._negative = _as_a_batch(self.backbone.encode_unconditional(texts, *[[0.0] * len(texts)] * 2))
        # The latents are as long as the sound: of a length that is not told, all of it is looked at.
        told = arguments["audio_duration_s"] if arguments["latents"] is None else None
        longest = self.backbone.max_duration
        return PipelineCall(
            prompts, max(arguments["guidance_scale"], 1.0), longest if told is None else min(told, longest)
        )

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall | None:
        if self._without_comes_next:
            self._without_comes_next = False
            return None
        self._without_comes_next = call.guidance_scale > 1
        states, mask = arguments["encoder_hidden_states"], arguments["encoder_attention_mask"]
        told = SequenceConditioning.of(states, mask, torch.zeros_like(states[0, 0]))
        without = told.without_text() if self._negative is None else self._negative
        return NetworkCall(arguments["hidden_states"], arguments["timestep"], told, without)

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        if not arguments["return_dict"]:
            return (prediction,)
        from diffusers.models.transformers.transformer_longcat_audio_dit import (
            LongCatAudioDiTTransformerOutput,
        )

        return LongCatAudioDiTTransformerOutput(sample=prediction)


def _as_a_batch(conditioning: SequenceConditioning) -> SequenceConditioning:
    """All texts as long as the longest, as the pipeline pads them."""
    return replace(conditioning, lengths=(conditioning.mask.shape[1],) * len(conditioning))
