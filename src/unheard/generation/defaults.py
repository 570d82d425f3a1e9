"""The settings that travel with a model: its `unheard.json`. No torch in here.

Weights and thresholds that suit one embedder do not suit another, so they lie beside the model's weights.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unheard.backbones.contained import inside, read_json_object
from unheard.diffusion.settings import Sampling
from unheard.embedders import DEFAULT_EMBEDDER
from unheard.errors import InputError, ModelError
from unheard.guidance import AMG, Guidance, read_guidance

if TYPE_CHECKING:
    from unheard.index import Index


AUTO = "auto"
"""The kind of guidance that is the model's own."""


@dataclass(frozen=True)
class Defaults:
    """Settings that travel with a model; the defaults are those published for Stable Audio Open 1.0.

    Attributes:
        sampling: sampler, steps, noise levels, guidance scale.
        guidance: kind and settings of the guidance, made for `embedder`.
        duration: seconds of sound when nothing is said; may exceed what a short model can make.
        embedder: a folder or a hub id.
        index: the training set's index, or None when the model brings none.
        references: a list of training recordings that the model brings as sound, for audits, or None.
        calibration: a file of `unheard.calibrate`, or None; counts where it is of the index that is used.
        gate_head: a file of `unheard train-gate`, or None; counts for the duration that it was made for.
    """

    sampling: Sampling = field(default_factory=Sampling)
    guidance: Guidance | None = field(default_factory=AMG)
    duration: float = 10.0
    embedder: str = DEFAULT_EMBEDDER
    index: Path | None = None
    references: Path | None = None
    calibration: Path | None = None
    gate_head: Path | None = None

    def bring(self, index: Index | None) -> bool:
        """Whether this is the model's own training set; without any, there is no other."""
        return index is None or (index.path is not None and index.path == self.index)

    def guidance_named(self, kind: str) -> Guidance | None:
        """The guidance of a kind, "auto" for the model's own and "none" for none.

        A kind comes with the model's settings if it is the model's own, and else with the published ones.

        Raises:
            InputError: there is no such kind.
        """
        own = self.guidance
        if kind == AUTO or (own is not None and own.kind == kind):
            return own
        return read_guidance(kind)


def read_defaults(folder: Path, sampling: Sampling | None = None) -> Defaults:
    """The settings that travel with a model: its `unheard.json`, or the published ones where it has none.

    The file holds any of `sampling` (the fields of `Sampling`), `guidance` (see
    `unheard.guidance.read_guidance`), `duration` in seconds, `embedder`, `index`, `references`,
    `calibration` and `gate_head`. `embedder` is a folder inside the model's folder if there is one of that
    name, otherwise a hub id; the last four are files inside the model's folder. What is left out keeps the
    published value.

    Args:
        folder: the model's.
        sampling: how the model's family samples where its file does not say; None for Stable Audio Open's.

    Raises:
        ModelError: the file is not a JSON object, or holds an unknown key or a value that cannot be used.
    """
    path, published = folder / "unheard.json", Defaults(sampling=sampling or Sampling())
    if not path.is_file():
        return published
    settings = read_json_object(path)
    unknown = settings.keys() - {part.name for part in fields(Defaults)}
    if unknown:
        raise ModelError(f"{path}: unknown key {sorted(unknown)[0]!r}: take it out or mend its spelling")
    try:
        return Defaults(
            sampling=replace(published.sampling, **settings.get("sampling", {})),
            guidance=read_guidance(settings.get("guidance", {})),
            duration=_seconds(settings.get("duration", published.duration)),
            embedder=_inside(folder, settings.get("embedder", published.embedder)),
            index=_file_inside(folder, "index", settings.get("index")),
            references=_file_inside(folder, "references", settings.get("references")),
            calibration=_file_inside(folder, "calibration", settings.get("calibration")),
            gate_head=_file_inside(folder, "gate_head", settings.get("gate_head")),
        )
    except (InputError, TypeError) as error:
        raise ModelError(f"{path}: {error}") from error


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= sys.float_info.max:
        raise InputError(f"duration is {value!r}: give seconds above 0")
    return float(value)


def _inside(folder: Path, embedder: object) -> str:
    if not isinstance(embedder, str) or not embedder:
        raise InputError(f"embedder is {embedder!r}: give a folder inside the model's, or a hub id")
    # A hub id has the form of a path that stays inside; anything else that leads elsewhere is refused.
    return str(named) if os.path.isdir(named := inside(folder, embedder)) else embedder


def _file_inside(folder: Path, key: str, name: object) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str) or not os.path.isfile(inside(folder, name)):
        raise InputError(f"{key} is {name!r}: there is no such file in the model's folder")
    return folder / name
