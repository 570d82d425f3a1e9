"""What an ACE-Step model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts

__all__ = [
    "AceStepConditionEncoder",
    "AceStepTransformer1DModel",
    "AutoModel",
    "AutoTokenizer",
    "AutoencoderOobleck",
    "FlowMatchEulerDiscreteScheduler",
    "PreTrainedModel",
    "PreTrainedTokenizerBase",
]

with importing():
    defer_unused_parts()

    from diffusers.models.autoencoders.autoencoder_oobleck import AutoencoderOobleck
    from diffusers.models.transformers.ace_step_transformer import AceStepTransformer1DModel
    from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
