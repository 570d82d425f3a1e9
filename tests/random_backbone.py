"""A backbone around the parts of a pipeline that was not loaded from files."""

from __future__ import annotations

from typing import Any

from diffusers import StableAudioPipeline

from unheard.backbones.stable_audio.backbone import StableAudioBackbone, prediction_of


def backbone_of(pipeline: StableAudioPipeline, **scheduler_config: Any) -> StableAudioBackbone:
    parameterisation, times = prediction_of({**pipeline.scheduler.config, **scheduler_config}, "random")
    return StableAudioBackbone(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        projection_model=pipeline.projection_model,
        transformer=pipeline.transformer,
        parameterisation=parameterisation,
        times=times,
        name="random",
    )
