"""Where gate heads lie, and which of them is of a model, an embedder and a duration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from unheard.backbones.base import Backbone
from unheard.common.files import data_folder, sha256
from unheard.errors import InputError

if TYPE_CHECKING:
    from unheard.guidance.amg.gate_head import Fit, GateHead

KEPT_IN = "gate-heads"
"""The folder of the user's data."""


@dataclass(frozen=True)
class Kept:
    """A head that was read, and where from."""

    path: Path
    head: GateHead
    fit: Fit

    @cached_property
    def sha256(self) -> str:
        return sha256(self.path)

    def describe(self) -> dict[str, str | float]:
        """What provenance says of it."""
        return {"sha256": self.sha256, "margin": self.fit.margin}


def own_path(fingerprint: str, embedder: str, duration: float) -> Path:
    """Where the user's head of a model, an embedder and a duration is kept."""
    name = f"{embedder[:16]}-{fingerprint.rpartition(':')[2][:16]}-{duration:g}s.safetensors"
    return data_folder(KEPT_IN) / name


def find(
    backbone: Backbone, fingerprint: str | None, embedder: str | None, duration: float, brought: Path | None
) -> Kept:
    """The head of a model's weights, an embedder's, and a duration: the user's own, or the model's.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from unheard.guidance.amg.gate_head import read

    if fingerprint is not None and embedder is not None:
        for path in (own_path(fingerprint, embedder, duration), brought):
            if path is None or not path.is_file():
                continue
            head, fit = read(path, backbone.device)
            if (fit.fingerprint, fit.embedder, fit.duration) == (fingerprint, embedder, duration):
                return Kept(path, head, fit)
    raise InputError(
        f"no gate head is made for this model, its embedder and {duration:g} s: make one "
        f"(unheard train-gate --duration {duration:g}), or leave out --gate-head"
    )
