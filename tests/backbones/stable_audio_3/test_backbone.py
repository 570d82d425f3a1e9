"""What is Stable Audio 3's own: padding, any length, an autoencoder in pieces, the published sizes."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderSAME,
    FlowMatchEulerDiscreteScheduler,
    StableAudio3DiTModel,
)
from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_audio_3_pipeline import (
    CHANNELS,
    HOP_LENGTH,
    MAX_TOKENS,
    gemma_tokenizer,
    stable_audio_3_backbone,
    stable_audio_3_pipeline,
)
from torch import Tensor
from transformers import T5GemmaConfig, T5GemmaEncoderModel
from transformers.models.t5gemma.configuration_t5gemma import T5GemmaModuleConfig

from unheard import Sampling
from unheard.backbones.stable_audio_3 import same
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.conditioning import StableAudio3Conditioning as Conditioning
from unheard.backbones.stable_audio_3.same import PiecewiseSAME, reach
from unheard.errors import InputError, ModelError

# The rounding of float32 attention over other lengths, for latents and sounds of a spread of about 1.
TOLERANCE = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return stable_audio_3_pipeline(3)


@pytest.fixture(scope="module")
def backbone(pipeline: Any) -> StableAudio3Backbone:
    return stable_audio_3_backbone(pipeline)


# Texts


def test_padding_is_the_learned_vector_and_stands_on_the_left(backbone: StableAudio3Backbone) -> None:
    """An empty text is that vector throughout, whatever the text encoder says of nothing."""
    padding = backbone.transformer.prompt_padding_embedding
    text = backbone.encode(["a bell"], [0.0], [1.0]).text[0]
    assert text.shape == (MAX_TOKENS, len(padding))
    assert torch.equal(text[:-6], padding.expand(MAX_TOKENS - 6, -1))
    assert not (text[-6:] == padding).all(dim=1).any()
    empty = backbone.encode_unconditional([None], [0.0], [1.0]).text[0]
    assert torch.equal(empty, padding.expand(MAX_TOKENS, -1))


def test_texts_of_different_lengths_blend_between_what_the_network_attends_to(
    backbone: StableAudio3Backbone,
) -> None:
    short, long = (backbone.encode([text], [0.0], [1.0]) for text in ("a bell", "an electric bass"))
    for weight, expected in ((1.0, short), (0.0, long)):
        torch.testing.assert_close(short.blended(long, weight).cross_attention, expected.cross_attention)
    mixed = short.blended(long, 0.25)
    torch.testing.assert_close(mixed.text, 0.25 * short.text + 0.75 * long.text)
    # Where only one of the two has a token, the other's learned vector takes its part.
    padding = backbone.transformer.prompt_padding_embedding
    torch.testing.assert_close(mixed.text[0, -10], 0.25 * padding + 0.75 * long.text[0, -10])


def test_conditioning_selects_and_joins_and_moves(backbone: StableAudio3Backbone) -> None:
    told = backbone.encode(["a bell", "a pad", "a flute"], [0.0, 0.0, 0.5], [1.0, 0.5, 1.0])
    chosen = Conditioning.cat([told.select([2]), told.select(torch.tensor([0, 0]))])
    assert len(told) == len(chosen) == 3
    for name in ("text", "duration", "cross_attention"):
        assert torch.equal(getattr(chosen, name), getattr(told, name)[[2, 0, 0]])
    assert torch.equal(told.duration[1], told.duration[2])
    states = told.text_states.clone().requires_grad_()
    x = torch.zeros(3, *backbone.noise_shape(0.2))
    backbone.denoise(x, torch.ones(3), told.with_text_states(states)).sum().backward()
    assert states.grad is not None
    assert states.grad.abs().amin(dim=2).min() > 0  # padding counts as well


def test_a_long_prompt_is_cut_as_the_pipeline_cuts_it_with_a_warning(
    pipeline: Any, backbone: StableAudio3Backbone
) -> None:
    long = "a warm bell " * 4 + "zebra"
    with pytest.warns(UserWarning, match=r"53 tokens, .* reads 48: it loses the last 5, from 'zebra' on"):
        ours = backbone.encode([long], [0.0], [1.0])
    theirs, mask = pipeline.encode_prompt([long], torch.device("cpu"), 1)
    assert mask.all()
    torch.testing.assert_close(ours.text, theirs)


def test_bad_conditioning_is_refused(backbone: StableAudio3Backbone) -> None:
    with pytest.raises(InputError, match="2 prompts, 1 start and 2 totals"):
        backbone.encode(["a", "b"], [0.0], [1.0, 1.0])
    with pytest.raises(InputError, match="the prompt 7 is not text but of type int"):
        backbone.encode([7], [0.0], [1.0])  # type: ignore[list-item]
    with pytest.raises(InputError, match="nan: give seconds as finite numbers"):
        backbone.encode(["a"], [math.nan], [1.0])


# Lengths and noise levels


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(1, 32_000))
def test_frames_cover_the_duration_and_no_more(backbone: StableAudio3Backbone, samples: int) -> None:
    frames = backbone.frames(samples / 16_000)
    assert (frames - 1) * HOP_LENGTH < samples <= frames * HOP_LENGTH
    assert backbone.noise_shape(samples / 16_000) == (CHANNELS, frames)


def test_frames_refuses_what_the_model_cannot_make(backbone: StableAudio3Backbone) -> None:
    assert backbone.frames(backbone.max_duration) == backbone.latent_shape[1]
    for duration in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="give seconds above 0"):
            backbone.frames(duration)
    for duration in (2.01, math.inf):
        with pytest.raises(InputError, match="random makes 2 s at most"):
            backbone.frames(duration)


def test_noise_levels_that_cannot_be_are_refused(backbone: StableAudio3Backbone) -> None:
    own = Sampling("dpmpp_2m", schedule="model")
    assert (backbone.sigmas(own).diff() < 0).all()
    with pytest.raises(InputError, match=r"rises at first from an init_noise_level of 0\.9, which dpmpp_2m"):
        backbone.sigmas(own, 0.9)
    for level in (0.0, 1.5):
        with pytest.raises(InputError, match="share of noise above 0 and at most 1"):
            backbone.sigmas(own, level)
    spaced = Sampling("dpmpp_2m")
    assert backbone.sigmas(spaced, 0.9)[0] == pytest.approx(9.0)
    assert backbone.sigmas(spaced, 1.0)[0] == pytest.approx(spaced.sigma_max)


@pytest.mark.parametrize(("setting", "value"), [("num_train_timesteps", 1000), ("invert_sigmas", True)])
def test_other_times_than_the_transformers_are_refused(pipeline: Any, setting: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"the scheduler of random has {setting} {value!r}"):
        stable_audio_3_backbone(pipeline, **{setting: value})


# The autoencoder


def sound(frames: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(1, 2, round(frames * HOP_LENGTH), generator=generator)


@pytest.mark.parametrize(("piece", "frames"), [(1, 9), (3, 20.3), (16, 20.3)])
def test_pieces_equal_the_whole(
    backbone: StableAudio3Backbone, monkeypatch: pytest.MonkeyPatch, piece: int, frames: float
) -> None:
    whole = backbone.encode_audio(sound(frames))
    audio = backbone.decode(whole)
    monkeypatch.setattr(same, "PIECE", piece)
    pieces = PiecewiseSAME(backbone.vae)
    assert (pieces.encode(sound(frames)) - whole).abs().max() < TOLERANCE
    assert (pieces.decode(whole) - audio).abs().max() < TOLERANCE


def test_less_context_would_be_noticed(
    backbone: StableAudio3Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backbone.encode_audio(sound(20))
    monkeypatch.setattr(same, "PIECE", 3)
    monkeypatch.setattr(same, "reach", lambda config: reach(config) - 1)
    pieces = PiecewiseSAME(backbone.vae)
    assert (pieces.encode(sound(20)) - whole).abs().max() > 10 * TOLERANCE
    assert (pieces.decode(whole) - backbone.decode(whole)).abs().max() > 10 * TOLERANCE


def test_several_levels_add_up_in_frames_of_the_last() -> None:
    config = SimpleNamespace(
        encoder_transformer_depths=(6, 2), encoder_strides=(4, 8), sliding_window=1, ff_mult=3
    )
    assert reach(config) == 3  # 2 frames, and 6 of an eighth


def test_gradient_through_denoiser_and_decoder_equals_finite_differences() -> None:
    pipeline = stable_audio_3_pipeline(4)
    for part in (pipeline.vae, pipeline.duration_embedder, pipeline.transformer):
        part.double()  # not the text encoder: its softmax is in float32, where its mask would be infinite
    backbone = stable_audio_3_backbone(pipeline)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, CHANNELS, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])

    def loudness(x: Tensor) -> Tensor:
        return backbone.decode(backbone.denoise(x, torch.tensor([2.0]), conditioning)).square().mean()

    (gradient,) = torch.autograd.grad(loudness(x), x)
    with torch.no_grad():
        h = 1e-3  # no smaller: diffusers' rotary attention and norms round to float32 whatever the weights
        numeric = (loudness(x + h * direction) - loudness(x - h * direction)) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-3, atol=0)


def test_weights_are_frozen_and_conditioning_has_no_graph(backbone: StableAudio3Backbone) -> None:
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])
    assert not conditioning.text.requires_grad
    assert not conditioning.duration.requires_grad
    for module in (backbone.vae, backbone.text_encoder, backbone.duration_embedder, backbone.transformer):
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())


# The published sizes

SMALL = {"embed_dim": 1024, "depth": 20, "num_heads": 16, "use_differential_attention": False}
SAME_L = {
    "encoder_channels": 256,
    "encoder_transformer_depths": (12,),
    "decoder_sinusoidal_blocks": (8,),
}


@pytest.mark.parametrize(
    ("transformer", "vae", "parameters", "of_vae", "context"),
    [({}, SAME_L, 1_453_170_944, 852_127_072, 12), (SMALL, {}, 459_131_648, 107_458_096, 6)],
    ids=["medium", "small"],
)
def test_every_shape_fits_at_the_published_size(
    transformer: dict[str, Any],
    vae: dict[str, Any],
    parameters: int,
    of_vae: int,
    context: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # An optimisation of transformers that looks into the mask's values, and a tensor on meta has none.
    monkeypatch.setattr("transformers.masking_utils._ignore_bidirectional_mask_sdpa", lambda *_: False)
    # Small, and made outside of `meta`, where transformers may have left torch.linspace on the CPU.
    duration_embedder = StableAudio3DurationEmbedder().to("meta")
    with torch.device("meta"):
        backbone = StableAudio3Backbone(
            AutoencoderSAME(**vae),
            T5GemmaEncoderModel(published_text_configuration()),
            gemma_tokenizer(),
            duration_embedder,
            StableAudio3DiTModel(**transformer),
            FlowMatchEulerDiscreteScheduler(num_train_timesteps=1).config,
        )
    assert sum(each.numel() for each in backbone.transformer.parameters()) == parameters
    assert sum(each.numel() for each in backbone.vae.parameters()) == of_vae
    assert sum(each.numel() for each in backbone.text_encoder.parameters()) == 281_580_288
    assert reach(backbone.vae.config) == context
    assert (backbone.latent_shape, backbone.max_duration) == ((256, 4135), 384.0)
    assert backbone.noise_shape(10.0) == (256, 108)

    both = Conditioning.cat(
        [
            backbone.encode_unconditional([None, "c"], [0.0, 0.0], [10.0, 20.0]),
            backbone.encode(["a", "b"], [0.0, 0.0], [10.0, 20.0]),
        ]
    )
    assert both.cross_attention.shape == (4, MAX_TOKENS + 1, 768)
    denoised = backbone.denoise(torch.empty(4, 256, 108, device="meta"), torch.empty(4, device="meta"), both)
    assert denoised.shape == (4, 256, 108)
    assert backbone.decode(denoised[:1]).shape == (1, 2, 442_368)
    assert backbone.encode_audio(torch.empty(1, 2, 441_000, device="meta")).shape == (1, 256, 108)


def published_text_configuration() -> T5GemmaConfig:
    module = T5GemmaModuleConfig(
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=12,
        head_dim=64,
        query_pre_attn_scalar=64,
    ).to_dict()
    return T5GemmaConfig(encoder=module, decoder=dict(module), is_encoder_decoder=False)
