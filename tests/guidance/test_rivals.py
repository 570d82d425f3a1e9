"""The rivals of the detour: what each makes of a prompt, before the first step and never again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_world import CAPTIONS
from toy_backbone import ToyBackbone

import unheard
from unheard import AMG, GatedAMG, Model, NearestCaption, PromptNoise, RareWords, StaticRewrite
from unheard.generation.defaults import Defaults
from unheard.guidance.prompt_noise.denoiser import with_random_words
from unheard.guidance.rare_words.denoiser import without_rare_words
from unheard.index.searching.captions import Captions

MEMORISED = CAPTIONS[0]


class ListeningBackbone(ToyBackbone):
    """Notes every text that it encodes, and of how many samples each prediction is."""

    def encode(self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]):  # type: ignore[no-untyped-def]
        self.heard = [*getattr(self, "heard", []), *prompts]
        return super().encode(prompts, seconds_start, seconds_total)


@pytest.fixture(scope="module")
def model(recordings: Path, toy_defaults: Defaults) -> Model:
    sampling = replace(toy_defaults.sampling, num_inference_steps=3, guidance_scale=1.0)
    defaults = replace(toy_defaults, sampling=sampling)
    return Model(ListeningBackbone({MEMORISED: recordings / "train_00.wav"}), defaults)


def same(one: unheard.Sound, other: unheard.Sound) -> bool:
    return torch.allclose(one.waveform, other.waveform, atol=1e-5)


def test_a_static_rewrite_is_the_plain_sound_of_another_caption(model: Model, recordings: Path) -> None:
    rewrite = StaticRewrite(candidates=4)
    prompts = [MEMORISED, "A bell"]
    memorised, ordinary = model.generate(prompts, seed=[5, 6], guidance=rewrite, references=recordings)
    assert memorised.fallback is not None
    assert (memorised.fallback.step, memorised.fallback.prompt_weight) == (1, 0.0)
    (plain,) = model.generate(memorised.fallback.caption, seed=5, guidance=None)
    assert same(memorised, plain)
    assert [step.value is None for step in memorised.trace] == [False, True, True]
    assert memorised.trace[0].neighbour == "train_00"
    assert "the prompt leads to a recording" in memorised.outcome
    assert ordinary.outcome == "kept the prompt"
    assert same(ordinary, model.generate("A bell", seed=6, guidance=None)[0])


@pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
def test_a_static_rewrite_takes_the_detours_first_caption_and_its_gate(model: Model) -> None:
    detour = unheard.Detour(pull=0.0, candidates=4)
    (by_detour,) = model.generate("A bell", seed=5, guidance=detour)
    (rewritten,) = model.generate("A bell", seed=5, guidance=StaticRewrite(pull=0.0, candidates=4))
    assert rewritten.trace[0].value == by_detour.trace[0].value
    assert by_detour.trace[0].fallback is None  # nothing shuts that gate, so that no caption was left to try
    assert rewritten.fallback is not None
    assert rewritten.fallback.id is not None


def test_the_nearest_caption_takes_every_prompts_place(model: Model) -> None:
    first, second = (
        model.generate("A slow piano", seed=1, guidance=NearestCaption(nearest))[0] for nearest in (1, 2)
    )
    assert first.fallback is not None
    assert first.fallback.caption == "A slow piano melody"
    assert second.fallback is not None
    assert second.fallback.caption not in ("A slow piano", first.fallback.caption)
    assert first.outcome == 'made as "A slow piano melody", with nothing of the prompt'
    assert same(first, model.generate("A slow piano melody", seed=1, guidance=None)[0])


def test_a_word_is_as_rare_as_the_different_captions_that_have_it() -> None:
    texts = ["A drum loop", "A drum loop", "a drum, loud", "Lo-fi drum", "piano loop"]
    captions = Captions([str(number) for number in range(len(texts))], texts)
    assert [captions.having(word) for word in ("Drum", "loop", "loud", "zither")] == [3, 2, 1, 0]
    assert without_rare_words("A loud, slow DRUM loop!", captions, 2) == "A DRUM loop!"
    assert without_rare_words("A drum - loop", captions, 2) == "A drum - loop"
    assert without_rare_words("lo-fi drum", captions, 2) == "drum"
    assert without_rare_words("zither", captions, 1) == ""


def test_rare_words_are_left_out_and_a_prompt_of_no_others_is_no_prompt(model: Model) -> None:
    asked = ["A zither piano melody", "zither", "A piano melody"]
    sounds = model.generate(asked, seed=[1, 1, 1], guidance=RareWords(2))
    reworded, nothing, kept = sounds
    assert reworded.fallback is not None
    assert (reworded.fallback.caption, reworded.fallback.prompt_weight) == ("A piano melody", 0.75)
    assert reworded.outcome == 'made as "A piano melody", with 75% of the prompt'
    assert same(reworded, kept)
    assert kept.outcome == "kept the prompt"
    assert nothing.outcome == "made without a caption, with nothing of the prompt"


def test_random_words_come_from_captions_and_with_the_seed(model: Model) -> None:
    words = {word for caption in CAPTIONS for word in caption.casefold().replace(",", "").split()}
    told = []
    for seed in (1, 2, 1):
        (sound,) = model.generate("A bell", seed=seed, guidance=PromptNoise(3))
        assert sound.fallback is not None
        told.append(sound.fallback.caption)
        assert sound.fallback.caption in model.backbone.heard  # type: ignore[attr-defined]
        assert len(told[-1].split()) == 5
        assert {*told[-1].split()} <= words | {"A", "bell"}
    assert told[0] == told[2] != told[1]


def test_random_words_stand_between_the_prompts_or_in_their_place() -> None:
    prompt, words = "one two three", ["x", "y"]
    for seed in range(20):
        added = with_random_words(prompt, words, seed, replace=False).split()
        assert [word for word in added if word not in words] == prompt.split()
        assert len(added) == 5
        replaced = with_random_words(prompt, words, seed, replace=True).split()
        assert sum(word in words for word in replaced) == 2
        assert all(word in words or word == own for word, own in zip(replaced, prompt.split(), strict=True))
    assert {*with_random_words("a", list("xyz"), 0, replace=True)} < {*"xyz"}


def test_noise_on_the_embedding_has_its_deviation_and_comes_with_the_seed(model: Model) -> None:
    noise = PromptNoise(random_words=0, embedding_noise=0.5)
    once, again, other = (model.generate("A bell", seed=seed, guidance=noise)[0] for seed in (1, 1, 2))
    assert same(once, again)
    assert not same(once, model.generate("A bell", seed=1, guidance=None)[0])
    assert once.fallback is None
    assert once.acted == other.acted == 3
    faint = PromptNoise(random_words=0, embedding_noise=1e-7)
    assert same(
        model.generate("A bell", seed=1, guidance=faint)[0],
        model.generate("A bell", seed=1, guidance=None)[0],
    )


def test_random_words_need_an_index_and_noise_does_not(model: Model) -> None:
    assert model.generate("A bell", guidance=PromptNoise(0, embedding_noise=0.1), index=None)
    with pytest.raises(unheard.InputError, match="needs an index"):
        model.generate("A bell", guidance=PromptNoise(1), index=None)
    with pytest.raises(unheard.InputError, match="are both 0"):
        PromptNoise(random_words=0)


def test_gated_amg_is_amg_where_the_detours_gate_is_open_and_plain_elsewhere(
    model: Model, recordings: Path
) -> None:
    prompts, options = (
        [MEMORISED, "A bell"],
        {"seed": [5, 6], "guidance_scale": 3.0, "references": recordings},
    )
    weights = {"c1": 1.0, "c2": 1.0, "c3": 1.0}
    gated, ordinary = model.generate(prompts, guidance=GatedAMG(candidates=4, **weights), **options)
    always, _ = model.generate(prompts, guidance=AMG(lambda_min=-1, lambda_max=-1, **weights), **options)
    plain, same_ordinary = model.generate(prompts, guidance=None, **options)
    assert gated.trace[0].measure == "excess correlation with one recording"
    assert (gated.acted, ordinary.acted) == (3, 0)
    assert same(gated, always)
    assert not same(gated, plain)
    assert same(ordinary, same_ordinary)


def test_on_the_bundled_model_each_rival_changes_the_prompt_as_it_says(bundled: Model) -> None:
    prompt = "Dusty 808 beat from the basement, 90 bpm"
    captions = {}
    for guidance in (StaticRewrite(), NearestCaption(), RareWords()):
        (sound,) = bundled.generate(prompt, seed=200, num_inference_steps=2, duration=1.0, guidance=guidance)
        assert sound.fallback is not None
        captions[guidance.kind] = sound.fallback.caption
    assert captions["static-rewrite"] == captions["nearest-caption"] != prompt
    assert captions["rare-words"] == "808 beat 90 bpm"
