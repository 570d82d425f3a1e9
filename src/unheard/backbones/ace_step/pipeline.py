"""ACE-Step 1.5 inside diffusers' own pipeline; see `unheard.backbones.pipelines`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.ace_step.backbone import AceStepBackbone
from unheard.backbones.ace_step.template import INSTRUCTION, Song
from unheard.backbones.pipelines import NetworkCall, PipelineCall, prompts_of
from unheard.backbones.sequences import SequenceConditioning
from unheard.errors import InputError

USUAL_DURATION = 60.0
"""Seconds, where the pipeline is told none."""
UNGUIDED: dict[str, Any] = {
    "task_type": "text2music",
    "src_audio": None,
    "reference_audio": None,
    "audio_codes": None,
    "attention_kwargs": None,
    "cfg_interval_start": 0.0,
    "cfg_interval_end": 1.0,
}
"""Arguments that must be as they are by default: other captions could not be told the same."""


class AceStepAdapter:
    """An `AceStepPipeline` making music from text: both halves in one call, with the prompts first.

    Args:
        pipeline: of diffusers, on any device, in any dtype.
    """

    def __init__(self, pipeline: Any) -> None:
        self.backbone = AceStepBackbone(
            pipeline.vae,
            pipeline.text_encoder,
            pipeline.tokenizer,
            pipeline.condition_encoder,
            pipeline.transformer,
            pipeline.scheduler.config,
            name=type(pipeline).__name__,
        )
        self.parameterisation = self.backbone.parameterisation
        self.network = pipeline.transformer

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        for name, usual in UNGUIDED.items():
            given = arguments[name]
            if isinstance(given, Tensor) or given != usual:
                told = "a recording" if isinstance(given, Tensor) else repr(given)
                raise InputError(
                    f"the pipeline was called with {told} as {name}, which the guidance cannot follow: leave "
                    "it out, or detach it"
                )
        prompts = prompts_of(arguments)
        self.backbone = self.backbone.telling(
            Song(
                lyrics=_one_of_all("lyrics", arguments["lyrics"]),
                language=_one_of_all("vocal_language", arguments["vocal_language"]),
                bpm=arguments["bpm"],
                keyscale=arguments["keyscale"],
                timesignature=arguments["timesignature"],
                instruction=arguments["instruction"] or INSTRUCTION,
            )
        )
        scale = 1.0 if self.backbone.distilled else max(arguments["guidance_scale"] or 1.0, 1.0)
        duration = arguments["audio_duration"]
        if duration is None or duration <= 0:
            duration = USUAL_DURATION
        return PipelineCall(prompts, scale, min(duration, self.backbone.max_duration))

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall:
        sounds, latents = len(call.prompts), arguments["hidden_states"]
        states, time = arguments["encoder_hidden_states"], arguments["timestep"]
        nothing = self.backbone.nothing.to(states)
        told = SequenceConditioning.of(states, torch.ones(states.shape[:2], device=states.device), nothing)
        conditional = told.select(range(sounds))
        return NetworkCall(latents[:sounds], time[:sounds], conditional, conditional.without_text())

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        sample = torch.cat([prediction] * (len(arguments["hidden_states"]) // len(call.prompts)))
        if not arguments["return_dict"]:
            return (sample,)
        from diffusers.models.modeling_outputs import Transformer2DModelOutput

        return Transformer2DModelOutput(sample=sample)


def _one_of_all(name: str, given: str | Sequence[str] | None) -> str:
    """What is told of all songs: another caption could be told only that."""
    all_ = [given] if given is None or isinstance(given, str) else list(given)
    if len(set(all_)) > 1:
        raise InputError(
            f"the pipeline was called with {len(set(all_))} different {name}: give all prompts the same, "
            "call it once for each, or detach it"
        )
    return all_[0] or ""
