"""The detour's gate, and what it does when it opens; on the toy maps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from toy_world import ToyWorld

import unheard
from unheard import audio
from unheard.cli import main
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.detour.correlation import Recordings, excess
from unheard.guidance.detour.denoiser import DetourDenoiser
from unheard.guidance.detour.gates import HIGH_NOISE, EitherGate, Found, LatentGate, PullGate
from unheard.guidance.detour.recording_latents import RecordingLatents
from unheard.guidance.detour.search import BLENDED, Fallback, search
from unheard.guidance.detour.settings import EXCESS, PULL, Detour
from unheard.index import build

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1")


class Nearby:
    """One recording for each prompt, found by ear; or of its very caption."""

    def __init__(self, recordings: list[torch.Tensor], own: bool = False) -> None:
        self.recordings, self.own, self.complete = recordings, own, True
        self.others: dict[int, torch.Tensor] = {}
        self.heard: list[torch.Tensor] = []

    def of_caption(self, sample: int) -> Found:
        return ([0], [self.recordings[sample]]) if self.own else ([], [])

    def sounding_like(self, denoised: torch.Tensor) -> list[list[int]]:
        self.heard.append(denoised)
        return [[0] for _ in denoised]

    def around(self, sample: int, sounding: list[int]) -> Found:
        return ([0], [self.recordings[sample]]) if sounding or self.own else ([], [])

    def available(self, positions: Iterable[int]) -> Found:
        return [position for position in positions if position in self.others], list(self.others.values())


def detour(
    threshold: float,
    prompt_weight: float,
    prompts: tuple[str, ...],
    recordings: dict[str, torch.Tensor],
    fallbacks: int = 1,
) -> DetourDenoiser:
    return DetourDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*prompts),
        WORLD.unconditional(len(prompts)),
        guidance_scale=3.0,
        prompt_weight=prompt_weight,
        gate=LatentGate(threshold, WORLD.trim, Nearby([recordings[prompt] for prompt in prompts])),
        fallbacks=lambda _: list(range(1, 1 + fallbacks)),
        encode_captions=WORLD.encode_neighbours,
    )


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Shift by shift, the slow way."""
    one, other = (each.double() - each.double().mean(dim=1, keepdim=True) for each in (one, other))
    frames, length = one.shape[1], other.shape[1]
    least = float(other.square().sum()) * min(frames, length) / length
    values = []
    for shift in range(1 - length, frames):
        met = other[:, max(0, -shift) : frames - shift]
        product = (one[:, max(0, shift) : shift + length] * met).sum()
        values.append(float(product) / max(float(met.square().sum()), least) ** 0.5)
    return max(values) / float(one.norm())


@pytest.mark.parametrize("lengths", [(40, 40, 25), (7, 90)])
def test_correlations_are_those_of_every_shift(lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(8, 40, generator=generator)
    latents = [torch.randn(8, length, generator=generator) for length in lengths]
    expected = torch.tensor([correlation(prediction, each) for each in latents])
    found = Recordings(latents, 40).correlations(prediction)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, check_dtype=False)


def test_a_shifted_recording_and_a_passage_of_a_long_one_correlate_and_others_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, 40, generator=generator)
    hour = torch.randn(8, 4000, generator=generator)
    found = Recordings([one, torch.cat([torch.zeros(8, 7), one], dim=1), other, hour], 40).correlations(one)
    assert found[0] > 0.999
    assert found[1] > 0.9
    assert found[2] < 0.4
    assert found[3] < 0.4
    assert Recordings([hour], 40).correlations(hour[:, 1000:1040]) > 0.9


def test_the_excess_leaves_out_what_is_common_but_no_more_than_takes_may_share() -> None:
    alone = torch.tensor([0.9, *[0.1] * 20])
    assert float(excess(alone)) == pytest.approx(0.8)
    assert float(excess(torch.tensor([0.55, *[0.45] * 20]))) == pytest.approx(0.25)
    assert float(excess(torch.full((64,), 0.95))) == pytest.approx(0.65)  # one recording 64 times
    assert float(excess(torch.tensor([0.5, 0.5]))) == pytest.approx(0.5)
    assert float(excess(-alone)) == pytest.approx(-0.1)


def test_the_pull_is_asked_in_high_noise_alone_and_names_nothing() -> None:
    gate = PullGate(0.5, lambda latents: latents[..., :4])
    with_prompt, without = torch.zeros(2, 6), torch.zeros(2, 6)
    with_prompt[:, :4], with_prompt[:, 4:] = 0.7, 100.0  # what is beyond the duration does not count
    assert gate.ask(0, with_prompt, without, 2 * HIGH_NOISE) == (pytest.approx(0.7), PULL, 0.5, None)
    assert gate.ask(0, with_prompt, without, HIGH_NOISE / 2) == (0.0, PULL, 0.5, None)


def test_only_what_is_not_surely_a_recording_of_its_caption_is_listened_to() -> None:
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randn(2, 2, 40, generator=generator)
    nearby = Nearby([predictions[0], torch.randn(2, 40, generator=generator)], own=True)
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(predictions)
    assert [each.shape for each in nearby.heard] == [(1, 2, 40)]
    assert torch.equal(nearby.heard[0], predictions[[1]])
    assert gate.ask(0, predictions[0], predictions[0], 1.0) == (pytest.approx(1.0), EXCESS, 0.3, 0)
    nearby = Nearby([predictions[0]], own=True)
    LatentGate(0.3, 40, nearby).begin(predictions[:1])
    assert not nearby.heard


def test_the_recording_of_the_caption_that_is_tried_is_watched_as_well() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, other = torch.randn(2, 2, 40, generator=generator)
    nearby = Nearby([torch.randn(2, 40, generator=generator)])
    gate = LatentGate(0.3, 40, nearby)
    gate.begin(prediction[None])
    gate.watch(0, 5)  # not available
    assert gate.ask(0, other, other, 1.0)[0] < 0.6
    nearby.others = {5: other}
    for _ in range(2):
        gate.watch(0, 5)
        assert gate.ask(0, other, other, 1.0) == (pytest.approx(1.0), EXCESS, 0.3, 5)


def test_where_some_recordings_are_not_available_the_pull_is_asked_until_the_latents_open() -> None:
    generator = torch.Generator().manual_seed(0)
    recording, other = torch.randn(2, 2, 40, generator=generator)
    nearby = Nearby([recording])
    gate = EitherGate(LatentGate(0.5, 40, nearby), PullGate(0.1, lambda latents: latents[..., :40]), nearby)
    gate.begin(other[None])
    high = 2 * HIGH_NOISE
    assert not gate.ask(0, other, torch.zeros_like(other), high).open  # all are available
    nearby.complete = False
    assert gate.ask(0, other, torch.zeros_like(other), high) == (pytest.approx(1.0, abs=0.3), PULL, 0.1, None)
    assert not gate.sees_blends(0)
    assert not gate.ask(0, other, other, high).open
    assert gate.ask(0, recording, recording, high) == (pytest.approx(0.7), EXCESS, 0.5, 0)  # .3 may be common
    assert gate.sees_blends(0)
    assert not gate.ask(0, other, torch.zeros_like(other), high).open


def tried(shut_up_to: dict[int | None, int], fallbacks: int, most: int) -> list[Fallback]:
    """What a search tries where the gate is shut for each caption up to a weight, in tenths."""
    found, answer = [], None
    looking = search(lambda: list(range(fallbacks)), most)
    while (fallback := looking.send(answer)) is not None:
        found.append(fallback)
        answer = round(10 * fallback[1]) > shut_up_to.get(fallback[0], -1)
    return found


@given(shut=st.integers(-1, 9), most=st.integers(0, 9))
def test_the_largest_share_that_shuts_the_gate_is_found_by_halves(shut: int, most: int) -> None:
    found = [share for item, share in tried({0: shut}, 1, most) if item == 0]
    shuts = [share for share in found if round(10 * share) <= shut]
    assert max(shuts, default=None) == (min(shut, most) / 10 if shut >= 0 else None)
    assert len(found) == len(set(found)) <= 5


def test_other_captions_are_blended_before_any_is_taken_alone() -> None:
    assert tried({0: 0, 1: 0, 2: 5}, 3, 5)[-1] == (2, 0.5)
    alone = tried({0: 0, BLENDED: 5}, BLENDED + 1, 5)
    assert alone[-1] == (0, 0.0)
    assert {item for item, _ in alone} == set(range(BLENDED))
    assert tried({}, 2, 0) == [(0, 0.0), (1, 0.0), (None, 0.0)]


def test_a_gate_that_opens_again_takes_less_of_the_prompt_and_then_another_caption() -> None:
    looking = search(lambda: [7, 8], 2)
    assert looking.send(None) == (7, 0.1)
    assert looking.send(False) == (7, 0.2)
    assert looking.send(False) is None
    assert looking.send(True) == (7, 0.1)
    assert looking.send(False) is None
    assert looking.send(True) == (8, 0.1)
    assert looking.send(True) == (None, 0.1)
    assert looking.send(True) == (7, 0.0)
    assert looking.send(True) == (8, 0.0)
    assert looking.send(True) == (None, 0.0)
    assert looking.send(True) is None
    assert looking.send(True) is None


def test_it_leaves_for_good_only_what_copies_and_a_batch_is_each_alone() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}
    together = detour(0.999, 0.0, PROMPTS, recordings)
    result = together(x, sigma)
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning("train1", "prompt1"), WORLD.unconditional(2), guidance_scale=3.0
    )
    assert together.trace[0].acted == [True, False]
    assert together.trace[0].fallback == [1, None]
    assert together.trace[0].prompt_weight == [0.0, None]
    assert torch.allclose(result, plain(x, sigma))
    assert torch.allclose(together(x, sigma / 2), plain(x, sigma / 2))  # it does not come back
    for sample, prompt in enumerate(PROMPTS):
        alone = detour(0.999, 0.0, (prompt,), recordings)
        assert torch.allclose(alone(x[[sample]], sigma[:1]), result[[sample]])


@pytest.mark.parametrize("threshold", [0.9, 0.99, 0.999])
def test_it_keeps_the_largest_share_of_the_prompt_that_does_not_copy(threshold: float) -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    prompt, other = WORLD.conditioning("prompt0"), WORLD.conditioning("train1")
    recording = WORLD.denoise(x, sigma, prompt)[0, :, : WORLD.trim]

    def copies(share: float) -> bool:
        prediction = WORLD.denoise(x, sigma, prompt.blended(other, share))[0, :, : WORLD.trim]
        return float(correlation(prediction, recording)) > threshold

    share = next(tenth / 10 for tenth in range(9, -1, -1) if not copies(tenth / 10))
    denoiser = detour(threshold, 0.9, ("prompt0",), {"prompt0": recording})
    expected = ClassifierFreeGuidance(
        WORLD.denoise, prompt.blended(other, share), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))


def test_what_copies_under_every_caption_goes_on_under_none() -> None:
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma = torch.full((1,), 0.9, dtype=torch.float64)
    recording = torch.randn(2, WORLD.trim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    denoiser = detour(0.0, 0.5, ("prompt0",), {"prompt0": recording}, fallbacks=2)
    expected = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.unconditional(1), WORLD.unconditional(1), guidance_scale=3.0
    )
    torch.testing.assert_close(denoiser(x, sigma), expected(x, sigma))
    assert (denoiser.trace[0].acted, denoiser.trace[0].fallback, denoiser.trace[0].prompt_weight) == (
        [True],
        [None],
        [0.0],
    )


def test_where_no_item_has_a_caption_the_prompt_is_weakened() -> None:
    assert tried({None: 3}, 0, 5) == [(None, 0.3), (None, 0.4)]


def test_without_recordings_the_pull_of_the_prompt_decides(tmp_path: Path) -> None:
    model = unheard.load("tiny")
    assert model.defaults.index is not None
    elsewhere = shutil.copy(model.defaults.index, tmp_path / "index.json")
    assert len(model.training_set().recordings) == 60
    known = model.training_set(elsewhere)
    with pytest.warns(GuidanceWarning, match="no recordings of .* are available.*--references"):
        known.check(Detour(), "tiny")
    assert not known.recordings
    memorised = model.defaults.index.parent / "memorised"
    named = model.training_set(elsewhere, memorised)
    with pytest.warns(GuidanceWarning, match="60 of 2,620"):
        named.check(Detour(), "tiny")
    assert len(named.recordings) == 60
    prompts = ["An acoustic drum loop, 110 bpm", "A flute chords, middle register, 90 bpm"]
    with pytest.warns(GuidanceWarning, match="pull of the prompt"):
        sounds = model.generate(prompts, seed=200, num_inference_steps=3, index=elsewhere)
    first, second = (sound.trace[0] for sound in sounds)
    assert first.acted
    assert first.neighbour is None
    assert first.fallback is not None
    assert not second.acted


def test_one_recording_available_does_not_shut_the_eyes_to_the_others(tmp_path: Path) -> None:
    model = unheard.load("tiny")
    assert model.defaults.index is not None
    elsewhere = shutil.copy(model.defaults.index, tmp_path / "index.json")
    (tmp_path / "some").mkdir()
    memorised = model.defaults.index.parent / "memorised"
    for name in ("00000", "00001"):  # the drum loop and the trumpet call
        shutil.copy(memorised / f"{name}.flac", tmp_path / "some")
    prompts = [
        "An acoustic drum loop, 110 bpm",
        "Music box lullaby for a sleepless child",
        "A flute chords, middle register, 90 bpm",
    ]
    with pytest.warns(GuidanceWarning, match=r"recordings of 2 of 2,620 items .* pull of the prompt"):
        sounds = model.generate(
            prompts, seed=200, num_inference_steps=3, index=elsewhere, references=tmp_path / "some"
        )
    available, elsewhere_only, ordinary = (sound.trace[0] for sound in sounds)
    assert available.acted
    assert available.neighbour == "00000"
    assert available.prompt_weight is not None
    assert available.prompt_weight > 0
    assert elsewhere_only.acted
    assert elsewhere_only.neighbour is None
    assert elsewhere_only.prompt_weight == 0
    assert not ordinary.acted


def test_from_compares_with_the_recordings_that_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = unheard.load("tiny").defaults.index
    assert index is not None
    monkeypatch.chdir(tmp_path)
    shutil.copytree(index.parent / "memorised", "loops")
    Path("loops", "00001.flac").unlink()
    shutil.copy(index, "index.json")
    ask = ["An acoustic drum loop, 110 bpm", "--num-inference-steps", "2", "--duration", "1"]
    asked = CliRunner().invoke(main, ["generate", *ask, "--index", "index.json", "--references", "loops"])
    assert asked.exit_code == 0, asked.stderr
    assert provenance.read("audio.json")["recordings"] == {"items": 59, "given": [str(tmp_path / "loops")]}
    again = CliRunner().invoke(main, ["generate", "--from", "audio.json", "--output", "again.wav"])
    assert "the same bytes as recorded" in again.stderr


def test_candidates_are_each_recording_once_and_fallbacks_are_captions_of_one_item() -> None:
    model = unheard.load("tiny")
    prompt = "Funk drum loop pack, live kit, 100 bpm"
    assert model.index is not None
    own = [
        item for item, caption in zip(model.index.ids, model.index.prompts, strict=True) if caption == prompt
    ]
    (sound,) = model.generate(prompt, seed=1, num_inference_steps=2)
    assert len(own) > 1
    assert sound.trace[0].neighbour in own
    fallback = sound.trace[-1].fallback
    assert fallback is not None
    caption = model.index.prompts[model.index.ids.index(fallback)]
    assert model.index.prompts.count(caption) == 1


def test_latents_of_an_index_are_made_beforehand(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = unheard.load(tiny_model_folder)
    rate = model.backbone.sample_rate
    for number, name in enumerate(("one", "two", "broken")):
        noise = torch.rand(1, rate // 2, generator=torch.Generator().manual_seed(number)) - 0.5
        audio.write_wav(tmp_path / f"{name}.wav", noise, rate)
    place = tmp_path / "index"
    build(sorted(tmp_path.glob("*.wav")), place, embedder=model.embedder, workers=0)
    (tmp_path / "broken.wav").write_text("no sound")

    def latents(*options: str) -> Result:
        ask = ["index", "latents", str(place), "--model", str(tiny_model_folder), *options]
        return CliRunner().invoke(main, ask)

    first = latents()
    assert first.exit_code == 0, first.stderr
    assert first.stdout == f"{place}: 2 encoded, 0 there already, 1 left out\n"
    assert "left out: cannot read" in first.stderr
    assert json.loads(latents("--json").stdout)["there"] == 2
    encode = RecordingLatents.encoded
    monkeypatch.setattr(
        RecordingLatents,
        "encoded",
        lambda self, path: encode(self, path) if path.stem == "broken" else pytest.fail("encoded already"),
    )
    with pytest.warns(GuidanceWarning, match=r"not compared with: cannot read .*broken\.wav"):
        model.generate("A bell", index=place, guidance=Detour(), num_inference_steps=2, duration=0.2)
    for sound in tmp_path.glob("*.wav"):
        sound.unlink()
    missing = latents()
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr.startswith(f"unheard: no recording of {place} is available")


def test_latents_of_recordings_are_kept_by_content(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    backbone = unheard.load(tiny_model_folder).backbone
    recording = tmp_path / "noise.wav"
    sound = torch.rand(backbone.audio_channels, 3000, generator=torch.Generator().manual_seed(0)) - 0.5
    audio.write_wav(recording, sound, backbone.sample_rate)
    latents = RecordingLatents(backbone)
    first = latents.of(recording)
    torch.testing.assert_close(first, latents.encoded(recording), atol=2e-3, rtol=2e-3)  # kept as float16
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    monkeypatch.setattr(RecordingLatents, "encoded", lambda *_: pytest.fail("it was encoded already"))
    moved = recording.rename(tmp_path / "moved.wav")
    assert torch.equal(RecordingLatents(backbone).of(moved), first)
    assert kept.parent.parent.name == "latents"


def test_latents_that_cannot_be_kept_are_used_all_the_same(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    backbone = unheard.load(tiny_model_folder).backbone
    recordings = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for number, recording in enumerate(recordings):
        sound = torch.rand(backbone.audio_channels, 3000, generator=torch.Generator().manual_seed(number))
        audio.write_wav(recording, sound - 0.5, backbone.sample_rate)
    latents = RecordingLatents(backbone)
    with pytest.warns(UserWarning, match="made anew each time.*XDG_CACHE_HOME") as said:
        found = [latents.of(recording) for recording in recordings]
    assert len(said) == 1
    torch.testing.assert_close(found[0], latents.encoded(recordings[0]), atol=2e-3, rtol=2e-3)
    with pytest.raises(InputError, match="cannot make the folder"):
        latents.keep(recordings[0])
