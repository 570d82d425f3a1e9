"""CLAP (Wu et al. 2023, arXiv 2211.06687): `transformers.ClapModel`, differentiable from the waveform on.

transformers' models take seconds to import, so they are imported when one is loaded.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.audio import peak_normalise, resample, to_mono
from unheard.backbones.contained import AS_DATA, check_contained, reason
from unheard.backbones.hub import ASSETS
from unheard.backbones.texts import known_tokens, tokenized
from unheard.common.files import sha256
from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts, import_progress_bars
from unheard.common.structured_files import read_json
from unheard.embedders.mel import MelSpectrogram, check_padding, pad_to_window
from unheard.errors import InputError, ModelError

with importing():
    import_progress_bars()

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of its HTTP library
        GatedRepoError,
        HFValidationError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

if TYPE_CHECKING:
    from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerBase

SAFETENSORS_REVISIONS = {"laion/clap-htsat-unfused": "refs/pr/3", "laion/clap-htsat-fused": "refs/pr/3"}
"""Where models that have only a pickle on their main branch keep the same weights as safetensors."""

WINDOWS_AT_ONCE = 16
TEXTS_AT_ONCE = 64

NEGLIGIBLE_EXCESS = 0.01
"""A sound longer than the window by less than this share of it is cut to the window instead of heard twice.

Latents come in blocks of samples, so a sound "of 10 seconds" is often a few hundredths longer.
"""


class ClapEmbedder:
    """An `Embedder` (see `unheard.embedders`) made of a CLAP's audio and text towers.

    Args:
        model: its parameters are frozen.
        extractor: gives sample rate, window, spectrogram and padding; its random crops of long sounds are
            replaced by overlapping windows, so that the same sound always has the same embedding.
        tokenizer: of the text tower.
        name: what an index records.
        weights: the files the weights came from, for `sha256`.
        revision: commit on the hub, if it came from there.
    """

    def __init__(
        self,
        model: ClapModel,
        extractor: ClapFeatureExtractor,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        weights: tuple[Path, ...] = (),
        revision: str | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.revision = revision
        self.dimension = int(model.config.projection_dim)
        self.sample_rate = int(extractor.sampling_rate)
        self._window_samples: int = round(extractor.max_length_s * extractor.sampling_rate)
        self._padding = check_padding(extractor.padding)
        self._extractor = extractor
        self._mel = MelSpectrogram(extractor, model.device)
        self._weights = weights
        text: Any = model.config.text_config
        # RoBERTa counts positions from the padding token's number on.
        positions = text.max_position_embeddings - text.pad_token_id - 1
        self._max_tokens = min(int(tokenizer.model_max_length), positions)

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, the libraries that its model is of are imported as when one is loaded."""
        return _arriving, (type(self), "model" in vars(self)), vars(self)

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> ClapEmbedder:
        """See `unheard.embedders.load_embedder`."""
        with importing():
            defer_unused_parts()
            from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

        if os.path.isdir(name_or_folder):
            folder = Path(name_or_folder).resolve()
            name, revision = _recorded_name(folder), None
        else:
            name = str(name_or_folder)
            folder = _download(name)
            revision = folder.name  # the hub's cache keeps one folder a commit
        _check_is_clap(folder, name_or_folder)
        if not folder.is_relative_to(ASSETS):
            check_contained(folder)
        with _loading(name_or_folder):
            with _without_progress_bar():
                loaded: Any = ClapModel.from_pretrained(
                    folder,
                    dtype=dtype or torch.float32,
                    use_safetensors=True,
                    **AS_DATA,
                    output_loading_info=True,
                )
            extractor = ClapFeatureExtractor.from_pretrained(folder, **AS_DATA)
            tokenizer = AutoTokenizer.from_pretrained(folder, **AS_DATA)
            model, report = loaded
            if report["missing_keys"]:
                # transformers would go on with random numbers in their place.
                raise ModelError(
                    f"the CLAP in {name_or_folder} lacks {len(report['missing_keys'])} of its weights "
                    f"({min(report['missing_keys'])} ...); save it anew, as a whole ClapModel"
                )
            return cls(
                model.to(device),
                extractor,
                tokenizer,
                name=name,
                weights=tuple(_weight_files(folder)),
                revision=revision,
            )

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    def to(self, device: str | torch.device) -> Self:
        """Run on this device from now on; returns the embedder itself."""
        self.model.to(device)
        self._mel = MelSpectrogram(self._extractor, self.model.device)
        return self

    @property
    def window(self) -> float:
        """Seconds the model hears at once."""
        return self._window_samples / self.sample_rate

    @cached_property
    def sha256(self) -> str | None:
        """Checksum of the weights, or None for a model that came from no file."""
        return sha256(*self._weights) if self._weights else None

    def embed_audio(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """Waveforms [batch, channels, time] to unit vectors [batch, dimension]; differentiable.

        The embedding of a sound longer than the window is the mean of its windows', brought to unit length.

        Raises:
            InputError: the waveform has another shape, or no sample at the embedder's rate.
        """
        _, windows = self._windows(waveform, sample_rate)
        count, batch, _ = windows.shape
        embeddings = self._embed(windows.flatten(0, 1)).view(count, batch, -1)
        return F.normalize(embeddings.mean(dim=0), dim=-1)

    def embed_windows(self, waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
        """One waveform [channels, time] to its windows' starts in seconds and their unit vectors.

        Returns:
            Starts [windows], float64, and vectors [windows, dimension].

        Raises:
            InputError: as `embed_audio`.
        """
        starts, windows = self._windows(waveform[None], sample_rate)
        return torch.tensor(starts, dtype=torch.float64) / self.sample_rate, self._embed(windows[:, 0])

    @torch.no_grad()
    def embed_text(self, texts: list[str]) -> Tensor:
        """Texts to unit vectors [batch, dimension]; what is longer than the model reads is cut.

        Raises:
            ModelError: the tokenizer cannot read texts, or knows tokens that the model does not.
        """
        embeddings = [torch.empty(0, self.dimension, device=self.device)]
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            tokens = self._tokens(texts[start : start + TEXTS_AT_ONCE]).to(self.device)
            pooled = self.model.text_model(
                tokens.input_ids, attention_mask=tokens.attention_mask
            ).pooler_output
            embeddings.append(_unit(self.model.text_projection(pooled)))
        return torch.cat(embeddings)

    def _tokens(self, texts: list[str]) -> Any:
        options = {
            "padding": True,
            "truncation": True,
            "max_length": self._max_tokens,
            "return_tensors": "pt",
        }
        tokens = tokenized(self.tokenizer, texts, self.name, **options)
        known_tokens(tokens.input_ids, self.model.text_model, self.name)
        return tokens

    @property
    def window_samples(self) -> int:
        """Samples the model hears at once, at its own rate."""
        return self._window_samples

    @property
    def batch(self) -> int:
        """How many windows `embed_batch` embeds at once."""
        return WINDOWS_AT_ONCE

    def window_starts(self, length: int) -> list[int]:
        """First samples of the windows of a sound that is `length` samples long at the embedder's rate."""
        return window_starts(length, self._window_samples)

    def fill(self, window: Tensor) -> Tensor:
        """A sound [time] of at most a window's length, filled up to it as the model was trained."""
        return pad_to_window(window[None, : self._window_samples], self._window_samples, self._padding)[0]

    def embed_batch(self, windows: Tensor) -> Tensor:
        """Windows [n, window_samples], n at most `batch`, mono and at peak 1, to unit vectors [n, dimension].

        Always computed `batch` at once, with zeros for those that lack: so a window has the same embedding to
        the last bit wherever it stands and whatever stands beside it.
        """
        missing = WINDOWS_AT_ONCE - len(windows)
        return self._embed_few(F.pad(windows.to(self.device), (0, 0, 0, missing)))[: len(windows)]

    def _windows(self, waveform: Tensor, sample_rate: int) -> tuple[list[int], Tensor]:
        """First samples of the windows, and the windows [windows, batch, samples]: mono, at peak 1."""
        if waveform.ndim != 3:
            raise InputError(f"waveforms to embed are [batch, channels, time], not {list(waveform.shape)}")
        mono = to_mono(waveform.to(self.device))[:, None]
        mono = mono.to(torch.promote_types(mono.dtype, torch.float32))
        mono = resample(mono, sample_rate, self.sample_rate)
        if not mono.shape[-1]:
            raise InputError(
                f"{waveform.shape[-1]} samples at {sample_rate} Hz are too short to embed at "
                f"{self.sample_rate} Hz"
            )
        mono = peak_normalise(mono).squeeze(1)
        starts = window_starts(mono.shape[-1], self._window_samples)
        if len(starts) == 1:
            mono = pad_to_window(mono[:, : self._window_samples], self._window_samples, self._padding)
        return starts, torch.stack([mono[:, start : start + self._window_samples] for start in starts])

    def _embed(self, windows: Tensor) -> Tensor:
        """Windows [n, samples] to unit vectors [n, dimension]."""
        return torch.cat([self._embed_few(few) for few in torch.split(windows, WINDOWS_AT_ONCE)])

    def _embed_few(self, windows: Tensor) -> Tensor:
        features = self._mel(windows).to(self.model.dtype)[:, None]
        is_longer = torch.zeros(len(windows), 1, dtype=torch.bool, device=windows.device)
        pooled = self.model.audio_model(input_features=features, is_longer=is_longer).pooler_output
        return _unit(self.model.audio_projection(pooled))


def window_starts(length: int, window: int) -> list[int]:
    """First samples of the windows that cover `length` samples: evenly spaced, half a window apart at most.

    One window if the sound fits it, but for `NEGLIGIBLE_EXCESS`.
    """
    excess = length - window
    if excess <= NEGLIGIBLE_EXCESS * window:
        return [0]
    steps = math.ceil(2 * excess / window)
    return [round(step * excess / steps) for step in range(steps + 1)]


def _unit(embeddings: Tensor) -> Tensor:
    """Unit length, in float32 at least: in half precision, lengths would differ by thousandths."""
    return F.normalize(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)), dim=-1)


class BundledClap(ClapEmbedder):
    """A CLAP that comes with the package.

    It is known to be whole, and so it is read only once something is embedded: then this object becomes what
    `ClapEmbedder.load` gives. What an index records of an embedder it knows at once.

    Args:
        folder: the CLAP's.
        device, dtype: see `unheard.embedders.load_embedder`.
    """

    def __init__(self, folder: Path, *, device: str | torch.device, dtype: torch.dtype | None) -> None:
        config, processor = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("config.json", "processor_config.json")
        )
        extractor = processor["feature_extractor"]
        self.name, self.revision = _recorded_name(folder), None
        self.dimension, self.sample_rate = config["projection_dim"], extractor["sampling_rate"]
        self._window_samples = round(extractor["max_length_s"] * self.sample_rate)
        self._weights = tuple(_weight_files(folder))
        self._read = partial(ClapEmbedder.load, folder, device=device, dtype=dtype)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or "_read" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")
        # What is made in inference mode can never be differentiated through.
        with torch.inference_mode(False):
            self.__dict__ |= vars(self._read())
        del self._read
        return getattr(self, attribute)


def _arriving(kind: type[ClapEmbedder], read: bool) -> ClapEmbedder:
    """An embedder to be filled from a pickle, which has its model if it was `read`."""
    if read:
        with importing():
            defer_unused_parts()
    return kind.__new__(kind)


def _recorded_name(folder: Path) -> str:
    """The name that the folder's `unheard.json` gives it, or else the folder's own."""
    path = folder / "unheard.json"
    if not path.is_file():
        return folder.name
    try:
        name = read_json(path).get("name", folder.name)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f'{path} is not a JSON object such as {{"name": "my-clap"}}: {reason(error)}'
        ) from error
    if not isinstance(name, str) or not name:
        raise ModelError(f"the name in {path} must be a text, not {name!r}")
    return name


def _download(name: str) -> Path:
    """The folder of a model on the hub, from the cache where the hub cannot be asked."""
    revisions = [None, SAFETENSORS_REVISIONS[name]] if name in SAFETENSORS_REVISIONS else [None]
    for revision in revisions:
        folder = _snapshot(name, revision)
        if folder is not None and _weight_files(folder):
            return folder
    raise ModelError(
        f"{name} on the Hugging Face hub has no safetensors weights, and nothing else is loaded; convert it "
        "with transformers' save_pretrained() and name the folder"
    )


def _snapshot(name: str, revision: str | None) -> Path | None:
    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=["*.json", "*.txt", "*.safetensors"])
        )
    except RevisionNotFoundError:
        return None
    except HFValidationError as error:
        raise ModelError(
            f"no embedder {name!r}: it is neither a folder here nor an id such as owner/name"
        ) from error
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its licence at https://huggingface.co/{name}, then log in with `hf "
            "auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"no embedder {name!r}: there is no such folder here, and no such public model on the Hugging "
            "Face hub; check the spelling, or log in with `hf auth login` if it is private"
        ) from error
    except (OSError, HTTPError) as error:
        raise ModelError(
            f"cannot get {name}: it is no folder here, not wholly in the cache, and the Hugging Face hub "
            f"cannot be reached ({reason(error)}); go online (unset HF_HUB_OFFLINE), or name a folder"
        ) from error


def _check_is_clap(folder: Path, named: str | Path) -> None:
    """Raise ModelError unless the folder holds a CLAP's configuration and safetensors weights."""
    try:
        kind = read_json(folder / "config.json").get("model_type")
    except FileNotFoundError as error:
        raise ModelError(
            f"{named} holds no CLAP: it has no config.json; name a folder of ClapModel"
        ) from error
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read: {reason(error)}") from error
    if kind != "clap":
        raise ModelError(f"{named} holds no CLAP but a model of type {kind!r}; name a folder of ClapModel")
    if not _weight_files(folder):
        raise ModelError(f"{named} holds no safetensors weights; save them with ClapModel.save_pretrained()")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        # transformers would go on with an empty vocabulary.
        raise ModelError(f"{named} holds no tokenizer; save it there with save_pretrained()")


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("model*.safetensors"))


@contextmanager
def _loading(name_or_folder: str | Path) -> Iterator[None]:
    """Whatever a damaged folder makes the libraries raise, as a ModelError."""
    try:
        yield
    except (torch.OutOfMemoryError, ModelError):
        raise
    except Exception as error:  # a damaged configuration fails wherever it is first used
        raise ModelError(
            f"cannot load the CLAP in {name_or_folder}: {reason(error)}; save it anew with "
            "save_pretrained() of model, feature extractor and tokenizer"
        ) from error


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
