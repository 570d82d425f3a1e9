"""LongCat from a folder, at its published sizes, and inside diffusers' own pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import LongCatAudioDiTPipeline, LongCatAudioDiTTransformer, LongCatAudioDiTVae
from longcat_pipeline import FEATURES, HOP, RATE, longcat_backbone, longcat_pipeline, write_longcat
from tiny_world import CAPTIONS, build_index, t5_tokenizer
from torch import Tensor
from transformers import UMT5Config, UMT5EncoderModel

import unheard
from unheard import Detour
from unheard.backbones import load_backbone
from unheard.backbones.longcat.backbone import COMPONENTS, LongCatBackbone
from unheard.backbones.sequences import SequenceConditioning as Conditioning
from unheard.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_longcat(tmp_path_factory.mktemp("longcat") / "model", seed=2)


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "model")
    return tmp_path / "model"


def estimate(backbone: LongCatBackbone) -> tuple[Tensor, Tensor]:
    x = torch.randn(1, 6, FEATURES, generator=torch.Generator().manual_seed(0))
    denoised = backbone.denoise(x, torch.ones(1), backbone.encode(["A bell"], [0.0], [1.0]))
    return denoised, backbone.decode(denoised)


def test_loading_a_folder_gives_the_model_that_was_saved(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loaded = load_backbone(folder, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert isinstance(loaded, LongCatBackbone)
    assert (loaded.sample_rate, loaded.audio_channels, loaded.hop_length) == (RATE, 1, HOP)
    saved = longcat_backbone(longcat_pipeline(2))
    for ours, theirs in zip(estimate(loaded), estimate(saved), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert torch.equal(loaded.sigmas(loaded.default_sampling), saved.sigmas(saved.default_sampling))
    assert loaded.fingerprint is not None
    assert saved.fingerprint is None


def test_a_scheduler_in_the_folder_is_followed(damaged: Path) -> None:
    own = load_backbone(damaged, device="cpu")
    before = own.fingerprint
    longcat_pipeline(shift=3.0).scheduler.save_pretrained(damaged / "scheduler")
    shifted = load_backbone(damaged, device="cpu")
    assert shifted.fingerprint != before
    assert (shifted.sigmas(own.default_sampling)[1:-1] > own.sigmas(own.default_sampling)[1:-1]).all()
    (damaged / "scheduler" / "scheduler_config.json").write_text('{"shift": 1.0}')
    with pytest.raises(ModelError, match="invert_sigmas None: unheard runs LongCat models with True only"):
        load_backbone(damaged, device="cpu")


def test_half_precision_is_close_and_comes_back_as_float32(folder: Path) -> None:
    half = load_backbone(folder, device="cpu", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    for rough, exact in zip(estimate(half), estimate(load_backbone(folder, device="cpu")), strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 5e-2 * exact.norm()


@pytest.mark.parametrize("part", [part for part in COMPONENTS if part != "scheduler"])
def test_a_missing_or_damaged_part_is_named_in_one_line(damaged: Path, part: str) -> None:
    for weights in (damaged / part).glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:100])
    if part == "tokenizer":
        shutil.rmtree(damaged / part)
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(damaged, device="cpu")
    assert "\n" not in str(caught.value)


# The published sizes


@pytest.mark.parametrize(
    ("transformer", "parameters"),
    [
        (lambda: LongCatAudioDiTTransformer(), 981_955_648),
        (
            lambda: LongCatAudioDiTTransformer(dit_dim=2560, dit_depth=32, dit_heads=32, ff_mult=3.6),
            3_396_017_216,
        ),
    ],
    ids=["1B", "3.5B"],
)
def test_every_shape_fits_at_the_published_sizes(
    monkeypatch: pytest.MonkeyPatch, transformer: Callable[[], LongCatAudioDiTTransformer], parameters: int
) -> None:
    # An optimisation of transformers that looks into the mask's values, and a tensor on meta has none.
    monkeypatch.setattr("transformers.masking_utils._ignore_bidirectional_mask_sdpa", lambda *_: False)
    text = UMT5Config(vocab_size=256_384, d_model=768, d_kv=64, d_ff=2048, num_layers=12, num_heads=12)
    with torch.device("meta"):
        backbone = LongCatBackbone(
            vae=LongCatAudioDiTVae(c_mults=[1, 2, 4, 8, 16], strides=[2, 4, 4, 8, 8]),
            text_encoder=UMT5EncoderModel(text),
            tokenizer=t5_tokenizer(),
            transformer=transformer(),
        )
    counts = [
        sum(parameter.numel() for parameter in part.parameters())
        for part in (backbone.transformer, backbone.vae, backbone.text_encoder)
    ]
    assert counts == [parameters, 156_106_625, 281_861_376]
    assert backbone.latent_shape == (351, 64)
    both = Conditioning.cat(backbone.encode_both(["a"], [None], [0.0], [10.0]))
    denoised = backbone.denoise(torch.empty(2, 117, 64, device="meta"), torch.ones(2, device="meta"), both)
    assert denoised.shape == (2, backbone.frames(10.0), 64)
    assert backbone.decode(denoised).shape == (2, 1, 117 * 2048)


# Inside the pipeline


PROMPTS = [CAPTIONS[0], 'A "slow" piano melody, low']


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> LongCatAudioDiTPipeline:
    pipeline = LongCatAudioDiTPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def call(pipeline: LongCatAudioDiTPipeline, **options: object) -> Tensor:
    given = {"num_inference_steps": 4, "audio_duration_s": 0.3, "output_type": "pt", **options}
    return pipeline(PROMPTS, generator=torch.Generator().manual_seed(0), **given).audios


@pytest.mark.parametrize(
    "options",
    [
        {"negative_prompt": ["Drums", "wind and low noise"]},
        {"negative_prompt": "drums", "num_inference_steps": 2, "latents": torch.ones(2, 5, FEATURES)},
        {"guidance_scale": 1.0},
        {"audio_duration_s": None, "num_inference_steps": 1},
    ],
    ids=["negative", "latents", "scale 1", "duration from the text"],
)
def test_without_guidance_it_is_the_pipelines_own_result(
    pipeline: LongCatAudioDiTPipeline, options: dict[str, object]
) -> None:
    plain = call(pipeline, **options)
    with unheard.attach(pipeline, guidance=None) as attached:
        guided = call(pipeline, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    steps = options.get("num_inference_steps", 4)
    assert [len(of_one) for of_one in attached.trace] == [steps] * 2


def test_the_detour_acts_on_each_sound(
    pipeline: LongCatAudioDiTPipeline, tiny_clap_folder: Path, tmp_path: Path
) -> None:
    plain = call(pipeline)
    index = build_index(tmp_path / "index.json")
    options = {"index": index, "guidance": Detour(pull=0.0), "embedder": tiny_clap_folder}
    with unheard.attach(pipeline, **options) as attached:
        guided = call(pipeline)
        assert torch.equal(call(pipeline), guided)
    assert all(all(step.acted for step in of_one) for of_one in attached.trace)
    assert not torch.allclose(guided, plain)
    assert torch.equal(call(pipeline), plain)
