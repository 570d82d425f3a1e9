"""A whole world of random weights, made of the real classes at a very small size.

`build_tiny_model` writes a folder in StableAudioPipeline's layout with a working tokenizer, a guide and an
index, so that everything from prompt to sound runs on it in milliseconds. Nothing in it has learned anything:
its sounds are noise and its similarities mean nothing, but every shape, file and code path is the one that a
trained model has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import (
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
)
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

SAMPLE_RATE = 16_000
HOP_LENGTH = 512
LATENT_CHANNELS = 8
LATENT_FRAMES = 32  # 32 * 512 samples = 1.024 s
MAX_TOKENS = 32
EMBEDDING_DIMENSION = 16
CONDITIONING_DIMENSION = 16
MAX_SECONDS = 8.0  # the largest number that the timing conditioner tells apart

WORDS = tuple(
    """
    a an the and of with in at on loop drum drums acoustic electric bass guitar piano strings flute bell pad
    warm bright slow fast deep soft bpm 90 100 110 120 melody chord note low high quality noise hammer
    rock jazz
    """.split()  # noqa: SIM905
)
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"()-"

CAPTIONS = (
    "An acoustic drum loop, 110 bpm",
    "A slow piano melody",
    "A deep electric bass note",
    "Warm strings, soft and low",
    "A bright bell",
    "A fast rock drum loop, 120 bpm",
    "Jazz guitar chord",
    "A soft pad with strings",
    "A high flute melody",
    "Acoustic guitar, slow, 90 bpm",
    "A low piano note",
    "Electric guitar loop with drums",
)


def t5_tokenizer(words: Sequence[str] = WORDS, max_tokens: int = MAX_TOKENS) -> T5Tokenizer:
    """A unigram vocabulary of whole words, with single characters for what is in no word."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -5.0)]
    vocabulary += [(f"▁{word}", -2.0) for word in words]
    vocabulary += [(character, -8.0) for character in CHARACTERS]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=max_tokens)


def roberta_tokenizer() -> RobertaTokenizer:
    """Byte-level without merges: one token a byte, so that any text has tokens."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=64)


def build_tiny_clap(folder: str | Path, seed: int = 0) -> Path:
    """Write a random ClapModel with feature extractor and tokenizer: 16 kHz, 1 s window, 16 numbers."""
    config = ClapConfig(
        text_config={
            "vocab_size": 261,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 70,
            "projection_dim": EMBEDDING_DIMENSION,
        },
        # A spectrogram of 64 x 64 makes a grid of 16 x 16 patches, then 8 x 8: windows of 4 divide both.
        audio_config={
            "window_size": 4,
            "num_mel_bins": 32,
            "spec_size": 64,
            "patch_size": 4,
            "patch_stride": [4, 4],
            "num_classes": 2,
            "patch_embeds_hidden_size": 16,
            "hidden_size": 32,
            "depths": [1, 2],
            "num_attention_heads": [2, 2],
            "num_hidden_layers": 2,
            "projection_dim": EMBEDDING_DIMENSION,
        },
        projection_dim=EMBEDDING_DIMENSION,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ClapModel(config).eval()
    feature_extractor = ClapFeatureExtractor(
        feature_size=32,
        sampling_rate=SAMPLE_RATE,
        hop_length=160,
        max_length_s=1,
        fft_window_size=512,
        frequency_min=50,
        frequency_max=8_000,
        truncation="rand_trunc",
        padding="repeatpad",
    )
    model.save_pretrained(folder)
    ClapProcessor(feature_extractor, roberta_tokenizer()).save_pretrained(folder)
    return Path(folder)


def tiny_pipeline(
    seed: int = 0, *, audio_channels: int = 1, text_dimension: int = CONDITIONING_DIMENSION
) -> StableAudioPipeline:
    """A random pipeline; a `text_dimension` other than the conditioning's brings in the text projection."""
    tokenizer = t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderOobleck(
            encoder_hidden_size=2 * LATENT_CHANNELS,
            downsampling_ratios=[8, 8, 8],
            channel_multiples=[1, 2, 2],
            decoder_channels=8,
            decoder_input_channels=LATENT_CHANNELS,
            audio_channels=audio_channels,
            sampling_rate=SAMPLE_RATE,
        )
        text_encoder = T5EncoderModel(
            T5Config(
                vocab_size=len(tokenizer), d_model=text_dimension, d_kv=8, d_ff=32, num_layers=1, num_heads=2
            )
        )
        projection_model = StableAudioProjectionModel(
            text_encoder_dim=text_dimension,
            conditioning_dim=CONDITIONING_DIMENSION,
            min_value=0,
            max_value=MAX_SECONDS,
        )
        transformer = StableAudioDiTModel(
            sample_size=LATENT_FRAMES,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_attention_heads=1,
            cross_attention_dim=16,
            time_proj_dim=16,
            global_states_input_dim=2 * CONDITIONING_DIMENSION,
            cross_attention_input_dim=CONDITIONING_DIMENSION,
        )
    pipeline = StableAudioPipeline(
        vae=vae,
        text_encoder=text_encoder.eval(),
        projection_model=projection_model,
        tokenizer=tokenizer,
        transformer=transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_min=0.3, sigma_max=500.0),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def build_index(path: str | Path, seed: int = 0, dimension: int = EMBEDDING_DIMENSION) -> Path:
    """Write an index in the published JSON format, one random unit embedding for each of `CAPTIONS`."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.nn.functional.normalize(
        torch.randn(len(CAPTIONS), dimension, generator=generator, dtype=torch.float64), dim=-1
    )
    entries = {
        f"train_{number:02d}": {
            "embedding": embedding.tolist(),
            "conditioning": {"prompt": caption, "seconds_start": 0.0, "seconds_total": 1.0},
        }
        for number, (caption, embedding) in enumerate(zip(CAPTIONS, embeddings, strict=True))
    }
    Path(path).write_text(json.dumps(entries), encoding="utf-8")
    return Path(path)


def build_tiny_model(folder: str | Path, seed: int = 0) -> Path:
    """Write a random model folder with guide, index and settings: 16 kHz mono, 1.024 s at most.

    Its thresholds are low, so that random similarities open the gate.
    """
    folder = Path(folder)
    tiny_pipeline(seed).save_pretrained(folder)
    build_tiny_clap(folder / "guide", seed + 1)
    build_index(folder / "index.json", seed + 2)
    defaults = {
        "sampling": {
            "sampler": "dpmpp_3m_sde",
            "num_inference_steps": 6,
            "sigma_min": 0.3,
            "sigma_max": 100.0,
            "guidance_scale": 3.0,
        },
        "guidance": {"c1": 1.0, "c2": 1.0, "c3": 1.0, "lambda_min": 0.0, "lambda_max": 0.2},
        "duration": 1.0,
        "embedder": "guide",
        "index": "index.json",
    }
    (folder / "unheard.json").write_text(json.dumps(defaults, indent=2), encoding="utf-8")
    return folder
