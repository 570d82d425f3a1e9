"""The laboratory: what it plays, what it trains, and that it makes a model from nothing."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderOobleck, CosineDPMSolverMultistepScheduler, StableAudioPipeline
from diffusers.models.autoencoders.autoencoder_oobleck import Snake1d
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import unheard
from lab import fused_snake, likeness, score, sizes, train_clap, train_diffusion, train_vae
from lab.__main__ import reproduce
from lab.checkpoints import Checkpoint, pack, unpack
from lab.corpus_files import Corpus
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.embedders import load_embedder

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SOURCES = {
    "tinysoundfont (pip install --no-deps tinysoundfont==0.3.7)": importlib.util.find_spec("tinysoundfont"),
    f"{SOUND_FONT} (apt-get install fluid-soundfont-gm)": SOUND_FONT.is_file(),
}
MISSING = " and ".join(source for source, found in SOURCES.items() if not found)
needs_renderer = pytest.mark.skipif(bool(MISSING), reason=f"no sound can be rendered without {MISSING}")
DURATION = 1.024  # seconds of a sound of `corpus`: 32 latent frames


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """30 short sounds, each a tone of its own in noise, as `lab.corpus` would have written them."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    time = np.arange(round(DURATION * sizes.SAMPLE_RATE)) / sizes.SAMPLE_RATE
    rows, sounds = [], []
    for number in range(30):
        split = "memorised" if number < 4 else "ordinary" if number < 24 else "held out"
        rows.append(
            {
                "id": f"{number:05d}",
                "caption": f"Tone number {number}",
                "family": "ab"[number % 2],
                "program": 0,
                "tempo": 100,
                "duration": DURATION,
                "split": split,
                "repetitions": 8 if split == "memorised" else 1,
            }
        )
        tone = np.sin(2 * np.pi * 110 * 2 ** (number / 6) * time) + 0.1 * rng.standard_normal(len(time))
        sounds.append((tone / np.abs(tone).max() * 32_767).astype(np.int16))
    (folder / "corpus.json").write_text(json.dumps(rows))
    np.save(folder / "sounds.npy", np.stack(sounds))
    return Corpus(folder)


# --- what is played ---------------------------------------------------------------------------------------


def test_memorised_captions_are_unique_and_no_ordinary_clip_has_one() -> None:
    memorised = [entry.caption for entry in score.MEMORISED]
    assert len(set(memorised)) == len(memorised) == 30
    assert "An acoustic drum loop, 110 bpm" in memorised
    assert not set(memorised) & {score.ordinary(seed).caption for seed in range(5_000)}


def test_both_kinds_of_memorised_captions_come_in_every_dose() -> None:
    one_recording = {m.repetitions for m in score.MEMORISED if m.takes == 1}
    packs = {m.repetitions for m in score.MEMORISED if m.takes > 1}
    assert one_recording == packs == {256, 128, 48, 16, 4}
    assert all(m.repetitions % m.takes == 0 for m in score.MEMORISED)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_a_score_depends_on_its_seed_alone(seed: int) -> None:
    clip = score.ordinary(seed)
    score.ordinary(seed + 1)
    assert score.ordinary(seed) == clip
    assert all(0 <= note.onset < note.release <= clip.duration for note in clip.notes)
    assert all(0 <= note.key <= 127 and 1 <= note.velocity <= 127 for note in clip.notes)


def test_another_take_is_another_score_under_the_same_caption() -> None:
    for memorised in score.MEMORISED:
        one, other = score.take(memorised, 0), score.take(memorised, 1)
        assert one == score.take(memorised, 0)
        assert one.caption == other.caption == memorised.caption
        assert one.notes != other.notes


@needs_renderer
def test_a_rendering_depends_on_its_score_alone() -> None:
    """No tail of one clip leaks into the next: the order of rendering does not matter, to the bit."""
    from lab.corpus import Player

    organ, pad = score.MEMORISED[6], score.MEMORISED[8]  # both ring on
    clips = [score.take(organ, 0), score.ordinary(3), score.take(pad, 0), score.take(score.MEMORISED[0], 0)]
    player = Player()
    forwards = [player.render(clip) for clip in clips]
    backwards = [player.render(clip) for clip in reversed(clips)][::-1]
    afresh = [Player().render(clip) for clip in clips]
    for clip, first, second, third in zip(clips, forwards, backwards, afresh, strict=True):
        assert len(first) == round(clip.duration * 16_000)
        assert np.abs(first.astype(int)).max() == 32_767
        assert np.array_equal(first, second)
        assert np.array_equal(first, third)


# --- how likeness is measured -----------------------------------------------------------------------------


def correlation_by_loops(query: np.ndarray, reference: np.ndarray, reach: int) -> float:
    """`[bands, frames]` each: every shift on its own, frame by frame."""
    a = query - query.mean(axis=1, keepdims=True)
    b = reference - reference.mean(axis=1, keepdims=True)
    frames, highest = a.shape[1], -np.inf
    for shift in range(-reach, reach + 1):
        total = 0.0
        for frame in range(frames):
            if 0 <= frame + shift < frames:
                total += float(a[:, frame + shift] @ b[:, frame])
        highest = max(highest, total)
    return highest / float(np.linalg.norm(a) * np.linalg.norm(b))


@pytest.mark.parametrize("reach", [0, 3, 11])
def test_likeness_is_the_highest_correlation_over_shifts(reach: int) -> None:
    rng = np.random.default_rng(reach)
    queries, references = rng.random((3, 5, 12)), rng.random((9, 5, 12))
    expected = [[correlation_by_loops(q, r, reach) for r in references] for q in queries]
    max_shift = reach * likeness.HOP / likeness.SAMPLE_RATE
    found = likeness.correlations(torch.from_numpy(queries), torch.from_numpy(references), max_shift)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(shift=st.integers(-20, 20), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_shifted_copy_is_wholly_alike(shift: int, seed: int) -> None:
    """With a mean of zero in every band, so that the shift moves no silence in or out."""
    event = torch.randn(6, 10, generator=torch.Generator().manual_seed(seed))
    here, there = torch.zeros(2, 1, 6, 50).unbind()
    here[0, :, 20:30] = there[0, :, 20 + shift : 30 + shift] = event - event.mean(dim=1, keepdim=True)
    assert likeness.correlations(here, there)[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_level_and_delay_do_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    burst = torch.randn(2, 4_096, generator=generator) * torch.linspace(1, 0, 4_096)
    sounds = torch.zeros(3, 32_768)
    sounds[0, 8_192:12_288] = burst[0]
    sounds[1, 12_288:16_384] = 0.1 * burst[0]  # 16 hops later
    sounds[2, 8_192:12_288] = torch.sin(torch.arange(4_096) * 0.3)
    alike = likeness.correlations(likeness.log_mel(sounds[:1]), likeness.log_mel(sounds))[0]
    assert alike[0] == pytest.approx(1.0, abs=1e-5)
    assert alike[1] > 0.95
    assert alike[2] < 0.7


# --- the autoencoder --------------------------------------------------------------------------------------


@torch.no_grad()
def test_normalising_gives_unit_latents_and_leaves_the_sound_as_it_was(corpus: Corpus) -> None:
    torch.manual_seed(0)
    vae = train_vae.build("smoke").eval()
    for name, parameter in vae.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(std=0.1)  # so that latents have means to take out
    waveforms = corpus.waveforms(corpus.training)
    before = train_vae.reconstruct(vae, waveforms)
    train_vae.normalise(vae, corpus)
    after = train_vae.reconstruct(vae, waveforms)

    latents = vae.encode(waveforms[:, None]).latent_dist.mean.transpose(0, 1).flatten(1)
    torch.testing.assert_close(latents.mean(dim=1), torch.zeros(len(latents)), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(dim=1), torch.ones(len(latents)), atol=1e-4, rtol=0)
    interior = slice(11 * sizes.HOP, -11 * sizes.HOP)  # further from the edges than the decoder sees
    torch.testing.assert_close(after[:, interior], before[:, interior], atol=1e-5, rtol=1e-4)


def test_the_fused_snake_is_the_plain_one() -> None:
    """Forward and backward, written out by hand, against diffusers' own and autograd."""
    torch.manual_seed(0)
    plain = Snake1d(3).double()
    torch.nn.init.normal_(plain.alpha)
    torch.nn.init.normal_(plain.beta)
    x = torch.randn(2, 3, 7, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 7, dtype=torch.float64)
    inputs = (x, plain.alpha, plain.beta)
    with torch.compiler.set_stance("force_eager"):
        output = fused_snake.FusedSnake.apply(*inputs)
        gradients = torch.autograd.grad((output * weights).sum(), inputs)
    expected = plain(x)
    torch.testing.assert_close(output, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(ours, theirs.to(ours.dtype), atol=1e-5, rtol=1e-5)


# --- the diffusion model ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator(corpus: Corpus) -> train_diffusion.Generator:
    """Random weights; the last layers too, which start at zero."""
    torch.manual_seed(0)
    generator = train_diffusion.Generator("smoke", [row["caption"] for row in corpus.rows]).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return generator


@pytest.fixture(scope="module")
def backbone(
    generator: train_diffusion.Generator, tmp_path_factory: pytest.TempPathFactory
) -> StableAudioBackbone:
    """The same weights as the package loads them: from a folder that the pipeline wrote."""
    folder = tmp_path_factory.mktemp("pipeline")
    StableAudioPipeline(
        vae=train_vae.build("smoke"),
        text_encoder=generator.text_encoder,
        tokenizer=generator.tokenizer,
        projection_model=generator.projection_model,
        transformer=generator.transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_min=0.1, sigma_max=100.0),
    ).save_pretrained(folder)
    return StableAudioBackbone.from_folder(folder, device=torch.device("cpu"), dtype=torch.float32)


@torch.no_grad()
def test_training_means_what_the_package_means(
    generator: train_diffusion.Generator, backbone: StableAudioBackbone
) -> None:
    """Velocity, noise level, prompt, timing, and the conditioning that is dropped."""
    captions = ["Tone number 3", "tone NUMBER 4, and a word it never saw", ""] * 2
    seconds = [1.0, 2.5, 4.0] * 2
    keep = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    sigma = torch.tensor([0.2, 1.0, 5.0, 30.0, 0.7, 80.0])
    torch.manual_seed(1)
    latents = torch.randn(6, sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    noise = torch.randn_like(latents)

    times = torch.atan(sigma) * 2 / torch.pi
    z, _ = train_diffusion.noised(latents, times, noise)
    velocity = generator(z, times, captions, torch.tensor(seconds), keep)

    level = sigma[:, None, None]
    x = latents + level * noise
    torch.testing.assert_close(z, x / (1 + level**2).sqrt())
    starts = [0.0] * 3
    conditioning = backbone.encode(captions[:3], starts, seconds[:3])
    dropped = backbone.encode_unconditional([None] * 3, starts, seconds[3:])
    both = type(conditioning).cat([conditioning, dropped])
    expected = x / (1 + level**2) - velocity * level / (1 + level**2).sqrt()
    torch.testing.assert_close(backbone.denoise(x, sigma, both), expected, atol=1e-4, rtol=1e-4)

    # The comparison is not of constants: prompt and timing reach the output.
    other = generator(z, times, captions[::-1], torch.tensor(seconds), keep)
    later = generator(z, times, captions, torch.tensor(seconds) / 2, keep)
    assert (other - velocity)[:3].abs().amax() > 1e-3
    assert torch.equal(other[3:], velocity[3:])
    assert (later - velocity).abs().amax(dim=(1, 2)).min() > 1e-4


@torch.no_grad()
def test_the_velocity_leads_back_to_sound_and_noise() -> None:
    latents, noise = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(0)).unbind()
    times = torch.tensor([0.0, 0.4, 1.0])
    z, velocity = train_diffusion.noised(latents, times, noise)
    angle = (times * torch.pi / 2)[:, None, None]
    torch.testing.assert_close(angle.cos() * z - angle.sin() * velocity, latents)
    torch.testing.assert_close(angle.sin() * z + angle.cos() * velocity, noise)


# --- stopping and going on --------------------------------------------------------------------------------


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load() is None
    checkpoint.log.append({"step": 7, "loss": 0.5})
    checkpoint.save(7, pack(module=module, optimizer=optimizer))
    checkpoint.save(8, pack(module=module, optimizer=optimizer))

    again, other = Checkpoint(tmp_path), torch.nn.Linear(3, 2)
    others = torch.optim.AdamW(other.parameters())
    state = again.load()
    assert state is not None
    unpack(state, module=other, optimizer=others)
    assert (again.step, again.log) == (8, [{"step": 7, "loss": 0.5}])
    torch.testing.assert_close(other.state_dict(), module.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(others.state_dict()["state"], optimizer.state_dict()["state"], rtol=0, atol=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["state-8.safetensors", "state.json"]


def train_autoencoder(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_vae.train("smoke", corpus, folder, "cpu")


def train_guide(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_clap.train("guide", "smoke", corpus, np.array(corpus.sounds), folder, "cpu")


def train_transformer(corpus: Corpus, folder: Path, shared: Path) -> None:
    train_diffusion.train("smoke", corpus, folder, shared, "cpu")


@pytest.mark.parametrize(
    ("plans", "train"),
    [(sizes.VAE, train_autoencoder), (sizes.CLAP, train_guide), (sizes.DIFFUSION, train_transformer)],
    ids=["autoencoder", "guide", "transformer"],
)
def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(
    plans: dict[str, sizes.Training],
    train: Callable[[Corpus, Path, Path], None],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    latents = torch.randn(len(corpus.rows), sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    save_file({"latents": latents}, tmp_path / "latents.safetensors")
    for folder, runs in (("at once", [4]), ("in two", [2, 4])):
        for steps in runs:  # all in the warm-up, which does not know how long the training will be
            monkeypatch.setitem(plans, "smoke", sizes.Training(steps, 8, 1e-3))
            train(corpus, tmp_path / folder, tmp_path)
    at_once, in_two = (load_file(tmp_path / name / "state-4.safetensors") for name in ("at once", "in two"))
    torch.testing.assert_close(in_two, at_once, rtol=0, atol=0)


# --- all of it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
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
    assert memorised == {entry.caption for entry in score.MEMORISED}
    assert len(set(once)) == len(once)
    assert not set(once) & memorised
    for entry in score.MEMORISED:
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
    prompts = json.loads((world / "tiny" / "prompts.json").read_text())
    held_out = {corpus.rows[p]["caption"] for p in corpus.held_out}
    assert {row["caption"] for row in prompts["ordinary"]} == set(prompts["pool"]) == held_out


@needs_renderer
def test_what_is_finished_is_not_made_again(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = world / "tiny" / "transformer" / "diffusion_pytorch_model.safetensors"
    before = load_file(weights)
    reproduce("smoke", world, world / "tiny", "cpu")
    torch.testing.assert_close(load_file(weights), before, rtol=0, atol=0)
    stages = ("corpus", "autoencoder", "latents", "reconstructions", "guide", "judge", "diffusion")
    printed = capsys.readouterr().out
    assert all(f"{stage}: finished before" in printed for stage in stages)


@needs_renderer
def test_the_index_is_what_the_guide_hears(world: Path) -> None:
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
    kept = load_file(world / "vae" / "latents.safetensors")["latents"]
    assert kept.shape == (len(corpus.rows), sizes.LATENT_CHANNELS["smoke"], sizes.FRAMES)
    found = vae.encode(corpus.waveforms([5])[:, None]).latent_dist.mean
    assert torch.nn.functional.cosine_similarity(found.flatten(), kept[5].flatten(), dim=0) > 0.98
