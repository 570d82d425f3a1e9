"""All encoded recordings at a glance: which of them a prediction is nearest to.

Half seconds of latents are averaged, and a prediction is compared with every recording at once, in one matrix
product, without shifts: what a model replays begins where the recording begins. So a recording is found that
neither a caption leads to nor what the guide's embedder makes of a prediction (docs/log.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unheard.backbones import Backbone
from unheard.backbones.base import by_frame
from unheard.common.content_cache import Arrays, ContentCache
from unheard.guidance.detour.recording_latents import cache_of

SECONDS = 0.5
"""How long a part is of which a mean is taken."""


class CoarseLatents:
    """Means of the parts of encoded recordings.

    Args:
        names: ids of the recordings.
        means: of their latents [recordings, features, parts]; zero beyond a recording's end.
        parts: how many parts each has [recordings].
        frames: of a part.
    """

    def __init__(self, names: Sequence[str], means: Tensor, parts: Tensor, frames: int) -> None:
        self.names, self.means, self.parts, self.frames = tuple(names), means, parts, frames
        self._ready: dict[tuple[int, torch.device], Tensor] = {}

    @classmethod
    def of(cls, means: Mapping[str, Tensor], frames: int) -> CoarseLatents:
        """One table of the `means_of` recordings, by id."""
        parts = torch.tensor([each.shape[-1] for each in means.values()])
        longest = int(parts.max())
        padded = [torch.nn.functional.pad(each, (0, longest - each.shape[-1])) for each in means.values()]
        return cls([*means], torch.stack(padded), parts, frames)

    def __len__(self) -> int:
        return len(self.names)

    def nearest(self, denoised: Tensor, count: int, least: float = -1.0) -> list[str]:
        """The recordings whose beginnings are most like a prediction, the most alike first.

        By the cosine of the means, each feature's own mean over time taken out, of as many parts as the
        prediction has.

        Args:
            denoised: latents [features, frames].
            count: how many recordings to name, at most.
            least: cosine above which one is named.
        """
        means = means_of(denoised, self.frames)
        length = torch.tensor([means.shape[-1]], device=means.device)
        sought = _directions(means[None], length)[0]
        matrix = self._of_length(means.shape[-1], means.device)
        cosines, best = (matrix @ sought).topk(min(count, len(matrix)))
        # Both in one transfer, so that the device is waited for once.
        found = torch.stack([cosines.double(), best.double()], dim=1).tolist()
        return [self.names[int(each)] for cosine, each in found if cosine > least]

    def _of_length(self, parts: int, device: torch.device) -> Tensor:
        """Unit vectors of the first so many parts [recordings, features * parts]."""
        if (parts, device) not in self._ready:
            means = self.means[..., :parts].float()
            missing = parts - means.shape[-1]
            padded = torch.nn.functional.pad(means, (0, max(missing, 0)))
            self._ready = {(parts, device): _directions(padded, self.parts.clamp(max=parts)).to(device)}
        return self._ready[parts, device]


def means_of(latents: Tensor, frames: int) -> Tensor:
    """Latents [features, time] to means of each so many frames, of the last of as many as there are."""
    begins = range(0, latents.shape[-1], frames)
    return torch.stack([latents[:, at : at + frames].float().mean(dim=-1) for at in begins], dim=-1)


def _directions(means: Tensor, parts: Tensor) -> Tensor:
    """Means [recordings, features, parts], so many of each, to unit vectors without the mean in time."""
    within = torch.arange(means.shape[-1], device=means.device) < parts[:, None]
    mean = (means * within[:, None]).sum(dim=-1) / parts[:, None].clamp(min=1)
    centred = ((means - mean[..., None]) * within[:, None]).flatten(1)
    norms: Tensor = centred.norm(dim=1, keepdim=True)
    return centred / norms.clamp(min=1e-6)


class CoarseLatentsCache:
    """Coarse latents of training sets under one model, in the user's cache.

    They are found again by the ids and the paths of the recordings.

    Args:
        backbone: the model.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._last: tuple[Mapping[str, Path], CoarseLatents | None] | None = None

    @cached_property
    def _cache(self) -> ContentCache | None:
        """None where nothing tells this model from any other."""
        return cache_of(self._backbone, "coarse-latents", _fits)

    @property
    def _frames(self) -> int:
        """Of a part."""
        return self._backbone.frames(SECONDS)

    def means_of(self, latents: Tensor) -> Tensor:
        """Latents of one recording [*latent_shape] to the means of its parts [features, parts]."""
        return means_of(by_frame(latents, self._backbone.time_axis), self._frames)

    def of(self, recordings: Mapping[str, Path]) -> CoarseLatents | None:
        """Those of recordings, by id; None where none were written."""
        if not recordings or self._cache is None:
            return None
        # Asked at every step: to tell by their names that these are the same would take longer than the rest.
        if self._last is None or self._last[0] is not recordings:
            entry = self._cache.read(_key(recordings))
            self._last = recordings, None if entry is None else _of_entry(entry, self._frames)
        return self._last[1]

    def write(self, recordings: Mapping[str, Path], means: Mapping[str, Tensor]) -> None:
        """Keep the `means_of` recordings, by id, of those that could be encoded.

        Raises:
            InputError: nothing can be written there.
        """
        if self._cache is not None:
            self._cache.write(_key(recordings), _entry(CoarseLatents.of(means, self._frames)))
            self._last = None


def _key(recordings: Mapping[str, Path]) -> str:
    """A name for recordings, however their paths are spelled; a folder is looked up once, not each file."""
    folders = {folder: folder.resolve() for folder in {path.parent for path in recordings.values()}}
    parts = ((name, folders[path.parent], path.name) for name, path in sorted(recordings.items()))
    lines = "".join(f"{name}\0{folder}/{file}\n" for name, folder, file in parts)
    return hashlib.sha256(lines.encode()).hexdigest()


def _entry(coarse: CoarseLatents) -> Arrays:
    """As an entry of a cache, the means in half precision."""
    return {
        "names": np.frombuffer(json.dumps(coarse.names).encode(), dtype=np.uint8),
        "means": coarse.means.half().numpy(),
        "parts": coarse.parts.numpy(),
    }


def _of_entry(entry: Arrays, frames: int) -> CoarseLatents:
    means, parts = (torch.from_numpy(entry[key]) for key in ("means", "parts"))
    return CoarseLatents(_names(entry), means, parts, frames)


def _fits(entry: Arrays) -> bool:
    """Whether an entry holds coarse latents; ValueError where its names cannot be read."""
    if entry.keys() != {"names", "means", "parts"}:
        return False
    names, means, parts = entry["names"], entry["means"], entry["parts"]
    if names.dtype != np.uint8 or means.dtype != np.float16 or parts.dtype != np.int64:
        return False
    count = len(_names(entry))
    return (
        count > 0
        and means.ndim == 3
        and parts.shape == (count,)
        and len(means) == count
        and bool(np.isfinite(means).all())
        and bool((parts >= 1).all() and (parts <= means.shape[-1]).all())
    )


def _names(entry: Arrays) -> list[str]:
    return [str(name) for name in json.loads(entry["names"].tobytes())]
