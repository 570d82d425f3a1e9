"""Which pipeline classes can be loaded, and by which of our classes. No torch in here.

A family is a file or a folder beside this one, and a line in `FAMILIES`; nothing outside this package knows
one. A backbone of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.backbones import native
from unheard.errors import InputError

if TYPE_CHECKING:
    import torch

    from unheard.backbones.base import Backbone
    from unheard.backbones.lora import LoRA
    from unheard.backbones.pipelines import PipelineAdapter

Load = Callable[..., "Backbone"]
"""From a folder, what to call the model in messages, a device and a number format, to a backbone.

By keyword it is given those of its `OPTIONS` that were asked for.
"""

FAMILIES: dict[str, Load] = {}
"""What loads a pipeline, by the `_class_name` of its `model_index.json`."""
OPTIONS: dict[str, frozenset[str]] = {}
"""Which it takes of `lora` and `text_encoder`, see `unheard.load_backbone`."""
ADAPTERS: dict[str, Callable[[Any], PipelineAdapter]] = {}
"""What guides a pipeline in memory, by the name of its class."""


def register(pipeline: str, load: Load, *, options: Collection[str] = ()) -> None:
    """Have models of a pipeline class loaded by a function; an earlier one of that class is replaced."""
    FAMILIES[pipeline], OPTIONS[pipeline] = load, frozenset(options)


def register_adapter(pipeline: str, adapter: Callable[[Any], PipelineAdapter]) -> None:
    """Have objects of a pipeline class guided through an adapter, see `unheard.attach`."""
    ADAPTERS[pipeline] = adapter


def adapter_of(pipeline: Any) -> PipelineAdapter:
    """The adapter of a pipeline of diffusers, by the name of its class or of one that it inherits from.

    Raises:
        InputError: there is none.
    """
    for of in type(pipeline).__mro__:
        if of.__name__ in ADAPTERS:
            return ADAPTERS[of.__name__](pipeline)
    raise InputError(
        f"the pipeline is a {type(pipeline).__name__}: unheard attaches to {', '.join(ADAPTERS)}"
    )


def _stable_audio(
    folder: Path, name: str, device: torch.device, dtype: torch.dtype, *, lora: Sequence[LoRA] = ()
) -> Backbone:
    from unheard.backbones.stable_audio.backbone import StableAudioBackbone
    from unheard.backbones.stable_audio.layers import merge_loras

    backbone = StableAudioBackbone.from_folder(folder, name=name, device=device, dtype=dtype)
    merge_loras(backbone, lora)
    return backbone


def _native_stable_audio(
    checkpoint: Path,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    lora: Sequence[LoRA] = (),
    text_encoder: str | Path | None = None,
) -> Backbone:
    from unheard.backbones.stable_audio.layers import merge_loras
    from unheard.backbones.stable_audio.native.backbone import NativeStableAudioBackbone

    backbone = NativeStableAudioBackbone.from_checkpoint(
        checkpoint, name=name, device=device, dtype=dtype, text_encoder=text_encoder
    )
    merge_loras(backbone, lora)
    return backbone


def _stable_audio_adapter(pipeline: Any) -> PipelineAdapter:
    from unheard.backbones.stable_audio.pipeline import StableAudioAdapter

    return StableAudioAdapter(pipeline)


def _stable_audio_3(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone

    return StableAudio3Backbone.from_folder(folder, name=name, device=device, dtype=dtype)


def _stable_audio_3_adapter(pipeline: Any) -> PipelineAdapter:
    from unheard.backbones.stable_audio_3.pipeline import StableAudio3Adapter

    return StableAudio3Adapter(pipeline)


def _longcat(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.longcat.backbone import LongCatBackbone

    return LongCatBackbone.from_folder(folder, name=name, device=device, dtype=dtype)


def _longcat_adapter(pipeline: Any) -> PipelineAdapter:
    from unheard.backbones.longcat.pipeline import LongCatAdapter

    return LongCatAdapter(pipeline)


def _ace_step(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.ace_step.backbone import AceStepBackbone

    return AceStepBackbone.from_folder(folder, name=name, device=device, dtype=dtype)


def _ace_step_adapter(pipeline: Any) -> PipelineAdapter:
    from unheard.backbones.ace_step.pipeline import AceStepAdapter

    return AceStepAdapter(pipeline)


def _audioldm2(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone

    return AudioLDM2Backbone.from_folder(folder, name=name, device=device, dtype=dtype)


def _audioldm2_adapter(pipeline: Any) -> PipelineAdapter:
    from unheard.backbones.audioldm2.pipeline import AudioLDM2Adapter

    return AudioLDM2Adapter(pipeline)


register("StableAudioPipeline", _stable_audio, options=["lora"])
register(native.PIPELINE, _native_stable_audio, options=["lora", "text_encoder"])
register_adapter("StableAudioPipeline", _stable_audio_adapter)
register("StableAudio3Pipeline", _stable_audio_3)
register("StableAudio3AudioToAudioPipeline", _stable_audio_3)
register("StableAudio3InpaintPipeline", _stable_audio_3)
register_adapter("StableAudio3Pipeline", _stable_audio_3_adapter)
register_adapter("StableAudio3AudioToAudioPipeline", _stable_audio_3_adapter)
register("LongCatAudioDiTPipeline", _longcat)
register_adapter("LongCatAudioDiTPipeline", _longcat_adapter)
register("AceStepPipeline", _ace_step)
register_adapter("AceStepPipeline", _ace_step_adapter)
register("AudioLDM2Pipeline", _audioldm2)
register_adapter("AudioLDM2Pipeline", _audioldm2_adapter)
