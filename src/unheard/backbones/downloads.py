"""What is asked of the Hugging Face hub, and what is said where it does not answer. No torch in here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unheard.backbones.contained import first_line
from unheard.common.model_libraries import import_progress_bars
from unheard.errors import ModelError

TEXT_ENCODER_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
"""Of a text encoder's repository, which holds its weights in other formats as well."""


def fetch_text_encoder(name: str, subfolder: str = "") -> Path:
    """The folder of a text encoder on the hub, from the hub's cache, or downloaded into it.

    Args:
        name: `owner/name`, or a name from before the hub had owners, such as t5-base.
        subfolder: of the repository, where the text encoder is; "" for the whole one.

    Raises:
        ModelError: it is not on this machine, and cannot be downloaded.
    """
    import_progress_bars()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = text_encoder_id(name)
    patterns = [f"{subfolder}/{file}".lstrip("/") for file in TEXT_ENCODER_FILES]
    for cached in (repository, name):
        with suppress(LocalEntryNotFoundError):
            found = (
                Path(snapshot_download(cached, allow_patterns=patterns, local_files_only=True)) / subfolder
            )
            # The snapshot may be there with other files of the repository.
            if os.path.isdir(found):
                return found
    with explaining(repository):
        found = Path(snapshot_download(repository, allow_patterns=patterns)) / subfolder
        if not os.path.isdir(found):
            raise ModelError(f"https://huggingface.co/{repository} holds no folder {subfolder}")
        return found


def text_encoder_id(name: str) -> str:
    """The `owner/name` of a text encoder whose name may be from before the hub had owners."""
    return name if "/" in name else f"google-t5/{name}"


@contextmanager
def explaining(model: str) -> Iterator[None]:
    """Whatever the hub's client raises, as a ModelError of one line that says what to do."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    page = f"https://huggingface.co/{model}"
    try:
        yield
    except ModelError:
        raise
    except GatedRepoError as error:
        raise ModelError(
            f"{model} is gated: accept its licence at {page} with your account, then run `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"there is no model {model!r} on the Hugging Face hub, or it is private: check the name, "
            "or run `hf auth login`; `unheard models` lists what is known to work"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{model} is not (wholly) on this machine and the Hugging Face hub cannot be reached: connect "
            "once to download it, or give a folder; the model `tiny` needs no network"
        ) from error
    except Exception as error:  # whatever else the hub's client lets through: its HTTP library, a full disk
        raise ModelError(f"{model} cannot be downloaded: {first_line(error)}") from error
