"""Tensors from a file, in safetensors or as PyTorch saved them; nothing that the file holds is run."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from unheard.backbones.contained import reason
from unheard.errors import ModelError


def read_tensors(path: Path, called: str, instead: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file by their names, and what it says besides: metadata, or its other content.

    Args:
        path: of the file; of a `*.safetensors`, or of anything that PyTorch saved.
        called: what it is to the user, for messages.
        instead: what the user can do if it cannot be read.

    Raises:
        ModelError: it cannot be read, or needs more than `weights_only` allows.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no dictionary
                return tensors, dict(file.metadata() or {})
        mapped = zipfile.is_zipfile(path)  # what older versions of PyTorch saved cannot be
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        state = content.get("state_dict", content)
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        return tensors, {name: value for name, value in content.items() if name not in tensors}
    except Exception as error:  # whatever a damaged file makes safetensors and the unpickler raise
        raise ModelError(
            f"cannot read {called} without running what is in it, or at all ({reason(error)}): {instead}"
        ) from error
