"""The text encoder of a model: its configuration names one, and the checkpoint is without it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unheard.backbones.contained import check_contained
from unheard.backbones.downloads import fetch_text_encoder, text_encoder_id
from unheard.errors import ModelError

FILES = ("config.json", "*.safetensors", "tokenizer.json", "spiece.model")
"""The files that a text encoder is told by."""


@dataclass(frozen=True)
class NamedTextEncoder:
    """What a configuration says of its text encoder.

    Attributes:
        repository: on the hub, or a name from before the hub had owners, such as t5-base.
        subfolder: of the repository, and of the checkpoint's folder, where it is; "" for the whole one.
    """

    repository: str
    subfolder: str = ""

    @property
    def beside(self) -> tuple[str, ...]:
        """The folders beside a checkpoint that it may be in."""
        names = (self.subfolder, self.repository, PurePosixPath(self.repository).name)
        return tuple(dict.fromkeys(filter(None, names)))


def find_text_encoder(named: NamedTextEncoder, folder: Path, given: str | Path | None) -> Path:
    """Where the text encoder is: where it was said to be, beside the checkpoint, or on the hub.

    Args:
        named: by the configuration.
        folder: of the checkpoint.
        given: a folder that was asked for in its place.

    Raises:
        ModelError: it is in none of these places, or names files outside itself, or code.
    """
    if given is not None:
        found = Path(given).expanduser()
        if not os.path.isdir(found):
            raise ModelError(
                f"there is no folder {given} of a text encoder: check the path of --text-encoder"
            )
    else:
        beside = next((folder / name for name in named.beside if os.path.isdir(folder / name)), None)
        found = _fetched(named) if beside is None else beside
    check_contained(found)
    return found


def files_of_model(configuration: Path, checkpoint: Path, text_encoder: Path) -> dict[str, Path]:
    """The files that tell a model from any other, by what they are; see `unheard.backbones.fingerprint`."""
    encoder = [file for pattern in FILES for file in sorted(text_encoder.glob(pattern))]
    return {
        "model_config.json": configuration,
        "checkpoint": checkpoint,
        **{f"text_encoder/{file.name}": file for file in encoder},
    }


def _fetched(named: NamedTextEncoder) -> Path:
    try:
        return fetch_text_encoder(named.repository, named.subfolder)
    except ModelError as error:
        called = f"{named.repository}/{named.subfolder}".rstrip("/")
        download = f"hf download {text_encoder_id(named.repository)}"
        if named.subfolder:
            download += f' --include "{named.subfolder}/*"'
        raise ModelError(
            f"the text encoder {called} is not on this machine and cannot be downloaded: run `{download}` "
            "where there is a network, or give its folder: --text-encoder"
        ) from error
