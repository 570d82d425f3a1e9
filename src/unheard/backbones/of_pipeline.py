"""What backbones share that are made of the parts of a diffusers pipeline."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unheard.backbones.base import Backbone
from unheard.backbones.compiled import CompiledForward
from unheard.backbones.fingerprint import fingerprint, fingerprint_of_files


class PipelineBackbone(Backbone):
    """A backbone whose parts are modules of diffusers and transformers; see `Backbone`.

    Its parameters are frozen: gradients flow to latents and texts, never to weights.

    Attributes:
        network: the module that is asked in every step; where it is, and in what format, the model is.
        files: what it was loaded from, by what each file is, where that is no pipeline's folder.
    """

    network: Any
    folder: Path | None
    files: Mapping[str, Path] = {}

    def hold(self, network: nn.Module, *others: nn.Module, name: str, folder: Path | None) -> None:
        """Freeze the parts, and remember what the model is called and where it was loaded from, if it was."""
        self.network, self.name, self.folder = network, name, folder
        for module in (network, *others):
            module.eval().requires_grad_(False)

    def compile(self, backend: str = "inductor") -> None:
        """See `Backbone`."""
        self.network.forward = CompiledForward(self.network.forward, backend, self.device)
        self.compiled = True

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.network.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The format of the weights, in which denoising and decoding run."""
        dtype: torch.dtype = self.network.dtype
        return dtype

    @functools.cached_property
    def fingerprint(self) -> str | None:
        """See `unheard.backbones.fingerprint`; None when the backbone was not loaded from files."""
        if self.files:
            return fingerprint_of_files(self.files)
        return None if self.folder is None else fingerprint(self.folder, self.components)


def frames_covering(duration: float, sample_rate: int, hop_length: int) -> int:
    """Frames of latents that cover `duration` seconds, at least 1: `ceil(duration * rate / hop)`."""
    # Whole samples first, so that a rounding error of the product does not cost one more frame.
    samples = max(round(duration * sample_rate), 1)
    return math.ceil(samples / hop_length)
