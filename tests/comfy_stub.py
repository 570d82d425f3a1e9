"""ComfyUI as far as the nodes see it, with its names and signatures; written for tests, not taken from it.

`install` puts the modules where Python finds them, and `load_nodes` loads the folder `comfyui/` the way
ComfyUI loads `custom_nodes/`. The networks are toys: a line of tanh over what they are told.
"""

from __future__ import annotations

import copy
import importlib.util
import itertools
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

CALLED_BACK: list[Any] = []  # what `load_models_gpu` was asked for
NODES = Path(__file__).parents[1] / "comfyui"
DIMENSION = 12  # of a text state

# comfy.conds ------------------------------------------------------------------------------------------------


class CONDRegular:
    def __init__(self, cond: Any) -> None:
        self.cond = cond

    def process_cond(self, batch_size: int, **kwargs: Any) -> CONDRegular:
        return type(self)(repeat_to_batch_size(self.cond, batch_size))


class CONDNoiseShape(CONDRegular):
    def process_cond(self, batch_size: int, area: Any = None, **kwargs: Any) -> CONDRegular:
        return super().process_cond(batch_size)


class CONDConstant(CONDRegular):
    def process_cond(self, batch_size: int, **kwargs: Any) -> CONDRegular:
        return type(self)(self.cond)


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    times = -(-batch_size // tensor.shape[dim])
    return torch.cat([tensor] * times, dim=dim).narrow(dim, 0, batch_size)


# comfy.model_sampling ---------------------------------------------------------------------------------------


def _per_sample(sigma: Tensor, like: Tensor) -> Tensor:
    return sigma.reshape(-1, *[1] * (like.ndim - 1))


class EPS:
    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return noise / (_per_sample(sigma, noise) ** 2 + 1) ** 0.5


class V_PREDICTION(EPS):
    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        level = _per_sample(sigma, model_output)
        return model_input / (level**2 + 1) - model_output * level / (level**2 + 1) ** 0.5


class CONST:
    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return noise

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return model_input - model_output * _per_sample(sigma, model_output)


# comfy.model_base -------------------------------------------------------------------------------------------


class BaseModel:
    sampling: type[Any] = CONST
    scale = 1.0  # of ComfyUI's latents to those of the autoencoder

    def __init__(self) -> None:
        self.model_sampling = self.sampling()
        self.current_patcher: Any = None
        self.calls: list[int] = []  # how many samples each had

    def apply_model(self, x: Tensor, t: Tensor, c_crossattn: Tensor, **others: Any) -> Tensor:
        transformer_options = others.pop("transformer_options")
        assert torch.equal(transformer_options["sigmas"], t)
        self.calls.append(len(x))
        prediction = predicted(self.model_sampling.calculate_input(t, x), c_crossattn, others)
        return self.model_sampling.calculate_denoised(t, prediction, x)

    def process_latent_in(self, latent: Tensor) -> Tensor:
        return latent * self.scale

    def process_latent_out(self, latent: Tensor) -> Tensor:
        return latent / self.scale

    def extra_conds(self, **kwargs: Any) -> dict[str, CONDRegular]:
        return {"c_crossattn": CONDRegular(kwargs["cross_attn"])}


def predicted(z: Tensor, context: Tensor, others: dict[str, Any]) -> Tensor:
    """The toy network: latents [batch, channels, ..., frames] pulled to what the context says."""
    generator = torch.Generator().manual_seed(0)
    to_channels = torch.randn(DIMENSION, z.shape[1], generator=generator)
    rhythm = torch.randn(z.shape[-1], generator=generator)
    said = torch.tanh(context.mean(dim=1) @ to_channels)
    for name in ("global_embed", "lyric_token_idx", "local_add_cond", "audio_codes"):
        if name in others:
            said = said + others[name].float().flatten(1).mean(dim=1, keepdim=True)
    return torch.tanh(0.3 * z + said.reshape(*said.shape, *[1] * (z.ndim - 2)) * rhythm)


def _timing(seconds: float) -> Tensor:
    return torch.linspace(0.1, 1.0, DIMENSION)[None] * seconds / 10


class StableAudio1(BaseModel):
    sampling = type("ModelSampling", (V_PREDICTION,), {})

    def extra_conds(self, **kwargs: Any) -> dict[str, CONDRegular]:
        noise, states = kwargs["noise"], kwargs["cross_attn"]
        start = _timing(kwargs.get("seconds_start", 0))
        total = _timing(kwargs.get("seconds_total", int(noise.shape[-1] / 21.53)))
        told = torch.stack([start, total], dim=1).expand(len(states), -1, -1)
        return {
            "global_embed": CONDRegular(torch.cat([start, total], dim=-1)),
            "c_crossattn": CONDRegular(torch.cat([states, told], dim=1)),
        }


class StableAudio3(BaseModel):
    sampling = type("ModelSampling", (CONST,), {})

    def extra_conds(self, **kwargs: Any) -> dict[str, CONDRegular]:
        noise, states = kwargs["noise"], kwargs["cross_attn"]
        total = _timing(kwargs.get("seconds_total", int(noise.shape[-1] / 10.7666)))
        padding = torch.full((len(states), 10 - states.shape[1], DIMENSION), 0.2)
        told = total[:, None].expand(len(states), -1, -1)
        mask = kwargs.get("denoise_mask")
        return {
            "local_add_cond": CONDNoiseShape(torch.zeros_like(noise[:, :1]) if mask is None else 1.0 - mask),
            "global_embed": CONDRegular(total),
            "c_crossattn": CONDRegular(torch.cat([states, padding, told], dim=1)),
        }


class ACEStep(BaseModel):
    sampling = type("ModelSampling", (CONST,), {})
    scale = 0.5

    def extra_conds(self, **kwargs: Any) -> dict[str, CONDRegular]:
        return {
            "c_crossattn": CONDRegular(kwargs["cross_attn"]),
            "lyric_token_idx": CONDRegular(kwargs["conditioning_lyrics"]),
            "lyrics_strength": CONDConstant(kwargs.get("lyrics_strength", 1.0)),
        }


class ACEStep15(BaseModel):
    sampling = type("ModelSampling", (CONST,), {})

    def extra_conds(self, **kwargs: Any) -> dict[str, CONDRegular]:
        out = {"c_crossattn": CONDRegular(kwargs["cross_attn"]), "is_covers": CONDConstant(False)}
        codes = kwargs.get("audio_codes")
        return out if codes is None else {**out, "audio_codes": CONDRegular(torch.tensor(codes))}


# comfy.model_patcher, comfy.sd ------------------------------------------------------------------------------


class ModelPatcher:
    def __init__(self, model: Any, load_device: torch.device, offload_device: torch.device, size: int = 0):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
        self.model_options: dict[str, Any] = {"transformer_options": {}}

    def clone(self) -> ModelPatcher:
        other = type(self)(self.model, self.load_device, self.offload_device)
        other.model_options = copy.deepcopy(self.model_options)
        return other

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        before = self.model_options.get("sampler_post_cfg_function", [])
        self.model_options["sampler_post_cfg_function"] = [*before, post_cfg_function]
        if disable_cfg1_optimization:
            self.model_options["disable_cfg1_optimization"] = True

    def set_model_sampler_cfg_function(self, sampler_cfg_function: Callable[..., Any]) -> None:
        self.model_options["sampler_cfg_function"] = sampler_cfg_function


class CLIP:
    """A text encoder: a state a word; `fixed` fills up with zeros to so many tokens."""

    def __init__(self, fixed: int | None = None, *, lyrics: bool = False, codes: bool = False) -> None:
        self.fixed, self.lyrics, self.codes = fixed, lyrics, codes
        self.asked: list[dict[str, Any]] = []

    def tokenize(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> Any:
        self.asked.append({"text": text, **kwargs})
        return {"words": text.lower().split() or [""], **kwargs}

    def encode_from_tokens_scheduled(
        self,
        tokens: Any,
        unprojected: bool = False,
        add_dict: dict[str, Any] | None = None,
        show_pbar: bool = True,
    ) -> list[Any]:
        states = torch.stack([_state(word) for word in tokens["words"]])[: self.fixed]
        if self.fixed is not None:
            states = torch.cat([states, torch.zeros(self.fixed - len(states), DIMENSION)])
        told: dict[str, Any] = {"pooled_output": None, **(add_dict or {})}
        if self.lyrics:
            told["conditioning_lyrics"] = torch.tensor([[len(tokens.get("lyrics", ""))]])
        if self.codes and tokens.get("generate_audio_codes", True):
            told["audio_codes"] = [[3, 1, 4]]
        return [[states[None], told]]


def _state(word: str) -> Tensor:
    generator = torch.Generator().manual_seed(
        sum(ord(letter) * 31**place for place, letter in enumerate(word[:8]))
    )
    return torch.randn(DIMENSION, generator=generator)


class VAE:
    """An autoencoder of an orthogonal map: `[batch, time, 2]` to `[batch, *channels, frames]` and back."""

    def __init__(self, channels: tuple[int, ...], hop: int) -> None:
        self.channels, self.hop = channels, hop
        features = torch.Size(channels).numel()
        square = torch.randn(hop, features, generator=torch.Generator().manual_seed(1))
        self._map = torch.linalg.qr(square).Q

    def encode(self, pixel_samples: Tensor) -> Tensor:
        mono = pixel_samples.mean(dim=2)
        frames = -(-mono.shape[1] // self.hop)
        padded = torch.nn.functional.pad(mono, (0, frames * self.hop - mono.shape[1]))
        coded = padded.unflatten(1, (frames, self.hop)) @ self._map * 8
        return coded.transpose(1, 2).unflatten(1, self.channels)

    def decode(self, samples_in: Tensor, vae_options: dict[str, Any] | None = None) -> Tensor:
        flat = samples_in.flatten(1, -2).transpose(1, 2) / 8
        return (flat @ self._map.T).flatten(1)[..., None].expand(-1, -1, 2)


def load_models_gpu(models: Sequence[Any], memory_required: int = 0) -> None:
    CALLED_BACK.extend(models)


# comfy.samplers ---------------------------------------------------------------------------------------------


def calc_cond_batch(
    model: Any, conds: list[Any], x_in: Tensor, timestep: Tensor, model_options: dict[str, Any]
) -> list[Tensor]:
    out = []
    for parts in conds:
        mean = torch.zeros_like(x_in)
        for part in parts or ():
            spread = {
                name: cond.process_cond(batch_size=len(x_in), area=None).cond
                for name, cond in part["model_conds"].items()
            }
            options = {**model_options["transformer_options"], "sigmas": timestep, "uuids": [part["uuid"]]}
            mean += model.apply_model(x_in, timestep, transformer_options=options, **spread) / len(parts)
        out.append(mean)
    return out


def cfg_function(
    model: Any,
    cond_pred: Tensor,
    uncond_pred: Tensor,
    cond_scale: float,
    x: Tensor,
    timestep: Tensor,
    model_options: dict[str, Any],
    cond: Any = None,
    uncond: Any = None,
) -> Tensor:
    shared = {"cond_scale": cond_scale, "input": x, "sigma": timestep, "model": model}
    shared |= {"cond_denoised": cond_pred, "uncond_denoised": uncond_pred, "model_options": model_options}
    if "sampler_cfg_function" in model_options:
        own = {"cond": x - cond_pred, "uncond": x - uncond_pred, "timestep": timestep}
        own |= {"input_cond": cond, "input_uncond": uncond}
        denoised = x - model_options["sampler_cfg_function"](shared | own)
    else:
        denoised = uncond_pred + (cond_pred - uncond_pred) * cond_scale
    for after in model_options.get("sampler_post_cfg_function", []):
        denoised = after({**shared, "denoised": denoised, "cond": cond, "uncond": uncond})
    return denoised


def encode_model_conds(
    model_function: Callable[..., Any],
    conds: Any,
    noise: Tensor,
    device: Any,
    prompt_type: str,
    **kwargs: Any,
) -> Any:
    for number, part in enumerate(conds):
        asked = {**kwargs, **part, "device": device, "noise": noise, "prompt_type": prompt_type}
        conds[number] = {**part, "model_conds": {**part["model_conds"], **model_function(**asked)}}
    return conds


def euler(
    patcher: ModelPatcher,
    x: Tensor,
    positive: Any,
    negative: Any,
    cfg: float,
    sigmas: Sequence[float],
    denoise_mask: Tensor | None = None,
) -> Tensor:
    """One run of a sampler, as ComfyUI prepares conditioning and calls a model in it; no ComfyUI name."""
    model, options = patcher.model, patcher.model_options
    model.current_patcher = patcher
    conds = []
    for given, kind in ((positive, "positive"), (negative, "negative")):
        named = [
            {**told, "cross_attn": states, "model_conds": {}, "uuid": uuid.uuid4()}
            for states, told in given or []
        ]
        told = encode_model_conds(model.extra_conds, named, x, "cpu", kind, denoise_mask=denoise_mask)
        conds.append(told or None)
    if cfg == 1.0 and not options.get("disable_cfg1_optimization", False):
        conds[1] = None
    with torch.inference_mode():
        for sigma, following in itertools.pairwise(sigmas):
            level = torch.full((len(x),), sigma)
            both = calc_cond_batch(model, conds, x, level, options)
            denoised = cfg_function(model, *both, cfg, x, level, options, *conds)
            x = x + (x - denoised) / sigma * (following - sigma)
    return x


# comfy_api.latest -------------------------------------------------------------------------------------------


class Socket:
    """An input or an output of a node, with whatever is said of it."""

    def __init__(self, id: str | None = None, **about: Any) -> None:
        self.id, self.about = id, about


CONVERTED: dict[str, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str}
OF_WIDGETS = {
    "INT": {"min", "max", "step"},
    "FLOAT": {"min", "max", "step"},
    "STRING": {"multiline"},
    "COMBO": {"options"},
}
"""What may be said of one kind of widget alone; of ComfyUI's, what the nodes might need."""


class Widget(Socket):
    """An input that is filled in on the node.

    ComfyUI looks at a value when a workflow is to run, this one at the default of a widget as well.
    """

    io_type: str

    def __init__(
        self, id: str, *, default: Any = None, optional: bool = False, tooltip: str | None = None, **own: Any
    ) -> None:
        super().__init__(id, default=default, optional=optional, tooltip=tooltip, **own)
        if unknown := own.keys() - OF_WIDGETS[self.io_type]:
            raise TypeError(f"{id}: {self.io_type} takes none of {sorted(unknown)}")
        if default is not None and self.taken(default) != default:
            raise ValueError(f"{id}: {default!r} is not of {self.io_type}")

    def taken(self, value: Any) -> Any:
        """What the node gets for a value of a workflow, as in `validate_inputs` of ComfyUI's `execution`.

        Raises:
            ValueError: ComfyUI does not run the node.
        """
        value = CONVERTED.get(self.io_type, lambda same: same)(value)
        if not self.about.get("min", value) <= value <= self.about.get("max", value):
            raise ValueError(f"{self.id}: {value!r} is out of range")
        if self.io_type == "COMBO" and value not in self.about["options"]:
            raise ValueError(f"{self.id}: {value!r} not in {self.about['options']}")
        return value


def _kind(io_type: str) -> Any:
    bases = {"Input": Widget if io_type in OF_WIDGETS else Socket, "Output": Socket}
    sockets = {name: type(name, (base,), {"io_type": io_type}) for name, base in bases.items()}
    return type(io_type, (), {"io_type": io_type, **sockets})


class NodeOutput:
    def __init__(self, *args: Any, ui: Any = None, expand: Any = None, block_execution: Any = None) -> None:
        self.args, self.ui = args, ui


def install() -> None:
    """Have `import comfy.samplers` and the like find what stands here."""
    here = sys.modules[__name__]
    in_modules = {
        "comfy.conds": "CONDRegular CONDNoiseShape CONDConstant",
        "comfy.model_sampling": "EPS V_PREDICTION CONST",
        "comfy.samplers": "calc_cond_batch cfg_function encode_model_conds",
        "comfy.model_management": "load_models_gpu",
        "comfy_api.latest": "",
    }
    sys.modules["comfy"], sys.modules["comfy_api"] = ModuleType("comfy"), ModuleType("comfy_api")
    for name, what in in_modules.items():
        module = sys.modules[name] = ModuleType(name)
        vars(module).update({each: getattr(here, each) for each in what.split()})
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
    names = ("Model", "Clip", "Vae", "String", "Float", "Int", "Combo", "Audio")
    kinds = {name: _kind(name.upper()) for name in names}
    node = {"ComfyNode": object, "Schema": SimpleNamespace, "NodeOutput": NodeOutput, "Custom": _kind}
    latest = sys.modules["comfy_api.latest"]
    vars(latest).update(io=SimpleNamespace(**kinds, **node), ComfyExtension=object)
    vars(latest).update(ui=SimpleNamespace(PreviewText=lambda value: {"text": (value,)}))


def load_nodes() -> ModuleType:
    """The folder as a module of a name of its own, as ComfyUI loads it."""
    name = "custom_nodes_x_unheard"
    spec = importlib.util.spec_from_file_location(name, NODES / "__init__.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
