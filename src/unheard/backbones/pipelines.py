"""What a guidance has to know of a diffusers pipeline to work inside of it; see `unheard.attach`.

Every pipeline asks its network once (or twice) a step, and strengthens the prompt itself. The network's
answer is replaced: with one and the same guided prediction with and without the prompt, the pipeline's own
guidance changes nothing any more. What differs between families is an adapter each, in the family's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from unheard.backbones.base import Backbone
from unheard.diffusion.parameterisation import Parameterisation
from unheard.errors import InputError


@dataclass(frozen=True)
class PipelineCall:
    """What a pipeline was called with.

    Attributes:
        prompts: one a sound, in the order of its latents.
        guidance_scale: that it strengthens the prompts by; 1 where it does not.
        duration: seconds of sound.
        start: seconds into the piece at which the sound begins.
    """

    prompts: tuple[str, ...]
    guidance_scale: float
    duration: float
    start: float = 0.0


@dataclass(frozen=True)
class NetworkCall:
    """What a pipeline's network is asked in one step.

    Attributes:
        z: the latents in the network's own scale, one entry a sound: [batch, *latent_shape].
        time: the network's time of each, [batch].
        conditional: conditioning of the prompts.
        unconditional: of no prompt or the negative one; None where the pipeline asks for none.
    """

    z: Tensor
    time: Tensor
    conditional: Any
    unconditional: Any | None


class PipelineAdapter(Protocol):
    """One family's pipeline, for one object of it.

    Attributes:
        backbone: made of the pipeline's parts.
        parameterisation: what its network sees and predicts.
        network: the module that the pipeline asks in every step.
    """

    @property
    def backbone(self) -> Backbone: ...

    @property
    def parameterisation(self) -> Parameterisation: ...

    @property
    def network(self) -> nn.Module: ...

    def begin(self, arguments: Mapping[str, Any]) -> PipelineCall:
        """Told once a call of the pipeline, with all its arguments, defaults filled in.

        Raises:
            InputError: something in them cannot be guided.
        """
        ...

    def read(self, arguments: Mapping[str, Any], call: PipelineCall) -> NetworkCall | None:
        """What the network's forward was called with; None for the other half of a step already answered."""
        ...

    def answer(self, prediction: Tensor, arguments: Mapping[str, Any], call: PipelineCall) -> Any:
        """What the network's forward returns for a prediction [batch, *latent_shape] of each sound.

        The same prediction for both halves, where the pipeline asks for both at once.
        """
        ...


def prompts_of(arguments: Mapping[str, Any], waveforms: str = "num_waveforms_per_prompt") -> tuple[str, ...]:
    """The prompts of a call, one a sound: each as often as there are waveforms a prompt.

    Raises:
        InputError: the pipeline was given embeddings in place of prompts.
    """
    prompt = arguments.get("prompt")
    if not isinstance(prompt, str | list | tuple):
        raise InputError(
            f"the pipeline was called with the prompt {prompt!r}: give text, not embeddings, so that the "
            "guidance can read it; or detach it"
        )
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    return tuple(text for text in prompts for _ in range(arguments.get(waveforms) or 1))
