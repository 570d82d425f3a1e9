"""Which pipeline classes can be loaded, and by which of our classes. No torch in here.

A family is a file or a folder beside this one, and a line in `FAMILIES`; nothing outside this package knows
one. A backbone of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.backbones.native import layout
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


def _in(family: str, backbone: str) -> Load:
    """What loads a backbone of that class, of `<family>.backbone`, which is imported then.

    LoRAs, where there are any, are merged by the family's `layers`.
    """

    def load(
        folder: Path, name: str, device: torch.device, dtype: torch.dtype, *, lora: Sequence[LoRA] = ()
    ) -> Backbone:
        made_of = getattr(import_module(f"unheard.backbones.{family}.backbone"), backbone)
        loaded: Backbone = made_of.from_folder(folder, name=name, device=device, dtype=dtype)
        if lora:
            import_module(f"unheard.backbones.{family}.layers").merge_loras(loaded, lora)
        return loaded

    return load


def _native(family: str, backbone: str) -> Load:
    """What loads one of that class, of `<family>.native.backbone`, from a checkpoint."""

    def load(
        checkpoint: Path,
        name: str,
        device: torch.device,
        dtype: torch.dtype,
        *,
        lora: Sequence[LoRA] = (),
        text_encoder: str | Path | None = None,
    ) -> Backbone:
        made_of = getattr(import_module(f"unheard.backbones.{family}.native.backbone"), backbone)
        loaded: Backbone = made_of.from_checkpoint(
            checkpoint, name=name, device=device, dtype=dtype, text_encoder=text_encoder
        )
        if lora:
            import_module(f"unheard.backbones.{family}.layers").merge_loras(loaded, lora)
        return loaded

    return load


def _through(family: str, adapter: str) -> Callable[[Any], PipelineAdapter]:
    """What makes an adapter of that class, of `<family>.pipeline`, which is imported then."""

    def make(pipeline: Any) -> PipelineAdapter:
        made: PipelineAdapter = getattr(import_module(f"unheard.backbones.{family}.pipeline"), adapter)(
            pipeline
        )
        return made

    return make


register("StableAudioPipeline", _in("stable_audio", "StableAudioBackbone"), options=["lora"])
register(
    layout.STABLE_AUDIO,
    _native("stable_audio", "NativeStableAudioBackbone"),
    options=["lora", "text_encoder"],
)
register("StableAudio3Pipeline", _in("stable_audio_3", "StableAudio3Backbone"))
register("StableAudio3AudioToAudioPipeline", _in("stable_audio_3", "StableAudio3Backbone"))
register("StableAudio3InpaintPipeline", _in("stable_audio_3", "StableAudio3Backbone"))
register(
    layout.STABLE_AUDIO_3,
    _native("stable_audio_3", "NativeStableAudio3Backbone"),
    options=["lora", "text_encoder"],
)
register("AudioLDM2Pipeline", _in("audioldm2", "AudioLDM2Backbone"))
register("LongCatAudioDiTPipeline", _in("longcat", "LongCatBackbone"))
register("AceStepPipeline", _in("ace_step", "AceStepBackbone"))

register_adapter("StableAudioPipeline", _through("stable_audio", "StableAudioAdapter"))
register_adapter("StableAudio3Pipeline", _through("stable_audio_3", "StableAudio3Adapter"))
register_adapter("StableAudio3AudioToAudioPipeline", _through("stable_audio_3", "StableAudio3Adapter"))
register_adapter("AudioLDM2Pipeline", _through("audioldm2", "AudioLDM2Adapter"))
register_adapter("LongCatAudioDiTPipeline", _through("longcat", "LongCatAdapter"))
register_adapter("AceStepPipeline", _through("ace_step", "AceStepAdapter"))
