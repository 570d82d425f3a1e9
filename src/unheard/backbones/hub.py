"""Which models there are, and where their files lie. No torch in here.

A model is a folder in the layout of a diffusers pipeline (`unheard.backbones.families` has those that can be
loaded). It is named in one of three ways: `tiny`, which comes with the package; the path of a folder; or
`owner/name` on the Hugging Face hub, which is downloaded once and then found in the hub's cache.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unheard.backbones.contained import check_contained
from unheard.backbones.families import FAMILIES
from unheard.common.structured_files import read_json
from unheard.errors import ModelError

ASSETS = Path(__file__).parents[1] / "assets"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# A repository may hold the same weights for other software at its root: gigabytes that are not needed here.
_HUB_FILES = ("*.json", "*/*.safetensors", "*/*.model", "*/*.txt")


@dataclass(frozen=True)
class KnownModel:
    """A model that is known to work, and what it asks of whoever wants to use it.

    Attributes:
        name: what to give as model.
        summary: what it makes, in one line.
        licence: the licence of its weights.
        url: the page with the licence; None for the model that comes with the package.
        gated: True when an account must have accepted the licence on `url` before the download.
        download_gb: size of the first download in gigabytes, 0 for the model that comes with the package.
        needs: what it needs to run, in one line.
        distilled: whether its weights were made to run at guidance scale 1.
    """

    name: str
    summary: str
    licence: str
    url: str | None
    gated: bool
    download_gb: float
    needs: str
    distilled: bool = False


KNOWN_MODELS = (
    KnownModel(
        name="tiny",
        summary="the bundled model: up to 4 s, 16 kHz mono, trained so that it has memorised some recordings",
        licence="MIT",
        url=None,
        gated=False,
        download_gb=0.0,
        needs="nothing more: no network, no account, runs on a CPU",
    ),
    KnownModel(
        name="stabilityai/stable-audio-open-1.0",
        summary="Stable Audio Open 1.0: up to 47 s, 44.1 kHz stereo",
        licence="Stability AI Community License",
        url="https://huggingface.co/stabilityai/stable-audio-open-1.0",
        gated=True,
        download_gb=5.3,
        needs="an account that accepted the licence, `hf auth login`; a GPU to be quick; an index to guide",
    ),
    KnownModel(
        name="ruixiangma/LongCat-AudioDiT-1B-Diffusers",
        summary="LongCat-AudioDiT 1B, for speech above all: up to 30 s, 24 kHz mono",
        licence="MIT, by the authors of the weights",
        url="https://huggingface.co/ruixiangma/LongCat-AudioDiT-1B-Diffusers",
        gated=False,
        download_gb=5.7,
        needs="a GPU to be quick; an index to guide; unheard has run it with random weights only",
    ),
)


def fetch(model: str | Path) -> Path:
    """The folder of a model, downloaded from the hub if it is not on this machine yet.

    Args:
        model: a bundled name (`tiny`), a folder, or `owner/name` on the Hugging Face hub. A bundled name wins
            over a folder of that name; write `./tiny` for the folder.

    Raises:
        ModelError: unknown name, no such folder, a folder or repository that holds no pipeline or one of
            another class, or that names files outside itself or code to be run, a gated or missing
            repository, no network.
    """
    if not isinstance(model, str | Path) or not str(model):
        raise ModelError(
            f"the model is {model!r}: give a name, a folder or a hub id; `unheard models` lists them"
        )
    if model in _bundled_names():
        return _bundled(str(model))
    folder = Path(model).expanduser()
    if os.path.isdir(folder):
        return _checked(folder)
    if os.path.isfile(folder):
        raise ModelError(f"{model} is a file: give the folder that holds model_index.json")
    if isinstance(model, str) and _HUB_ID.fullmatch(model):
        return _download(model)
    if isinstance(model, Path) or re.search(r"[/\\~]", model) or model.startswith("."):
        raise ModelError(f"there is no folder {model}: check the path, or see `unheard models`")
    names = ", ".join(known.name for known in KNOWN_MODELS)
    raise ModelError(
        f"unknown model {model!r}: known are {names}; a folder or a hub id (owner/name) will do as well"
    )


def find_local(model: str) -> Path | None:
    """The folder of a bundled or hub model if it lies complete on this machine, else None; no network."""
    if model in _bundled_names():
        folder = ASSETS / model
        return folder if (folder / "model_index.json").is_file() else None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(_HUB_FILES), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def pipeline_class(folder: Path) -> str:
    """The name of the diffusers pipeline that a model's folder holds, one of `FAMILIES`."""
    return str(read_json_object(folder / "model_index.json")["_class_name"])


def _bundled_names() -> list[str]:
    return [known.name for known in KNOWN_MODELS if known.url is None]


def _bundled(name: str) -> Path:
    folder = ASSETS / name
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            f"the bundled model {name!r} is not in this installation ({folder} is missing or empty): "
            "install the package again, or make the model with the scripts in lab/"
        )
    return _checked(folder)


def _checked(folder: Path) -> Path:
    """The folder itself, once its model_index.json names a pipeline that can be loaded."""
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            f"the folder {folder} holds no model_index.json: give one that save_pretrained() of a "
            f"diffusers pipeline wrote ({', '.join(FAMILIES)})"
        )
    _check_pipeline(folder / "model_index.json", str(folder))
    if not folder.is_relative_to(ASSETS):
        check_contained(folder)
    return folder


def _check_pipeline(model_index: Path, model: str) -> None:
    pipeline = read_json_object(model_index).get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in FAMILIES:
        raise ModelError(
            f"{model} is a {pipeline}: unheard loads {', '.join(FAMILIES)}; see `unheard models`"
        )


@functools.cache  # the hub is asked once a process, however many parts of it want the folder
def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    page = f"https://huggingface.co/{model}"
    try:
        # The small file first, so that gigabytes of another pipeline are not downloaded only to be refused.
        model_index = Path(snapshot_download(model, allow_patterns=["model_index.json"])) / "model_index.json"
        if not model_index.is_file():
            raise ModelError(
                f"{page} holds no model_index.json: unheard loads models in diffusers' layout; "
                "see `unheard models`"
            )
        _check_pipeline(model_index, model)
        folder = Path(snapshot_download(model, allow_patterns=list(_HUB_FILES)))
        check_contained(folder)
        return folder
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
        raise ModelError(f"{model} cannot be downloaded: {_first_line(error)}") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """A file of a model that holds a JSON object; ModelError if it does not."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}: it must hold a JSON object")
    return content


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
