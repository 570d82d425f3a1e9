"""Which embedder made the embeddings of an index, and whether another one's can be compared with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from unheard.errors import IndexFileError

if TYPE_CHECKING:
    from unheard.embedders import Embedder


@dataclass(frozen=True)
class EmbedderRecord:
    """Who made the embeddings, as far as it is known: a JSON file may know only the name, or not even that.

    Attributes:
        name: as `Embedder.name`; None where it was never recorded.
        dimension: numbers in an embedding.
        revision: commit on the hub.
        sha256: of the weights.
        sample_rate: of what it embeds, in hertz.
        window: seconds embedded at once.
    """

    name: str | None
    dimension: int
    revision: str | None = None
    sha256: str | None = None
    sample_rate: int | None = None
    window: float | None = None

    @classmethod
    def of(cls, embedder: Embedder) -> Self:
        """The record of an embedder."""
        return cls(
            name=embedder.name,
            dimension=embedder.dimension,
            revision=embedder.revision,
            sha256=embedder.sha256,
            sample_rate=embedder.sample_rate,
            window=embedder.window,
        )

    def __str__(self) -> str:
        known = "" if self.sha256 is None else f", weights {self.sha256[:12]}"
        name = "one that is not recorded" if self.name is None else repr(self.name)
        return f"{name} ({self.dimension} numbers{known})"

    def check(self, other: EmbedderRecord, source: str) -> None:
        """Raise IndexFileError, with both named, if `other` cannot have made the embeddings of `source`.

        Where both weights are known they decide, whatever the names; else the names do.
        """
        by_weights = self.sha256 is not None and other.sha256 is not None
        if by_weights:
            alike = self.sha256 == other.sha256
        else:
            alike = None in (self.name, other.name) or self.name == other.name
        if alike and self.dimension == other.dimension:
            return
        message = (
            f"{source} was made by the embedder {self}, but this one is {other}; "
            "choose the one that made it, or make another index"
        )
        if self.dimension == other.dimension and not by_weights:
            message += (
                " (if it is the same in a folder of another name, put that name into the folder's "
                "unheard.json)"
            )
        raise IndexFileError(message)
