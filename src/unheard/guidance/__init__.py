"""Guidance as a wrapper: a denoiser in, a denoiser out, so that a sampler never learns of it.

A method is a folder: `settings`, which need no torch, and a `denoiser`. Each works per sample: a batch of
different prompts gives what each prompt gives alone.

base               what all kinds share
trajectory         what a denoiser is made for
classifier_free    the plain kind: nothing is steered away from
amg                the published guidance
detour             another caption where the sound on its way is a training recording
attraction_basin   no or opposite guidance until the trajectory has left a basin
prompt_adjustment  the prompt's embedding is moved until its pull is an ordinary one's
volumetric         repulsion from the volume that the nearest items span
rewritten_prompt   what is decided once, in the first step; the next four are of this sort
static_rewrite     the detour's gate asked once, then its first fallback caption
nearest_caption    the nearest caption of the training set, whatever the prompt leads to
rare_words         the prompt without words that few captions have
prompt_noise       random words in the prompt, or noise on its embedding
gated_amg          the published guidance behind the detour's gate
gated              the kinds that ask the detour's gate, and its thresholds
prompt_pull        how hard prompts pull, which tells memorised ones without the training set

This file is the registry. A kind of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from unheard.common.checks import check_keys, instead
from unheard.errors import InputError
from unheard.guidance import (
    amg,
    attraction_basin,
    detour,
    gated_amg,
    nearest_caption,
    prompt_adjustment,
    prompt_noise,
    rare_words,
    static_rewrite,
    volumetric,
)
from unheard.guidance.amg.settings import AMG
from unheard.guidance.attraction_basin.settings import AttractionBasin
from unheard.guidance.base import Denoiser, Guidance, GuidanceWarning, Step
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated_amg.settings import GatedAMG
from unheard.guidance.nearest_caption.settings import NearestCaption
from unheard.guidance.prompt_adjustment.settings import PromptAdjustment
from unheard.guidance.prompt_noise.settings import PromptNoise
from unheard.guidance.rare_words.settings import RareWords
from unheard.guidance.static_rewrite.settings import StaticRewrite
from unheard.guidance.volumetric.settings import Volumetric

if TYPE_CHECKING:
    from unheard.guidance.trajectory import Trajectory

__all__ = [
    "AMG",
    "GUIDANCES",
    "NONE",
    "AttractionBasin",
    "Denoiser",
    "Detour",
    "GatedAMG",
    "Guidance",
    "GuidanceWarning",
    "NearestCaption",
    "PromptAdjustment",
    "PromptNoise",
    "RareWords",
    "StaticRewrite",
    "Step",
    "Volumetric",
    "denoiser_for",
    "describe_guidance",
    "read_guidance",
    "register",
    "with_present_names",
]

NONE = "none"
"""The kind of no guidance but the classifier-free one."""

FORMER_NAMES = {"detour": {"prompt_share": "prompt_weight"}}
"""Settings by the names that files written before provenance format 2 have them under."""
LATER_NAMES = {
    "amg": ("ask_every", "ask_margin", "window", "checkpoint", "gate_head"),
    "detour": ("high_noise", "if_no_way", "settled_pull", "sure_threshold", "way", "wordings"),
}
"""Settings that kinds did not have at first."""

MakeDenoiser = Callable[[Any, "Trajectory"], Denoiser]
"""From a kind's settings and a trajectory to the denoiser of that trajectory."""

GUIDANCES: dict[str, type[Guidance]] = {}
"""The settings of every kind, by its name."""
_MAKERS: dict[type[Guidance], MakeDenoiser] = {}


def register(settings: type[Guidance], make_denoiser: MakeDenoiser) -> None:
    """Have a kind read, described and generated with; an earlier one of that name is replaced."""
    GUIDANCES[settings.kind] = settings
    _MAKERS[settings] = make_denoiser


register(AMG, amg.make_denoiser)
register(Detour, detour.make_denoiser)
register(AttractionBasin, attraction_basin.make_denoiser)
register(PromptAdjustment, prompt_adjustment.make_denoiser)
register(Volumetric, volumetric.make_denoiser)
register(StaticRewrite, static_rewrite.make_denoiser)
register(NearestCaption, nearest_caption.make_denoiser)
register(RareWords, rare_words.make_denoiser)
register(PromptNoise, prompt_noise.make_denoiser)
register(GatedAMG, gated_amg.make_denoiser)


def denoiser_for(guidance: Guidance | None, trajectory: Trajectory) -> Denoiser:
    """The denoiser of a trajectory under a guidance; None is classifier-free guidance alone.

    Raises:
        InputError: the guidance is of no registered kind.
    """
    if guidance is None:
        from unheard.guidance.classifier_free import ClassifierFreeGuidance

        return ClassifierFreeGuidance(
            trajectory.backbone.denoise,
            trajectory.conditional,
            trajectory.unconditional,
            guidance_scale=trajectory.guidance_scale,
            prompt_guidance=trajectory.backbone.prompt_guidance(),
        )
    if type(guidance) not in _MAKERS:
        raise InputError(
            f"no kind of guidance has settings of type {type(guidance).__name__}: register it with "
            f"unheard.guidance.register, or use one of {', '.join(GUIDANCES)}"
        )
    return _MAKERS[type(guidance)](guidance, trajectory)


def read_guidance(given: Mapping[str, Any] | str) -> Guidance | None:
    """The guidance that a table such as `{"kind": "amg", "c1": 4.0}` describes; what is left out is default.

    A kind alone, such as "detour", is its table without settings. A missing kind is "amg", as in files from
    before there were others; the kind "none" gives None.

    Raises:
        InputError: an unknown kind or key (names the nearest right one), or a value that cannot be used.
    """
    if not isinstance(given, Mapping | str):
        raise InputError(f"guidance is {given!r}: give a kind, or a table with a kind")
    settings = {"kind": given} if isinstance(given, str) else dict(given)
    kind = settings.pop("kind", AMG.kind)
    if kind == NONE:
        if settings:
            raise InputError(f"guidance of kind none has no {next(iter(settings))!r}: take it out")
        return None
    if not isinstance(kind, str) or kind not in GUIDANCES:
        raise InputError(f"unknown guidance {kind!r}: {instead(kind, [*GUIDANCES, NONE])}")
    made_of = GUIDANCES[kind]
    settings = with_present_names({"kind": kind, **settings})
    del settings["kind"]
    check_keys(map(str, settings), [field.name for field in fields(made_of)], f"the guidance {kind}")
    return made_of(**settings)


def with_present_names(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with `kind` whose settings have their present names, whatever they had before."""
    present = FORMER_NAMES.get(str(table.get("kind", AMG.kind)), {})
    return {present.get(name, name): value for name, value in table.items()}


def describe_guidance(guidance: Guidance | None) -> dict[str, Any]:
    """The table that `read_guidance` reads, with every setting.

    Without those that came later, where they have their defaults: files that lack them say the same.
    """
    if guidance is None:
        return {"kind": NONE}
    table, usual = asdict(guidance), {field.name: field.default for field in fields(guidance)}
    for name in LATER_NAMES.get(guidance.kind, ()):
        if table[name] == usual[name]:
            del table[name]
    return {"kind": guidance.kind, **table}
