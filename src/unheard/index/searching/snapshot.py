"""What an index held when it was read: of a store (`stored`) and of a JSON file (`entries`) alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from unheard.index.searching.captions import Captions
from unheard.index.searching.vectors import Vectors
from unheard.index.searching.word_sounds import WordSounds
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.table import Store


@dataclass(frozen=True)
class Snapshot:
    """The items of an index by position, with their embeddings.

    Attributes:
        ids, prompts, seconds_start, seconds_total: of the item at each position.
        windows: seconds at which the embedded windows begin and end; None where they are not recorded.
        sources: the sound file of each position, None where it is not known.
        vectors: the embeddings.
        embedder: who made them.
        checksum: computes the SHA-256 of the content.
        store: where it was read from, or None for a JSON file.
    """

    ids: list[str]
    prompts: list[str]
    seconds_start: list[float]
    seconds_total: list[float]
    windows: list[tuple[float, float]] | None
    sources: list[str | None]
    vectors: Vectors
    embedder: EmbedderRecord
    checksum: Callable[[], str]
    store: Store | None = None

    @cached_property
    def sha256(self) -> str:
        """The checksum, computed once."""
        return self.checksum()

    @cached_property
    def captions(self) -> Captions:
        """The captions, to look positions up by."""
        return Captions(self.ids, self.prompts, WordSounds(self.vectors.unit, len(self.ids)))
