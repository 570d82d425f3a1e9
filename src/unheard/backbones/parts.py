"""The parts of a pipeline, read from the folder that its `save_pretrained` wrote: as data, and quietly."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unheard.backbones.contained import AS_DATA, reason
from unheard.errors import ModelError


@dataclass(frozen=True)
class Parts:
    """A pipeline's folder, whose parts are read one by one; each method gives one, or a `ModelError`.

    Nothing is fetched, nothing in the folder is run, and weights come from safetensors alone.

    Attributes:
        folder: the pipeline's.
        device: where networks shall be.
        dtype: the format of their weights, whatever they were saved in.
    """

    folder: Path
    device: torch.device
    dtype: torch.dtype

    def network(self, part: str, kind: Any) -> Any:
        """A model of diffusers, `kind` its class."""
        options = {"torch_dtype": self.dtype, "use_safetensors": True, "local_files_only": True}
        return self._read(part, lambda path: kind.from_pretrained(path, **options)).to(self.device)

    def text_encoder(self, part: str, kind: Any, **configuration: Any) -> Any:
        """A model of transformers, `kind` its class, with values in place of those of its configuration."""
        options = {"dtype": self.dtype, "use_safetensors": True, **AS_DATA, **configuration}
        return self._read(part, lambda path: kind.from_pretrained(path, **options)).to(self.device)

    def tokenizer(self, part: str, kind: Any) -> Any:
        """What cuts texts into tokens, `kind` its class."""
        return self._read(part, lambda path: kind.from_pretrained(path, **AS_DATA))

    def configuration(self, part: str, name: str) -> dict[str, Any]:
        """A JSON file of a part, for one that is not needed as a whole."""
        content: dict[str, Any] = self._read(
            part, lambda path: dict(json.loads((path / name).read_text(encoding="utf-8")))
        )
        return content

    def _read(self, part: str, read: Callable[[Path], Any]) -> Any:
        try:
            with quiet_loading():
                return read(self.folder / part)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a damaged configuration fails wherever the libraries first use it
            raise ModelError(f"cannot load {part} of the model {self.folder}: {reason(error)}") from error


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without the libraries' own progress bars, and without a deprecation warning that no user can act on."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*weight_norm.* is deprecated", category=FutureWarning)
            yield
    finally:
        if bars:
            logging.enable_progress_bar()
