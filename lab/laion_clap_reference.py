"""Runs LAION-CLAP's own package beside ours: `python -m lab.laion_clap_reference [FIXTURE]`.

The published embeddings of Stable Audio Open's training set come from laion-clap's default checkpoint, and
ours from transformers' ClapModel behind our own front end. Here both get the same weights, of the same size
as that checkpoint but drawn at random, and the same sounds. Prints how far they are apart, and writes what
laion-clap gives to FIXTURE, which `tests/embedders/test_laion_clap.py` holds ours against.

The package pins an older NumPy, but runs with ours in an environment of its own:

    python -m venv build/laion-clap
    build/laion-clap/bin/pip install -c constraints.txt -e . librosa==0.11.0 ftfy h5py pandas
    build/laion-clap/bin/pip install --no-deps laion-clap==1.1.7 torchlibrosa==0.1.0 webdataset wget
    build/laion-clap/bin/python -m lab.laion_clap_reference tests/fixtures/laion_clap.safetensors

What it would fetch (three tokenizers and a RoBERTa) is no part of what is measured, and is not fetched.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    AutoTokenizer,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    RobertaConfig,
    RobertaModel,
)

from unheard.embedders import BUNDLED_EMBEDDER
from unheard.embedders.clap import ClapEmbedder

RATE = 48_000
WINDOW = 10 * RATE
SEED = 20_261_126
CROP = 305_711
"""First sample of the crop that laion-clap draws from the long sound with NumPy's seed 0."""
LONG = "sweep and noise, 25 s"
QUIET = "noise at peak 0.1, 10 s"
FRAMES_APART = 25
"""Of a spectrogram's 1,001 frames the fixture keeps one in so many."""

# The sounds


def sounds() -> dict[str, np.ndarray]:
    """Mono sounds at 48 kHz [time], float32, all of formulas: at peak 1 where they are heard, but `QUIET`."""
    noise = np.random.RandomState(SEED)  # the one generator of NumPy whose numbers are promised to stay

    def seconds(duration: float) -> np.ndarray:
        return np.arange(round(duration * RATE)) / RATE

    def sweep(duration: float) -> np.ndarray:
        """From 20 Hz to 20 kHz."""
        rise = np.log(1000) / duration
        return np.sin(2 * np.pi * 20 / rise * np.expm1(rise * seconds(duration)))

    def chord(duration: float) -> np.ndarray:
        """Pure partials that die away: between them, next to nothing."""
        time = seconds(duration)
        partials = [np.sin(2 * np.pi * hertz * time) for hertz in (220, 277.2, 329.6, 1318.5, 5274)]
        return np.sum(partials, axis=0) * np.exp(-1.5 * (time % 2))

    def clicks(duration: float) -> np.ndarray:
        """One sample each, at growing distances in silence."""
        sound = np.zeros(round(duration * RATE))
        sound[(0.05 * RATE * np.arange(1, int(np.sqrt(20 * duration))) ** 2).astype(int)] = 1
        return sound

    def hiss(duration: float) -> np.ndarray:
        """Noise whose level swells and fades once a second."""
        swell = 1 + 0.9 * np.sin(2 * np.pi * seconds(duration))
        return noise.uniform(-1, 1, round(duration * RATE)) * swell

    made = {
        "sweep, 10 s": sweep(10),
        "chord, 10 s": chord(10),
        "clicks, 10 s": clicks(10),
        "noise, 10 s": hiss(10),
        "chord, 7 s": chord(7),
        "sweep, 4 s": sweep(4),
        "noise, 4 s": hiss(4),
        "clicks, 1 s": clicks(1),
        LONG: sweep(25) + 0.3 * hiss(25),
        QUIET: hiss(10),
    }
    at_peak = {name: sound / np.abs(heard(sound)).max() for name, sound in made.items()}
    at_peak[QUIET] *= 0.1
    return {name: sound.astype(np.float32) for name, sound in at_peak.items()}


def heard(sound: np.ndarray) -> np.ndarray:
    """What of a sound laion-clap hears with NumPy's seed 0: a crop, if it is long."""
    return sound[CROP : CROP + WINDOW] if len(sound) > WINDOW else sound


# Ours


def embedder() -> ClapEmbedder:
    """`laion/clap-htsat-unfused` with every number of its audio tower and projection drawn at random.

    What would be zero or one in a new network (biases, gains, the statistics of the batch normalisation) is
    drawn as well, so that nothing is left out of the comparison. The text tower is a small one.
    """
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000, truncation="rand_trunc")
    text = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = ClapModel(ClapConfig(text_config=text, projection_dim=512))
    random = np.random.RandomState(SEED)
    for name, tensor in sorted(audio_weights(model).items()):
        low, high = _range(name, tensor)
        numbers = random.random_sample(tuple(tensor.shape)) * (high - low) + low
        tensor.copy_(torch.from_numpy(numbers))
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_EMBEDDER)
    return ClapEmbedder(model, extractor, tokenizer, name="random")


def audio_weights(model: ClapModel) -> dict[str, Tensor]:
    """Parameters and statistics of the audio tower and its projection, by transformers' names."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(("audio_model.", "audio_projection.")) and tensor.is_floating_point()
    }


def _range(name: str, tensor: Tensor) -> tuple[float, float]:
    """Between which values a tensor is drawn: such that signals neither die out nor drown."""
    if name.endswith("running_mean"):
        return -60.0, -20.0  # decibels
    if name.endswith("running_var"):
        return 100.0, 900.0
    if name.endswith("bias_table"):
        return -1.0, 1.0
    if tensor.ndim > 1:
        bound = (3 / tensor[0].numel()) ** 0.5
        if ".query." in name or ".key." in name:
            bound *= 2  # else attention is a plain mean, and all sounds are alike
        return -bound, bound
    return (0.5, 1.5) if name.endswith("weight") else (-0.1, 0.1)


# laion-clap's

RENAMED = {
    "audio_model.audio_encoder.": "audio_branch.",
    "batch_norm.": "bn0.",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.output.dense": "attn.proj",
    "attention.self.": "attn.",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "projection.linear1": "projection.0",
    "projection.linear2": "projection.2",
}
"""Parts of names in transformers and in laion-clap, in the order in which they are replaced."""


def laion_layout(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by transformers' names to the same by laion-clap's: queries, keys and values are one tensor."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        for ours, theirs in RENAMED.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    for name in [name for name in renamed if ".query." in name]:
        parts = [renamed.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        renamed[name.replace("query", "qkv")] = torch.cat(parts)
    return renamed


def laion_clap(weights: dict[str, Tensor]) -> Any:
    """laion-clap's own CLAP_Module without fusion, in which these weights [of its layout] are loaded."""
    import transformers as fetching

    for name in ("RobertaTokenizer", "BertTokenizer", "BartTokenizer"):
        getattr(fetching, name).from_pretrained = lambda *_: None
    small = RobertaConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    fetching.RobertaModel.from_pretrained = lambda *_: RobertaModel(small)
    for name in NOT_INSTALLED:
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))
    from laion_clap import CLAP_Module

    module = CLAP_Module(enable_fusion=False, device="cpu").eval()
    missing, unknown = module.model.load_state_dict(weights, strict=False)
    left = [name for name in missing if not re.search(NO_PART, name)]
    if unknown or left:
        raise SystemExit(f"the layouts differ: laion-clap knows no {unknown}, and is not given {left}")
    return module


NOT_INSTALLED = [
    *("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.ops"),
    *("torchvision.ops.misc", "wandb"),
]
"""Imported by laion-clap, and used only in training."""
NO_PART = r"^text_|^logit_|_transform\.|tscam_conv|\.head\.|_extractor\.|attn_mask|_index$|_tracked$"
"""Names in laion-clap of what plays no part in an embedding of a sound, or is computed and not learned.

The window, the Fourier transform and the mel filters (`_extractor`) are such: stored, but as computed.
"""


def laion_spectrogram(module: Any, sound: np.ndarray) -> Tensor:
    """Decibels [frames, mels] inside laion-clap's network, before the batch normalisation."""
    from laion_clap.training.data import get_audio_features

    np.random.seed(0)  # of the crop
    settings = module.model_cfg["audio_cfg"]
    features = get_audio_features({}, torch.from_numpy(sound), WINDOW, "rand_trunc", "repeatpad", settings)
    branch = module.model.audio_branch
    with torch.no_grad():
        return branch.logmel_extractor(branch.spectrogram_extractor(features["waveform"][None]))[0, 0]


def laion_embedding(module: Any, sound: np.ndarray, seed: int = 0) -> Tensor:
    """A unit vector [512] from the samples as they are, but for the crop of a long sound."""
    np.random.seed(seed)
    with torch.no_grad():
        return module.get_audio_embedding_from_data([torch.from_numpy(sound)], use_tensor=True)[0]


def sixteen_bits(sound: np.ndarray) -> np.ndarray:
    """What laion-clap makes of the samples before it hears them, unless it is given a tensor."""
    from laion_clap.training.data import float32_to_int16, int16_to_float32

    return int16_to_float32(float32_to_int16(sound))


# Side by side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixture", type=Path, nargs="?")
    fixture: Path | None = parser.parse_args().fixture
    ours = embedder()
    theirs = laion_clap(laion_layout(audio_weights(ours.model)))
    references: dict[str, Tensor] = {}
    print("| sound | samples | mel, largest (dB) | mean (dB) | 1 - cosine | largest number |")
    print("|---|---|--:|--:|--:|--:|")
    for name, sound in sounds().items():
        vector = ours.embed_audio(torch.from_numpy(heard(sound))[None, None], RATE)[0]
        decibels = spectrogram(ours, heard(sound))
        for samples, taken in {"float": sound, "16 bits": sixteen_bits(sound)}.items():
            reference, of_mel = laion_embedding(theirs, taken), laion_spectrogram(theirs, taken)
            mel = (decibels - of_mel).abs()
            print(
                f"| {name} | {samples} | {mel.max():.2g} | {mel.mean():.2g} | {_apart(vector, reference)} |"
            )
            references[f"{name}/{samples}"] = reference
            if samples == "float":
                references[f"{name}/mel"] = of_mel[::FRAMES_APART].contiguous()
    _print_long(ours, theirs)
    _print_resampled(ours, theirs)
    _print_alike(references)
    if fixture:
        save_file(references, fixture)


def spectrogram(ours: ClapEmbedder, sound: np.ndarray) -> Tensor:
    """Our decibels [frames, mels] of a sound of one window at most, at the level it has."""
    return ours._mel(ours.fill(torch.from_numpy(sound))[None])[0]


def _apart(ours: Tensor, theirs: Tensor) -> str:
    short = max(0.0, 1 - float(F.cosine_similarity(ours.double(), theirs.double(), dim=0)))
    return f"{short:.0e} | {(ours - theirs).abs().max():.0e}"


def _print_long(ours: ClapEmbedder, theirs: Any) -> None:
    """A long sound: what crops give, against the mean of our windows and against each other."""
    sound = sounds()[LONG]
    crops = torch.stack([laion_embedding(theirs, sound, seed) for seed in range(10)])
    mean = ours.embed_audio(torch.from_numpy(sound)[None, None], RATE)[0]
    to_mean, to_each_other = crops @ mean, (crops @ crops.T).min()
    print(f"{LONG}: cosine of ten crops with our mean {to_mean.min():.3f} to {to_mean.max():.3f}, ", end="")
    print(f"with each other {to_each_other:.3f} at least")


def _print_resampled(ours: ClapEmbedder, theirs: Any) -> None:
    """A sound of 44.1 kHz: resampled as librosa's `load` does it, and as ours."""
    import librosa

    time = np.arange(10 * 44_100) / 44_100
    sweep = np.sin(2 * np.pi * 500 * time * (1 + time))  # 500 Hz to 10.5 kHz
    sound = (sweep + np.random.RandomState(SEED).uniform(-0.1, 0.1, len(time))).astype(np.float32)
    resampled = librosa.resample(sound, orig_sr=44_100, target_sr=RATE, res_type="soxr_hq")
    resampled /= np.abs(resampled).max()
    vector = ours.embed_audio(torch.from_numpy(sound)[None, None], 44_100)[0]
    print(
        f"sweep and noise of 44.1 kHz | resampled | | | {_apart(vector, laion_embedding(theirs, resampled))}"
    )


def _print_alike(references: dict[str, Tensor]) -> None:
    """How alike the network finds different sounds, without which nothing above means anything."""
    names = [name for name in references if name.endswith("10 s/float")]
    vectors = torch.stack([references[name] for name in names])
    cosines = vectors @ vectors.T
    print("cosines of", ", ".join(name.split(",")[0] for name in names))
    print(cosines.numpy().round(2))


if __name__ == "__main__":
    main()
