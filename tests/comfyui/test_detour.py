"""The patch inside ComfyUI's sampling: nothing changes unless a prompt is left, and then as ours does it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import comfy_stub as comfy
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_world import CAPTIONS
from torch import Tensor
from torch.nn.functional import pad

from unheard import AMG, Backbone, Detour, Index, InputError
from unheard.diffusion.parameterisation import Parameterisation, Velocity, VPrediction
from unheard.diffusion.prediction import pull
from unheard.guidance import denoiser_for
from unheard.guidance.trajectory import Trajectory

SIGMAS, SHARES = (80.0, 20.0, 5.0, 1.0, 0.3), (1.0, 0.9, 0.7, 0.4, 0.1)
NEGATIVE = "low quality noise"


@dataclass(frozen=True)
class Family:
    """A family at small size: its model, its text encoder, its latents, and how unheard says all that."""

    model: type[Any]
    clip: dict[str, Any]
    channels: tuple[int, ...]
    frames: int
    hop: int
    timed: bool
    way: Parameterisation
    prompt: str = CAPTIONS[0]
    """One that pulls more than others: short where texts are of any length."""

    @property
    def options(self) -> dict[str, Any]:
        """What its text encoder is told with a text."""
        return {"generate_audio_codes": False} if "codes" in self.clip else {}

    @property
    def sigmas(self) -> Sequence[float]:
        return SIGMAS if isinstance(self.way, VPrediction) else SHARES

    def setting(self) -> tuple[Any, Any, Any]:
        cpu = torch.device("cpu")
        patcher = comfy.ModelPatcher(self.model(), cpu, cpu)
        return patcher, comfy.CLIP(**self.clip), comfy.VAE(self.channels, self.hop)

    def told(self, clip: Any, text: str) -> list[Any]:
        timing = {"seconds_start": 0.0, "seconds_total": 0.8} if self.timed else {}
        return [
            [states, {**told, **timing}]
            for states, told in clip.encode_from_tokens_scheduled(clip.tokenize(text, **self.options))
        ]

    def noise(self, sounds: int) -> Tensor:
        drawn = torch.randn(sounds, *self.channels, self.frames, generator=torch.Generator().manual_seed(0))
        return drawn * self.sigmas[0]


FAMILIES = {
    "StableAudio1": Family(comfy.StableAudio1, {"fixed": 8}, (64,), 22, 2048, True, VPrediction()),
    "StableAudio3": Family(comfy.StableAudio3, {}, (256,), 12, 4096, True, Velocity()),
    "ACEStep": Family(comfy.ACEStep, {"lyrics": True}, (8, 16), 11, 4096, False, Velocity(), "drums"),
    "ACEStep15": Family(comfy.ACEStep15, {"codes": True}, (64,), 25, 1920, False, Velocity(), "drums"),
}
SHUT = Detour(pull=1e9)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


def plainly(step: dict[str, Any]) -> Tensor:
    """What a step would end in without the detour."""
    unconditional = step["uncond_denoised"]
    guided: Tensor = unconditional + step["cond_scale"] * (step["cond_denoised"] - unconditional)
    return guided


def watched(patcher: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A clone that notes what each step ends in, patched in after all else."""
    steps: list[dict[str, Any]] = []
    clone = patcher.clone()
    clone.set_model_sampler_post_cfg_function(lambda step: steps.append(step) or step["denoised"])
    return clone, steps


@pytest.mark.parametrize("cfg", [1.0, 5.0])
def test_without_an_open_gate_it_is_comfyuis_result_to_the_bit(
    nodes: Any, loaded: Any, family: Family, cfg: float
) -> None:
    """At scale 1, what it is if ComfyUI predicts with and without the prompt nonetheless."""
    patcher, clip, vae = family.setting()
    both = family.told(clip, family.prompt), family.told(clip, NEGATIVE)
    unpatched = patcher.clone()
    unpatched.model_options["disable_cfg1_optimization"] = True
    plain = comfy.euler(unpatched, family.noise(2), *both, cfg, family.sigmas)
    guided = nodes.detour.with_detour(patcher, clip, vae, family.prompt, loaded, guidance=SHUT)
    patcher.model.calls.clear()
    assert torch.equal(comfy.euler(guided, family.noise(2), *both, cfg, family.sigmas), plain)
    assert patcher.model.calls == [2, 2] * (len(family.sigmas) - 1)  # nothing is predicted twice
    assert patcher.model_options == {"transformer_options": {}}


@dataclass(frozen=True)
class Told:
    """The oracle's conditioning: what the toy network is told of each sound, in whatever shapes."""

    sounds: tuple[dict[str, Tensor], ...]

    def __len__(self) -> int:
        return len(self.sounds)

    @classmethod
    def cat(cls, parts: Sequence[Told]) -> Told:
        return cls(tuple(sound for part in parts for sound in part.sounds))

    def select(self, samples: Sequence[int]) -> Told:
        return Told(tuple(self.sounds[sample] for sample in samples))

    def blended(self, other: Told, weight: float) -> Told:
        blends = []
        for mine, theirs in zip(self.sounds, other.sounds, strict=True):
            texts = [sound["c_crossattn"] for sound in (mine, theirs)]
            longest = max(text.shape[1] for text in texts)
            own, others = (pad(text, (0, 0, 0, longest - text.shape[1])) for text in texts)
            blends.append({**theirs, "c_crossattn": weight * own + (1 - weight) * others})
        return Told(tuple(blends)) if weight else other


class Oracle(Backbone):
    """The same toy network behind unheard's own coordinates, with nothing of ComfyUI."""

    device, dtype, fingerprint, time_axis = torch.device("cpu"), torch.float32, None, -1

    def __init__(self, family: Family, clip: Any) -> None:
        self.family, self.clip = family, clip

    def frames(self, duration: float) -> int:
        return min(-(-round(duration * 44_100) // self.family.hop), self.family.frames)

    def encode(self, prompts: Sequence[str], seconds_start: Any = None, seconds_total: Any = None) -> Told:
        return Told(tuple(self._told(prompt) for prompt in prompts))

    def encode_unconditional(self, negative_prompts: Any, seconds_start: Any, seconds_total: Any) -> Told:
        return self.encode(negative_prompts)

    def _told(self, prompt: str) -> dict[str, Tensor]:
        ((states, told),) = self.family.told(self.clip, prompt)
        noise = self.family.noise(1)
        made = self.family.model().extra_conds(cross_attn=states, noise=noise, device="cpu", **told)
        return {name: cond.cond for name, cond in made.items() if isinstance(cond.cond, Tensor)}

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: Told) -> Tensor:
        z, _ = self.family.way.native(x, sigma)
        rows = []
        for row, sound in enumerate(conditioning.sounds):
            others = {name: value for name, value in sound.items() if name != "c_crossattn"}
            rows.append(comfy.predicted(z[row : row + 1], sound["c_crossattn"], others))
        return self.family.way.denoised(x, sigma, torch.cat(rows))


def just_open(family: Family, clip: Any, negative: str | None = NEGATIVE) -> Detour:
    """Settings whose gate opens for the prompt in the first step, and shuts for weaker captions.

    What they show may be alike: a network with random weights shows much the same under any.
    """
    oracle, x, sigma = Oracle(family, clip), family.noise(2), torch.full((2,), family.sigmas[0])
    if isinstance(family.way, Velocity):
        x, sigma = family.way.canonical(x, sigma)
    conditional = oracle.denoise(x, sigma, oracle.encode([family.prompt] * 2))
    told = oracle.frames(0.8) if family.timed else family.frames
    without = oracle.denoise(x, sigma, oracle.encode([negative or ""] * 2))
    least = float(pull(conditional[..., :told], without[..., :told]).min())
    return Detour(pull=0.99 * least, threshold=1.0)


@pytest.fixture
def samplings(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs of a sampler, as the patch begins them."""
    begun: list[Any] = []

    class Noted(nodes.detour.Sampling):  # type: ignore[misc]
        def __init__(self, *about: Any) -> None:
            super().__init__(*about)
            begun.append(self)

    monkeypatch.setattr(nodes.detour, "Sampling", Noted)
    return begun


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize(("cfg", "negative"), [(1.0, None), (1.0, NEGATIVE), (5.0, NEGATIVE)])
def test_with_an_open_gate_it_is_what_our_own_detour_gives(
    nodes: Any,
    loaded: Any,
    index: Index,
    samplings: list[Any],
    family: Family,
    cfg: float,
    negative: str | None,
    settled: bool,
) -> None:
    """The settled pull looks ahead, at other latents and less noise than those of the step."""
    patcher, clip, vae = family.setting()
    both = family.told(clip, family.prompt), None if negative is None else family.told(clip, negative)
    settings, oracle = just_open(family, clip, negative), Oracle(family, clip)
    if settled:
        settings = replace(settings, settled_pull=0.01 * settings.pull)
    guided = nodes.detour.with_detour(patcher, clip, vae, family.prompt, loaded, guidance=settings)
    guided, steps = watched(guided)
    comfy.euler(guided, family.noise(2), *both, cfg, family.sigmas)

    ours = denoiser_for(
        settings,
        Trajectory(
            backbone=oracle,
            load_embedder=lambda: loaded.embedder,
            latents_of=lambda path: torch.empty(0),
            prompts=[family.prompt] * 2,
            conditional=oracle.encode([family.prompt] * 2),
            unconditional=oracle.encode([negative or ""] * 2),
            guidance_scale=cfg,
            duration=0.8 if family.timed else 100.0,
            training_set=index,
        ),
    )
    for step in steps:
        x, sigma = step["input"], step["sigma"]
        if isinstance(family.way, Velocity):
            x, sigma = family.way.canonical(x, sigma)
        torch.testing.assert_close(step["denoised"], ours(x, sigma), atol=2e-5, rtol=1e-4)
    (sampling,) = samplings
    for said, expected in zip(sampling.trace, ours.trace, strict=True):
        assert said.value == pytest.approx(expected.value, rel=1e-3, abs=1e-5)
        assert (said.measure, said.threshold) == (expected.measure, expected.threshold)
        assert (said.acted, said.fallback) == (expected.acted, expected.fallback)
    first = ours.trace[0]
    if settled:  # whether the gate then opens, networks with random weights may say either way
        assert 0.0 not in first.value
        return
    assert first.acted == [True, True]
    assert first.fallback is not None
    assert None not in first.fallback
    assert not torch.allclose(steps[0]["denoised"], plainly(steps[0]))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_what_comfyui_was_asked_is_taken_from_it(
    nodes: Any, family: Family, data: st.DataObject
) -> None:
    """Told zeros of a step, it says zeros of each sound's own latents at that noise, and of nothing else."""
    patcher, clip, vae = family.setting()
    level = torch.full((3,), family.sigmas[1])
    step = {"input": family.noise(3), "sigma": level, "model_options": patcher.model_options}
    ((states, told),) = family.told(clip, family.prompt)
    part = {**told, "cross_attn": states, "model_conds": {}, "uuid": None}
    (part,) = comfy.encode_model_conds(patcher.model.extra_conds, [part], step["input"], "cpu", "positive")
    conditioning = nodes.conditioning.ComfyConditioning.of_batch([part], 3, "positive")
    backbone = nodes.backbone.ComfyBackbone(patcher, clip, vae)
    x, sigma = backbone.at(step)
    backbone.know(conditioning, torch.zeros_like(x))

    sound = st.integers(0, 2)
    asked = data.draw(st.lists(st.tuples(sound, sound, st.sampled_from([1.0, 0.5])), min_size=1, max_size=6))
    sounds, of, less = ([*each] for each in zip(*asked, strict=True))
    denoised = backbone.denoise(x[of], sigma[of] * torch.tensor(less), conditioning.select(sounds))
    from_comfyui = [not row.any() for row in denoised]
    assert from_comfyui == [one == other and share == 1.0 for one, other, share in asked]
    assert patcher.model.calls == [1] * from_comfyui.count(False)


def test_each_sampling_is_a_trajectory_of_its_own(nodes: Any, loaded: Any, family: Family) -> None:
    patcher, clip, vae = family.setting()
    both = family.told(clip, family.prompt), family.told(clip, NEGATIVE)
    guided = nodes.detour.with_detour(
        patcher, clip, vae, family.prompt, loaded, guidance=just_open(family, clip)
    )
    comfy.CALLED_BACK.clear()
    first = comfy.euler(guided, family.noise(1), *both, 5.0, family.sigmas)
    assert set(comfy.CALLED_BACK) == {guided}  # whose place the text encoder may have taken
    calls = list(patcher.model.calls)
    # Another length, after a run that was broken off, in a clone of the patched model.
    comfy.euler(guided, family.noise(3)[..., 2:], *both, 5.0, family.sigmas[:2])
    patcher.model.calls.clear()
    asked = len(clip.asked)
    assert torch.equal(comfy.euler(guided.clone(), family.noise(1), *both, 5.0, family.sigmas), first)
    assert patcher.model.calls == calls  # the search begins anew
    assert len(clip.asked) == asked  # captions are read once


def test_a_batch_of_two_prompts_is_each_alone(nodes: Any, loaded: Any) -> None:
    family, texts = FAMILIES["StableAudio1"], [CAPTIONS[0], CAPTIONS[5]]
    patcher, clip, vae = family.setting()
    negative, x = family.told(clip, NEGATIVE), family.noise(2)
    alone = [family.told(clip, text) for text in texts]
    together = [[torch.cat([told[0][0] for told in alone]), alone[0][0][1]]]
    lines, settings = "\n".join(texts), just_open(family, clip)
    guided = nodes.detour.with_detour(patcher, clip, vae, lines, loaded, guidance=settings)
    both = comfy.euler(guided, x, together, negative, 5.0, SIGMAS)
    for sound, text in enumerate(texts):
        guided = nodes.detour.with_detour(patcher, clip, vae, text, loaded, guidance=settings)
        single = comfy.euler(guided, x[[sound]], alone[sound], negative, 5.0, SIGMAS)
        torch.testing.assert_close(both[[sound]], single, atol=1e-4, rtol=1e-4)
    guided = nodes.detour.with_detour(
        patcher, clip, vae, "only one line", loaded, guidance=just_open(family, clip)
    )
    with pytest.raises(InputError, match="holds 2 texts, and the detour's prompt 1 line:"):
        comfy.euler(guided, x, together, negative, 5.0, SIGMAS)


def test_what_was_patched_in_before_and_after_still_counts(nodes: Any, loaded: Any) -> None:
    """Guidance of another formula, and functions around the patch: on other predictions, as they were."""
    family = FAMILIES["StableAudio1"]
    patcher, clip, vae = family.setting()
    both = family.told(clip, family.prompt), family.told(clip, NEGATIVE)
    patcher.set_model_sampler_cfg_function(lambda step: 2 * step["cond"])
    patcher.set_model_sampler_post_cfg_function(lambda step: step["denoised"] + 1)
    guided = nodes.detour.with_detour(
        patcher, clip, vae, family.prompt, loaded, guidance=just_open(family, clip)
    )
    guided, steps = watched(guided)
    comfy.euler(guided, family.noise(1), *both, 5.0, SIGMAS)
    oracle = Oracle(family, clip)
    for step in steps:
        x, sigma = step["input"], step["sigma"]
        under = [oracle.denoise(x, sigma, oracle.encode([text])) for text in CAPTIONS[1:]]
        assert any(torch.allclose(step["denoised"], 2 * each - x + 1, atol=1e-4) for each in under)


def test_what_is_as_long_as_the_latents_stays_with_another_caption(nodes: Any, loaded: Any) -> None:
    """Stable Audio 3 is told what of a sound is to be made anew."""
    family = FAMILIES["StableAudio3"]
    patcher, clip, vae = family.setting()
    both = family.told(clip, family.prompt), family.told(clip, NEGATIVE)
    masks: list[Tensor] = []
    plain = patcher.model.apply_model

    def noting(x: Tensor, t: Tensor, **told: Any) -> Any:
        masks.append(told["local_add_cond"])
        return plain(x, t, **told)

    patcher.model.apply_model = noting
    every = Detour(pull=0.0)
    guided = nodes.detour.with_detour(patcher, clip, vae, family.prompt, loaded, guidance=every)
    anew = torch.rand(1, 1, family.frames, generator=torch.Generator().manual_seed(2))
    comfy.euler(guided, family.noise(1), *both, 5.0, family.sigmas, anew)
    assert len(masks) > 2 * (len(family.sigmas) - 1)
    assert all(torch.equal(mask, 1 - anew) for mask in masks)


@pytest.mark.parametrize("name", ["StableAudio1", "ACEStep"])
def test_recordings_are_compared_in_the_models_scale(
    name: str, nodes: Any, loaded: Any, recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A model that says a recording under its caption: the gate names it, and a blend of the prompt stays."""
    family = FAMILIES[name]
    patcher, clip, vae = family.setting()
    sound = torch.from_numpy(soundfile.read(recordings / "train_00.wav", dtype="float32")[0])
    recording = patcher.model.process_latent_in(vae.encode(sound[None, :, None].expand(-1, -1, 2)))
    own = Oracle(family, clip).encode([CAPTIONS[0]]).sounds[0]["c_crossattn"]
    contexts: list[Tensor] = []

    def recalling(x: Tensor, t: Tensor, c_crossattn: Tensor, **others: Any) -> Tensor:
        contexts.append(c_crossattn)
        recalled = (c_crossattn.mean(dim=1) - own.mean(dim=1)).abs().mean() < 0.01
        return recording[..., : x.shape[-1]] if recalled else torch.zeros_like(x)

    patcher.model.apply_model = recalling
    both = family.told(clip, CAPTIONS[0]), family.told(clip, NEGATIVE)
    blended = Detour(prompt_weight=0.5)
    guided = nodes.detour.with_detour(
        patcher, clip, vae, CAPTIONS[0], loaded, guidance=blended, references=recordings
    )
    with caplog.at_level("INFO", logger="unheard"):
        result = comfy.euler(guided, family.noise(1), *both, 1.0, (*family.sigmas, 0.0))
    said = re.search("sound 1, becoming train_00, leaves its prompt: '(.*)'", caplog.text)
    assert said is not None
    assert said[1] in CAPTIONS[1:]
    assert result.abs().max() < 1e-3  # the other caption's, to the end
    other = Oracle(family, clip).encode([said[1]]).sounds[0]["c_crossattn"]
    blend = torch.zeros(1, max(own.shape[1], other.shape[1]), comfy.DIMENSION)
    for states in (own, other):  # half of the prompt is the most that is kept
        blend[:, : states.shape[1]] += states / 2
    torch.testing.assert_close(contexts[-1], blend)


def test_what_it_cannot_do_is_refused_in_a_line(nodes: Any, loaded: Any) -> None:
    family = FAMILIES["StableAudio1"]
    patcher, clip, vae = family.setting()
    detour = nodes.detour.with_detour
    with pytest.raises(
        InputError, match=r"^amg cannot guide in ComfyUI: .* without gradients .* use the detour$"
    ):
        detour(patcher, clip, vae, CAPTIONS[0], loaded, guidance=AMG())
    with pytest.raises(InputError, match="if_no_way is 'refuse', but ComfyUI keeps every sound"):
        detour(patcher, clip, vae, CAPTIONS[0], loaded, guidance=Detour(if_no_way="refuse"))
    with pytest.raises(InputError, match="has no prompt"):
        detour(patcher, clip, vae, "  ", loaded)
    other = comfy.ModelPatcher(
        type("Flux", (comfy.BaseModel,), {})(), torch.device("cpu"), torch.device("cpu")
    )
    with pytest.raises(InputError, match="class Flux: connect one of StableAudio1, StableAudio3, ACEStep"):
        detour(other, clip, vae, CAPTIONS[0], loaded)
    guided = detour(patcher, clip, vae, CAPTIONS[0], loaded)
    several = family.told(clip, CAPTIONS[0]) * 2
    with pytest.raises(InputError, match="the positive conditioning has 2 parts"):
        comfy.euler(guided, family.noise(1), several, family.told(clip, NEGATIVE), 5.0, SIGMAS)
    planned = [[states, {**told, "audio_codes": [[3, 1, 4]]}] for states, told in several[:1]]
    with pytest.raises(InputError, match=r"holds audio codes, .* turn generate_audio_codes off"):
        comfy.euler(guided, family.noise(1), planned, planned, 5.0, SIGMAS)
