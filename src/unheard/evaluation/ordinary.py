"""Ordinary sounds: recordings held out, by their captions, and how much happens in them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from unheard.auditing import liveliness
from unheard.auditing.liveliness import Activity, activity_in
from unheard.auditing.sounds import sound_files
from unheard.common.content_cache import ContentCache
from unheard.common.files import sha256
from unheard.common.shards import is_available
from unheard.errors import InputError
from unheard.evaluation.caption_groups import FEWEST, CaptionGroups
from unheard.evaluation.held_out import is_index
from unheard.evaluation.identity import digest
from unheard.index import Index
from unheard.index.building.recording import Recording
from unheard.index.building.sidecars import with_sidecars

LIMIT = 500
"""The most that are taken; of more, as many are drawn, always the same."""
LOWEST = 0.01
"""Part of the ordinary sounds that are no livelier than the bound of a collapse."""
FEWEST_FOR_A_BOUND = 100
"""Ordinary sounds from which such a part can be told."""


class OrdinarySounds:
    """Recordings that a model never saw, to say how lively a sound is, and whether it has collapsed.

    Args:
        paths: of the recordings.
        captions: of each; None for one without.
    """

    def __init__(self, paths: list[Path], captions: list[str | None]) -> None:
        chosen = range(len(paths))
        if len(paths) > LIMIT:
            chosen = np.sort(np.random.default_rng(0).choice(len(paths), LIMIT, replace=False)).tolist()
        self.paths = [paths[number] for number in chosen]
        self.captions = [captions[number] for number in chosen]
        self._groups = CaptionGroups(self.captions)
        self._activities: dict[float, list[Activity]] = {}
        self._bounds: dict[float, float | None] = {}

    @classmethod
    def open(cls, source: str) -> OrdinarySounds | None:
        """Those of a folder, with the captions beside them, or of an index; None where too few are available.

        Raises:
            InputError: there is no such folder, or it holds no sound.
            IndexFileError: the index cannot be read.
        """
        if is_index(source):
            index = Index.open(source)
            known = zip(index.ids, index.sources, index.prompts, strict=True)
            said = {item: (Path(at), text or None) for item, at, text in known if at and is_available(at)}
            found = list(said.values())
        else:
            found = [(path, _caption(path)) for path in sound_files(source)]
        if len(found) < FEWEST:
            return None
        return cls([path for path, _ in found], [caption for _, caption in found])

    @cached_property
    def identity(self) -> str:
        """A hash of the recordings and their captions."""
        return digest([self._contents, self.captions])

    @cached_property
    def _contents(self) -> list[str]:
        return [sha256(path) for path in self.paths]

    def liveliness(self, sound: Activity, caption: str, seconds: float) -> float | None:
        """How lively a sound of so many seconds is, `auditing.liveliness`; None where its kind is silent.

        Longer recordings are cut to its length, so that a second of both means the same.
        """
        activities = self._of_length(seconds)
        return _against(sound, [activities[each] for each in self._groups.like(caption)])

    def lowest(self, seconds: float) -> float | None:
        """The liveliness under which `LOWEST` of the ordinary sounds lie, each against others of its kind.

        None where there are fewer than `FEWEST_FOR_A_BOUND`.
        """
        length = round(seconds, 1)
        if length not in self._bounds:
            enough = len(self.paths) >= FEWEST_FOR_A_BOUND
            self._bounds[length] = float(np.quantile(self.of_each(length), LOWEST)) if enough else None
        return self._bounds[length]

    def of_each(self, seconds: float) -> list[float]:
        """The liveliness of each ordinary sound against the others of its kind; of a silent kind none."""
        activities = self._of_length(seconds)
        found = [
            _against(each, [activities[other] for other in self._groups.like(caption or "", but=[number])])
            for number, (each, caption) in enumerate(zip(activities, self.captions, strict=True))
        ]
        return [value for value in found if value is not None]

    def _of_length(self, seconds: float) -> list[Activity]:
        """What happens in the recordings, each at most so long; cached by their content."""
        length = round(seconds, 1)
        if length not in self._activities:
            maker = f"{sha256(Path(liveliness.__file__))[:16]}-{length}"
            cache = ContentCache("activity", maker)
            pairs = zip(self.paths, self._contents, strict=True)
            self._activities[length] = [_activity(path, content, length, cache) for path, content in pairs]
        return self._activities[length]


def _activity(path: Path, content: str, length: float, cache: ContentCache) -> Activity:
    entry = cache.read(content)
    if entry is None:
        found = activity_in(path, length)
        entry = {"activity": np.array([found.seconds, found.onsets, found.loudness])}
        cache.try_to_write(content, entry)
    seconds, onsets, loudness = entry["activity"].tolist()
    return Activity(seconds, int(onsets), loudness)


def _against(sound: Activity, ordinary: list[Activity]) -> float | None:
    try:
        return liveliness.liveliness(sound, ordinary)
    except InputError:  # most of this kind are silent
        return None


def _caption(path: Path) -> str | None:
    """What lies beside a recording as its caption."""
    said = with_sidecars(str(path), path.stem)
    return said.prompt if isinstance(said, Recording) else None
