"""The training set of a generation: its index, where its recordings lie, and whose they are."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from unheard.auditing.catalogue import Catalogue, by_id
from unheard.auditing.references import References, locate_recordings, memorised_recordings
from unheard.common.texts import plural
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.generation.defaults import Defaults
from unheard.guidance import Guidance, GuidanceWarning
from unheard.index import Index


class TrainingSet:
    """What a guidance stays away from, what an audit compares with, and what provenance says of both.

    Args:
        index: embeddings, captions and timings; None for none.
        references: recordings that were named: a catalogue, a folder or files, with ids as file names; None
            for those that the index or the model says.
        own: whether it is the training set that the model brings, or there is no other.
        brought: the list of recordings that the model brings; counts only where it is its own.
        share: of the recordings that are there a guidance is given so many, 0 to 1, to see how it does
            without the others. Which ones, the hashes of their ids say: of two shares the larger has all of
            the smaller.

    Attributes:
        index, references, own, share: as given.
        brought: the list of recordings, None where they are another's.
    """

    def __init__(
        self,
        index: Index | None,
        references: References | None = None,
        *,
        own: bool = False,
        brought: Path | None = None,
        share: float = 1.0,
    ) -> None:
        self.index, self.references, self.own, self.share = index, references, own, share
        self.brought = brought if own else None
        self._warned: list[Guidance] = []

    @classmethod
    def open(
        cls,
        index: Index | str | Path | None,
        references: References | None,
        *,
        defaults: Defaults,
        load_embedder: Callable[[], Embedder],
        device: torch.device,
    ) -> TrainingSet:
        """Read an index, onto the model's device, once it is known to be of the model's embedder.

        Args:
            index: an index, or its path or URI.
            references: see the class.
            defaults: what the model brings.
            load_embedder: gives the model's embedder; asked only if there is an index.
            device: where the model runs.

        Raises:
            IndexFileError: the index cannot be read, or was made by another embedder.
            InputError: it is empty.
            ModelError: the embedder cannot be loaded.
        """
        known = Index.open(index) if isinstance(index, str | Path) else index
        if known is not None:
            if not len(known):
                raise InputError(
                    f"{known.path or 'the index'} is empty, or all in it is silent: there is nothing to "
                    "compare with; add recordings (`unheard index add`)"
                )
            known.check_embedder(load_embedder())
            known = known.to(device)
        return cls(known, references, own=defaults.bring(known), brought=defaults.references)

    @property
    def named(self) -> tuple[Path, ...] | None:
        """The paths of the recordings that were named; None where none were, or a loaded catalogue."""
        if self.references is None or isinstance(self.references, Catalogue):
            return None
        some = [self.references] if isinstance(self.references, str | Path) else self.references
        return tuple(Path(path) for path in some)

    def with_share(self, share: float) -> TrainingSet:
        """The same, of whose recordings a guidance is given a share."""
        return TrainingSet(self.index, self.references, own=self.own, brought=self.brought, share=share)

    @cached_property
    def located(self) -> dict[str, Path]:
        """Where all recordings of the index's items lie that are there, by id.

        Raises:
            InputError: references were named that are not there.
        """
        found = {} if self.index is None else locate_recordings(self.references, self.index)
        return self.memorised if self.references is None and not found else found

    @cached_property
    def recordings(self) -> dict[str, Path]:
        """Those of them that a guidance is given.

        Raises:
            InputError: references were named that are not there.
        """
        if self.share == 1.0:
            return self.located
        by_hash = sorted(self.located, key=lambda item: hashlib.sha256(item.encode()).digest())
        return {item: self.located[item] for item in by_hash[: round(self.share * len(by_hash))]}

    @cached_property
    def memorised(self) -> dict[str, Path]:
        """Where the recordings of what the model has memorised lie, by id; empty if it brings no list."""
        return {} if self.index is None else memorised_recordings(self.index, self.brought)

    @property
    def only_memorised(self) -> bool:
        """Whether a guidance is given the recordings of all that the model has memorised, and no others."""
        return bool(self.memorised) and self.recordings == self.memorised

    @cached_property
    def audited_with(self) -> int:
        """How many recordings an audit compares with; 0 where none are available.

        Raises:
            InputError: references were named that are not there.
        """
        if isinstance(self.references, Catalogue):
            return len(self.references)
        return len(self.located if self.references is None else by_id(self.references))

    def check(self, guidance: Guidance | None, model: str) -> bool:
        """Whether a guidance can do with it; warnings say what it cannot do, the first time that it is asked.

        Returns:
            Whether that is the first time; False of no guidance, and without an index.

        Raises:
            InputError: the guidance needs an index, and there is none.
        """
        if guidance is None:
            return False
        if self.index is None:
            if guidance.needs_index:
                raise InputError(
                    f"anti-memorization guidance needs an index of the training set; {model} brings none: "
                    "give one (--index PATH, index=...) or go without (--no-guidance, guidance=None)"
                )
            return False
        if guidance in self._warned:
            return False
        self._warned.append(guidance)
        missing = len(self.index.uncaptioned)
        if missing and guidance.without_captions:
            warnings.warn(
                f"{self._called} has no caption for {missing:,} of its {plural(self.index.items, 'item')}: "
                f"{guidance.without_captions}",
                stacklevel=5,
            )
        if guidance.uses_recordings:
            self._warn_of_missing_recordings(self.index)
        return True

    def describe(self, recordings: bool) -> dict[str, Any]:
        """Index and recordings as provenance has them; `given` is None for what the model brings itself.

        Args:
            recordings: whether the guidance compared with them.
        """
        index = self.index
        described: dict[str, Any] = {"index": None, "recordings": None}
        if index is not None:
            where = str(index.path.resolve()) if isinstance(index.path, Path) else index.path
            described["index"] = {
                "items": index.items,
                "given": None if self.own else where,
                "sha256": index.sha256,
            }
        if recordings and self.recordings:
            named = self.named
            described["recordings"] = {
                "items": len(self.recordings),
                "given": None if named is None else [str(path.resolve()) for path in named],
            }
        return described

    @property
    def _called(self) -> str:
        """The index in messages."""
        path = None if self.index is None else self.index.path
        return "the index" if path is None else str(path)

    def _warn_of_missing_recordings(self, index: Index) -> None:
        """Where none are available, or only some; but a model may bring those alone that it has memorised."""
        available, count = len(self.recordings), len(set(index.ids))
        if self.only_memorised or available == count:
            return
        lacking = (
            f"the recordings of {available:,} of {count:,} items are available: for the others"
            if available
            else f"no recordings of {self._called} are available, so"
        )
        warnings.warn(
            f"{lacking} the guidance goes by the prompt alone and cannot say what would be copied; "
            "name their folder to have it compare (--references FOLDER, references=...; its file "
            "names are the ids)",
            GuidanceWarning,
            stacklevel=6,
        )
