"""A model is made from nothing, and generates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderOobleck
from safetensors.torch import load_file
from sound_font import needs_renderer

import unheard
from lab import listening, sizes, truth
from lab.__main__ import reproduce
from lab.corpus_files import Corpus
from lab.memorised import of_size
from unheard.embedders import load_embedder
from unheard.evaluation.listener import Listener


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smoke-size model, made from nothing, in the folder `tiny`; its corpus is beside it."""
    work = tmp_path_factory.mktemp("lab")
    reproduce("smoke", work, work / "tiny", "cpu")
    return work


@needs_renderer
def test_captions_of_a_corpus_are_in_one_split_only(world: Path) -> None:
    corpus = Corpus(world / "corpus")
    once = [corpus.rows[p]["caption"] for p in corpus.positions("ordinary", "held out")]
    memorised = {corpus.rows[p]["caption"] for p in corpus.positions("memorised")}
    assert memorised == {entry.caption for entry in of_size("smoke")}
    assert len(set(once)) == len(once)
    assert not set(once) & memorised
    for entry in of_size("smoke"):
        rows = [row for row in corpus.rows if row["caption"] == entry.caption]
        assert len(rows) == entry.takes
        assert sum(row["repetitions"] for row in rows) == entry.repetitions


@needs_renderer
def test_the_lab_makes_a_model_that_generates_with_guidance(world: Path) -> None:
    model = unheard.load(world / "tiny", device="cpu")
    corpus = Corpus(world / "corpus")
    assert model.index is not None
    assert model.index.ids == [corpus.rows[p]["id"] for p in corpus.training]
    sounds = model.generate(
        ["An acoustic drum loop, 110 bpm", "A soft flute melody"],
        duration=2.0,
        num_inference_steps=4,
        guidance=unheard.AMG(lambda_min=-1.0, lambda_max=-1.0),
    )
    for sound in sounds:
        assert sound.waveform.shape == (1, 32_000)
        assert sound.waveform.isfinite().all()
        assert sound.acted == 4
    assert load_embedder(world / "tiny" / "judge").name != model.embedder.name
    listener = Listener.load(world / "tiny" / "listener")
    (heard,) = listener.hear(sounds[0].waveform[None], 16_000)
    assert heard.instrument in truth.NAMES
    assert heard.family in truth.FAMILIES
    prompts = json.loads((world / "tiny" / "prompts.json").read_text())
    held_out = {corpus.rows[p]["caption"] for p in corpus.held_out}
    assert {row["caption"] for row in prompts["ordinary"]} == set(prompts["pool"]) == held_out


@needs_renderer
def test_what_is_finished_is_not_made_again(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = world / "tiny" / "transformer" / "diffusion_pytorch_model.safetensors"
    before = load_file(weights)
    reproduce("smoke", world, world / "tiny", "cpu")
    torch.testing.assert_close(load_file(weights), before, rtol=0, atol=0)
    stages = ("corpus", "autoencoder", "latents", "reconstructions", "guide", "listening", "judge",
              "listener", "diffusion")  # fmt: skip
    printed = capsys.readouterr().out
    assert all(f"{stage}: finished before" in printed for stage in stages)


@needs_renderer
def test_the_index_has_the_embeddings_of_the_guide(world: Path) -> None:
    corpus, model = Corpus(world / "corpus"), unheard.load(world / "tiny", device="cpu")
    assert model.index is not None
    position = corpus.training[-1]
    samples = round(corpus.rows[position]["duration"] * sizes.SAMPLE_RATE)
    waveform = corpus.waveforms([position])[:, None, :samples]
    (embedding,) = model.embedder.embed_audio(waveform, sizes.SAMPLE_RATE)
    vector = model.index.vectors(torch.tensor([len(model.index) - 1]))[0]
    assert float(vector @ embedding) > 0.999


@torch.no_grad()
@needs_renderer
def test_latents_of_the_corpus_are_those_of_the_packed_autoencoder(world: Path) -> None:
    corpus = Corpus(world / "corpus")
    vae = AutoencoderOobleck.from_pretrained(world / "tiny" / "vae", torch_dtype=torch.float32)
    saved = load_file(world / "vae" / "latents.safetensors")["latents"]
    assert saved.shape == (len(corpus.rows), sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    found = vae.encode(corpus.waveforms([5])[:, None]).latent_dist.mean
    assert torch.nn.functional.cosine_similarity(found.flatten(), saved[5].flatten(), dim=0) > 0.98


@needs_renderer
def test_judge_and_listener_learn_from_sounds_and_captions_that_are_not_the_models(world: Path) -> None:
    corpus, (sounds, decoded) = Corpus(world / "corpus"), listening.read(world / "listening")
    assert not {row["caption"] for row in corpus.rows} & {
        row[kind] for row in sounds.rows for kind in ("caption", "prose")
    }
    of_model = {corpus.sounds[p].tobytes() for p in range(len(corpus.rows))}
    assert not of_model & {sounds.sounds[p].tobytes() for p in range(len(sounds.rows))}
    sides = [row["split"] for row in sounds.rows]
    assert sides == [side for side, count in listening.SOUNDS["smoke"].items() for _ in range(count)]
    assert decoded is not None
    assert len(decoded) == len(sides) - listening.SOUNDS["smoke"]["training"] + listening.DECODED["smoke"]


@needs_renderer
def test_a_sound_that_was_decoded_is_like_no_other_than_its_own(world: Path) -> None:
    """Positions of both files are the same: a smoke autoencoder reconstructs little, but where sound is."""
    sounds, decoded = listening.read(world / "listening")
    assert decoded is not None
    for position in range(len(decoded)):
        samples = round(sounds.rows[position]["duration"] * sizes.SAMPLE_RATE)
        assert decoded[position, :samples].any()
        assert not decoded[position, samples:].any()
