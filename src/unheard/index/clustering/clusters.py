"""Clusters of near-identical sounds and of near-identical captions: training items that a model may memorise.

Both kinds are single-linkage clusters: an item belongs to a cluster if it is near to one of its members. At a
threshold close to 1 that is what repetition looks like (a copy of a copy is a copy), it depends on no order,
and how far a chain reaches can be read from each member's similarity to the representative.

The representative is the member with the smallest mean distance to its nearest neighbours, as the published
protocol picks its prompts (Messina et al., arXiv 2509.14934): the densest part of the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from unheard.common.checks import require_above_zero, require_between, require_whole
from unheard.common.files import replacing
from unheard.common.progress import Report
from unheard.common.texts import json_bytes
from unheard.index.clustering import CAPTION_THRESHOLD, SOUND_THRESHOLD, near_captions, near_vectors
from unheard.index.searching.captions import normalised
from unheard.index.searching.index import Index
from unheard.index.searching.stored import read_exactly
from unheard.index.store.table import Store
from unheard.index.store.uri import is_store

NEIGHBOURS = 10
"""Nearest neighbours whose mean distance chooses the representative; all others in a smaller cluster."""
MOST_COMPARED = 2000
"""Captions of a cluster that are compared to choose the representative: those of most items."""


@dataclass(frozen=True)
class Cluster:
    """Items that repeat one another.

    Attributes:
        kind: what is near-identical.
        prompt: the representative's caption; where it has none, that of the member most similar to it; empty
            if no member has one.
        size: how many items.
        representative: its id.
        seconds_start, seconds_total: timing of the representative.
        ids: of all members, in the order of the index.
        similarities: of each to the representative: cosine of sounds, likeness of captions
            (`near_captions.likeness`).
        windows: seconds of each recording that are near-identical; None for captions and where not recorded.
    """

    kind: Literal["sound", "caption"]
    prompt: str
    size: int
    representative: str
    seconds_start: float
    seconds_total: float
    ids: list[str]
    similarities: list[float]
    windows: list[tuple[float, float]] | None = None


@dataclass(frozen=True)
class Duplicates:
    """The clusters of an index.

    Attributes:
        index: its path or URI.
        sha256: its checksum.
        items: how many it has that are not silent.
        uncaptioned: how many of them have no caption, so that only their sound can tell.
        sound_threshold, caption_threshold, minimum_size: of the clusters.
        clusters: those of sound, then those of captions, each from the largest.
    """

    index: str
    sha256: str
    items: int
    uncaptioned: int
    sound_threshold: float
    caption_threshold: float
    minimum_size: int
    clusters: list[Cluster]

    def save(self, path: str | Path) -> None:
        """Write a JSON object with the attributes' names, one cluster a line.

        Raises:
            InputError: the file cannot be written.
        """
        head = {name: value for name, value in vars(self).items() if name != "clusters"}
        opening = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "clusters": [\n  '
        lines = [json.dumps(asdict(cluster), ensure_ascii=False) for cluster in self.clusters]
        with replacing(path) as file:
            file.write(json_bytes(opening + ",\n  ".join(lines) + "\n ]\n}\n"))


def find_duplicates(
    uri: str | Path,
    *,
    sound_threshold: float = SOUND_THRESHOLD,
    caption_threshold: float = CAPTION_THRESHOLD,
    minimum_size: int = 2,
    device: str | torch.device = "cpu",
    progress: Report | None = None,
) -> Duplicates:
    """See `unheard.index.duplicates`."""
    for name, threshold in (("sound_threshold", sound_threshold), ("caption_threshold", caption_threshold)):
        require_above_zero(name, threshold)
        require_between(name, threshold, 0, 1)
    require_whole("minimum_size", minimum_size, 2)
    index = _open(uri)
    of_sounds = sound_clusters(index, sound_threshold, minimum_size, device=device, progress=progress)
    of_captions = caption_clusters(index, caption_threshold, minimum_size)
    firsts = _first_windows(index.ids)
    return Duplicates(
        index=str(uri),
        sha256=index.sha256,
        items=len(firsts),
        uncaptioned=sum(not index.prompts[position].strip() for position in firsts),
        sound_threshold=sound_threshold,
        caption_threshold=caption_threshold,
        minimum_size=minimum_size,
        clusters=of_sounds + of_captions,
    )


def sound_clusters(
    index: Index,
    threshold: float = SOUND_THRESHOLD,
    minimum_size: int = 2,
    *,
    device: str | torch.device = "cpu",
    progress: Report | None = None,
) -> list[Cluster]:
    """Clusters of items with near-identical windows, from the largest."""
    if not len(index):
        return []
    unit = index.vectors(torch.arange(len(index))).cpu().numpy()
    labels = near_vectors.single_linkage(unit, threshold, device=device, progress=progress)
    return _largest_first(
        _sound_cluster(index, unit, members)
        for windows in _groups(labels, minimum_size)
        if len(members := _one_an_item(index.ids, windows)) >= minimum_size
    )


def caption_clusters(
    index: Index, threshold: float = CAPTION_THRESHOLD, minimum_size: int = 2
) -> list[Cluster]:
    """Clusters of items with near-identical captions, from the largest; an item without one is in none."""
    items = [position for position in _first_windows(index.ids) if index.prompts[position].strip()]
    if not items:
        return []
    compared = [_compared(index.prompts[position]) for position in items]
    texts, caption = np.unique(compared, return_inverse=True)
    labels = near_captions.single_linkage(texts.tolist(), threshold)[caption]
    return _largest_first(
        _caption_cluster(index, texts, caption[members], [items[member] for member in members])
        for members in _groups(labels, minimum_size)
    )


def medoid(unit: np.ndarray, neighbours: int = NEIGHBOURS) -> int:
    """The vector with the smallest mean distance (1 - cosine) to its nearest others; the first of several.

    Args:
        unit: [count, dimension] of unit length, two or more.
        neighbours: how many nearest others; all if there are fewer.
    """
    exact = torch.from_numpy(unit).double()
    count = min(neighbours, len(exact) - 1)
    similarity = torch.cat(
        [(few @ exact.T).topk(count + 1).values.sum(dim=1) for few in torch.split(exact, 1 << 10)]
    )
    # Each is its own nearest, at 1. Rounded, so that equal ones tie.
    return int((similarity - 1).div(count).mul(1e9).round().argmax())


def _sound_cluster(index: Index, unit: np.ndarray, members: np.ndarray) -> Cluster:
    chosen = medoid(unit[members])
    to_chosen = near_vectors.cosines(unit, members, np.full_like(members, members[chosen]))
    windows = None if index.windows is None else [index.windows[member] for member in members]
    return _cluster("sound", index, members.tolist(), chosen, to_chosen, windows)


def _caption_cluster(index: Index, texts: np.ndarray, caption: np.ndarray, members: list[int]) -> Cluster:
    """A cluster of items with these captions, positions in `texts`."""
    captions, counts = np.unique(caption, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:MOST_COMPARED]
    captions, counts = captions[frequent], counts[frequent]
    means = []
    for number, one in enumerate(captions):
        distances = np.array([1 - near_captions.likeness(texts[one], texts[other]) for other in captions])
        others = counts.copy()
        others[number] -= 1
        nearest = np.argsort(distances, kind="stable")
        means.append(np.repeat(distances[nearest], others[nearest])[:NEIGHBOURS].mean())
    best = captions[int(np.argmin(np.round(means, 9)))]
    to_best = np.array([near_captions.likeness(texts[best], texts[one]) for one in caption])
    return _cluster("caption", index, members, int(np.argmax(caption == best)), to_best, None)


def _cluster(
    kind: Literal["sound", "caption"],
    index: Index,
    members: list[int],
    chosen: int,
    similarities: np.ndarray,
    windows: list[tuple[float, float]] | None,
) -> Cluster:
    representative = members[chosen]
    nearest = [representative, *(members[number] for number in np.argsort(-similarities, kind="stable"))]
    return Cluster(
        kind=kind,
        prompt=next((index.prompts[one] for one in nearest if index.prompts[one].strip()), ""),
        size=len(members),
        representative=index.ids[representative],
        seconds_start=index.seconds_start[representative],
        seconds_total=index.seconds_total[representative],
        ids=[index.ids[member] for member in members],
        similarities=[round(similarity, 6) for similarity in similarities.tolist()],
        windows=windows,
    )


def _open(uri: str | Path) -> Index:
    """The index with all its embeddings, however many."""
    return Index(read_exactly(Store.open(uri)), uri) if is_store(uri) else Index.open(uri)


def _compared(caption: str) -> str:
    """What is compared; a caption without any letter or digit is compared as it stands."""
    return normalised(caption) or caption.strip()


def _first_windows(ids: Sequence[str]) -> list[int]:
    """The position of the first window of each item."""
    firsts: dict[str, int] = {}
    for position, identifier in enumerate(ids):
        firsts.setdefault(identifier, position)
    return list(firsts.values())


def _one_an_item(ids: Sequence[str], windows: np.ndarray) -> np.ndarray:
    """Of the windows of each item the first."""
    return windows[_first_windows([ids[window] for window in windows])]


def _groups(labels: np.ndarray, minimum_size: int) -> Iterator[np.ndarray]:
    """The rising positions of each label that occurs at least so often."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return (group for group in np.split(order, borders) if len(group) >= minimum_size)


def _largest_first(clusters: Iterator[Cluster]) -> list[Cluster]:
    return sorted(clusters, key=lambda cluster: -cluster.size)
