"""The references that sounds are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import Tensor


class Catalogue:
    """References by id, with their fingerprints; their audio is decoded again only for the finalists.

    Attributes:
        name: what it is called in reports.
        ids: of the references.
        left_out: what could not be used, with the reason.
    """

    name: str
    ids: list[str]
    left_out: dict[str, str]

    @classmethod
    def from_files(
        cls,
        sources: str | Path | Iterable[str | Path],
        *,
        captions: Mapping[str, str] | None = None,
        name: str | None = None,
        folder: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Catalogue:
        """Files, or all sounds in a folder (any depth); ids are paths relative to it, or as given.

        Args:
            sources: a folder, or files.
            captions: by id.
            name: of the catalogue; the folder's if left out.
            folder: where fingerprints are kept and found again, by the content of the files; none are kept
                without it.
            progress: called with how many references are done, and how many there are.

        Raises:
            InputError: there is no such folder, or no usable sound.
        """
        raise NotImplementedError

    @classmethod
    def of_model(cls, folder: Path, **options: object) -> Catalogue:
        """The recordings that a bundled model brings (`memorised.json`, `memorised/`), with captions.

        Raises:
            InputError: the folder has none.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, reference: str) -> tuple[Tensor, int]:
        """A reference's waveform, float32 [channels, time], and sample rate; InputError if it cannot be read."""
        raise NotImplementedError
