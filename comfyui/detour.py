"""The patch that a model gets: a detour inside ComfyUI's own sampling.

ComfyUI predicts with the prompt and without it, puts both together, and then asks the patch. Where the detour
has not left a sound's prompt, the answer is what ComfyUI made, to the bit. Where it has, the prediction under
the other caption is put together in the prompt's place, with whatever was patched in before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.samplers
from torch import Tensor

from unheard import Detour, Embedder, Guidance, Index, Model, TrainingSet
from unheard.auditing.references import References
from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.guidance import detour
from unheard.guidance.base import Step
from unheard.guidance.detour.settings import REFUSE

from .backbone import ComfyBackbone
from .conditioning import ComfyConditioning, texts_in

LOG = logging.getLogger("unheard")
AFTER = "sampler_post_cfg_function"
"""ComfyUI's list of what is asked once both predictions are put together."""

Answer = Callable[[Mapping[str, Any]], Tensor]


@dataclass(frozen=True)
class LoadedIndex:
    """A training set, and the embedder that made it."""

    index: Index
    embedder: Embedder


def with_detour(
    patcher: Any,
    clip: Any,
    vae: Any,
    prompt: str,
    loaded: LoadedIndex,
    *,
    guidance: Guidance | None = None,
    references: References | None = None,
) -> Any:
    """A clone of a model that leaves a prompt whose sound is becoming a training recording.

    Args:
        patcher, clip, vae: ComfyUI's model, text encoder and autoencoder.
        prompt: the text of the positive conditioning; one a line where that holds several.
        loaded: the training set.
        guidance: settings of the detour; None for the default ones.
        references: its recordings; None where the index says where they lie.

    Raises:
        InputError: another kind of guidance, a model of another family, no prompt.
        IndexFileError: the index is not of its embedder.
    """
    settings = Detour() if guidance is None else guidance
    if not isinstance(settings, Detour):
        raise InputError(
            f"{settings.kind} cannot guide in ComfyUI: it samples without gradients (inference mode), which "
            f"{settings.kind} may need; use the detour"
        )
    if settings.if_no_way == REFUSE:
        raise InputError(
            "if_no_way is 'refuse', but ComfyUI keeps every sound: take 'unconditional' or 'unguided'"
        )
    if not prompt.strip():
        raise InputError("the detour has no prompt: give it the text of the positive conditioning")
    backbone = ComfyBackbone(patcher, clip, vae)
    model = Model(backbone, embedder=loaded.embedder)
    training_set = model.training_set(loaded.index, references)
    training_set.check(settings, backbone.name)
    sampling: Sampling | None = None

    # A function of its own: ComfyUI copies what a model is patched with, and an object with all it holds.
    def after_guidance(step: Mapping[str, Any]) -> Tensor:
        nonlocal sampling
        if sampling is None or sampling.conditional is not step["cond"]:
            sampling = Sampling(model, backbone, training_set, settings, prompt, step)
        return sampling.denoised(step, before=after_guidance)

    clone = patcher.clone()
    clone.set_model_sampler_post_cfg_function(after_guidance, disable_cfg1_optimization=True)
    return clone


class Sampling:
    """One run of a sampler: a trajectory of its own.

    Attributes:
        conditional: ComfyUI's conditioning of the prompts, which it makes anew for each run. (A sigma that
            rises would not tell: samplers with churn, or that take a step back, raise it in the middle.)
        trace: what the detour says of each step, see `unheard.guidance.detour.denoiser`.
    """

    def __init__(
        self,
        model: Model,
        backbone: ComfyBackbone,
        training_set: TrainingSet,
        settings: Detour,
        prompt: str,
        step: Mapping[str, Any],
    ) -> None:
        self.conditional = step["cond"]
        self._backbone = backbone
        sounds = len(step["input"])
        backbone.at(step)
        if "audio_codes" in step["cond"][0]:
            raise InputError(
                "the positive conditioning holds audio codes, a plan made for its prompt alone: turn "
                "generate_audio_codes off, so that another caption can take its place"
            )
        self._prompted = ComfyConditioning.of_batch(step["cond"], sounds, "positive")
        start, duration = timing_of(step["cond"][0], backbone.longest)
        self._negative = step["uncond"] is not None
        if self._negative:
            unconditional = ComfyConditioning.of_batch(step["uncond"], sounds, "negative")
        else:
            timing = [start] * sounds, [start + duration] * sounds
            unconditional = backbone.encode_unconditional([None] * sounds, *timing)
        self._unconditional = unconditional
        trajectory = model.trajectory(
            training_set,
            settings,
            backbone=backbone,
            prompts=prompts_of(prompt, texts_in(step["cond"][0]), sounds),
            conditional=self._prompted,
            unconditional=unconditional,
            guidance_scale=step["cond_scale"],
            duration=duration,
            start=start,
        )
        self._index = trajectory.index
        self._denoiser = detour.make_denoiser(settings, trajectory)
        self.trace = self._denoiser.trace
        self._told: set[int] = set()

    def denoised(self, step: Mapping[str, Any], *, before: Answer) -> Tensor:
        """What ComfyUI goes on with, [batch, *latent_shape].

        Args:
            step: what ComfyUI hands over.
            before: the patch itself, to tell what was patched in before it.
        """
        x, sigma = self._backbone.at(step)
        self._backbone.know(self._prompted, step["cond_denoised"])
        if self._negative:
            self._backbone.know(self._unconditional, step["uncond_denoised"])
        _, conditional = self._denoiser.predict(x, sigma)
        said = self.trace[-1]
        left = [sound for sound, acted in enumerate(said.acted or []) if acted]
        denoised: Tensor = step["denoised"]
        if left:
            self._tell(left, said)
            guided = put_together(step, conditional.to(denoised), before)
            denoised = denoised.clone()
            denoised[left] = guided[left]
        return denoised

    def _tell(self, left: Sequence[int], said: Step) -> None:
        """Into ComfyUI's log, once a sound."""
        for sound in left:
            if sound not in self._told:
                self._told.add(sound)
                LOG.info(in_words(sound, said, self._index))


def put_together(step: Mapping[str, Any], conditional: Tensor, before: Answer) -> Tensor:
    """ComfyUI's own guidance with other conditional predictions, and what was patched in before `before`."""
    options = dict(step["model_options"])
    asked = options.get(AFTER, [])
    options[AFTER] = asked[: next(place for place, answer in enumerate(asked) if answer is before)]
    guided: Tensor = comfy.samplers.cfg_function(
        step["model"],
        conditional,
        step["uncond_denoised"],
        step["cond_scale"],
        step["input"],
        step["sigma"],
        model_options=options,
        cond=step["cond"],
        uncond=step["uncond"],
    )
    return guided


def timing_of(part: Mapping[str, Any], longest: float) -> tuple[float, float]:
    """Where a sound begins and how long it is, in seconds: as told, or as long as the latents."""
    start = float(part.get("seconds_start", 0.0))
    return start, max(0.0, float(part.get("seconds_total", start + longest)) - start) or longest


def prompts_of(prompt: str, texts: int, sounds: int) -> list[str]:
    """The prompt of each sound, of conditioning that holds `texts` of them.

    Raises:
        InputError: it holds several, and the prompt has not as many lines.
    """
    if texts == 1:
        return [prompt] * sounds
    lines = [line for line in prompt.splitlines() if line.strip()]
    if len(lines) != texts:
        raise InputError(
            f"the positive conditioning holds {texts} texts, and the detour's prompt "
            f"{plural(len(lines), 'line')}: "
            "give one line for each"
        )
    return [lines[sound % texts] for sound in range(sounds)]


def in_words(sound: int, said: Step, index: Index) -> str:
    """That a sound of a batch has left its prompt, and for what."""
    copied, item = (said.neighbour or [])[sound], (said.fallback or [])[sound]
    becoming = "" if copied is None else f", becoming {index.ids[copied]},"
    instead = "no caption" if item is None else repr(index.prompts[item])
    return f"sound {sound + 1}{becoming} leaves its prompt: {instead}"
