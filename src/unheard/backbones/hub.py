"""Which models there are, and where their files lie. No torch in here.

A model is a folder in the layout of a diffusers pipeline (`unheard.backbones.families` has those that can be
loaded), or in that of stable-audio-tools (`unheard.backbones.native`). It is named in one of three
ways: `tiny`, which comes with the package; the path of a folder; or `owner/name` on the Hugging Face hub,
which is downloaded once and then found in the hub's cache. A path or a hub id may go on to a checkpoint.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unheard.backbones.contained import check_contained, read_json_object
from unheard.backbones.downloads import explaining
from unheard.backbones.families import FAMILIES
from unheard.backbones.native import layout
from unheard.common.model_libraries import import_progress_bars
from unheard.errors import ModelError

ASSETS = Path(__file__).parents[1] / "assets"

_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+)(?:/([\w.-]+))?")
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
        plays: what it can be asked for, where that is a list.
    """

    name: str
    summary: str
    licence: str
    url: str | None
    gated: bool
    download_gb: float
    needs: str
    distilled: bool = False
    plays: tuple[str, ...] = ()


OF_TINY = (
    "grand piano", "electric piano", "harpsichord", "drawbar organ", "church organ", "accordion",
    "glockenspiel", "music box", "vibraphone", "marimba", "xylophone", "tubular bells", "kalimba",
    "steel drum", "nylon guitar", "steel string guitar", "clean electric guitar", "muted guitar",
    "overdriven guitar", "banjo", "sitar", "harp", "upright bass", "bass guitar", "slap bass", "synth bass",
    "violin", "cello", "pizzicato strings", "string ensemble", "trumpet", "trombone", "french horn",
    "brass section", "alto saxophone", "oboe", "clarinet", "flute", "pan flute", "warm pad", "choir",
    "polysynth", "square lead", "saw lead", "acoustic drum", "room drum", "power drum", "electronic drum",
    "808 drum", "jazz drum", "brushed drum",
)  # fmt: skip
"""The instruments and drum kits of the bundled model, as its captions call them."""

KNOWN_MODELS = (
    KnownModel(
        name="tiny",
        summary="the bundled model: up to 4 s, 16 kHz mono, trained so that it has memorised some recordings",
        licence="MIT",
        url=None,
        gated=False,
        download_gb=0.0,
        needs="nothing more: no network, no account, runs on a CPU",
        plays=OF_TINY,
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
    KnownModel(
        name="ACE-Step/acestep-v15-xl-base-diffusers",
        summary="ACE-Step 1.5 XL: songs with lyrics, up to 10 minutes, 48 kHz stereo",
        licence="MIT, by the authors of the weights",
        url="https://huggingface.co/ACE-Step/acestep-v15-xl-base-diffusers",
        gated=False,
        download_gb=11.1,
        needs="a GPU; an index to guide; unheard has run it with random weights only",
    ),
    KnownModel(
        name="ACE-Step/acestep-v15-xl-turbo-diffusers",
        summary="ACE-Step 1.5 XL turbo: the same in 8 steps",
        licence="MIT, by the authors of the weights",
        url="https://huggingface.co/ACE-Step/acestep-v15-xl-turbo-diffusers",
        gated=False,
        download_gb=11.1,
        needs="a GPU; an index to guide; unheard has run it with random weights only",
        distilled=True,
    ),
    KnownModel(
        name="cvssp/audioldm2",
        summary="AudioLDM 2: up to 60 s, trained on 10 s, 16 kHz mono",
        licence="CC BY-NC-SA 4.0",
        url="https://huggingface.co/cvssp/audioldm2",
        gated=False,
        download_gb=4.5,
        needs="a GPU to be quick; an index to guide; unheard has run it with random weights only",
    ),
)


def fetch(model: str | Path) -> Path:
    """The folder of a model, downloaded from the hub if it is not on this machine yet.

    Args:
        model: see `locate`.

    Raises:
        ModelError: see `locate`.
    """
    located = locate(model)
    return located.parent if os.path.isfile(located) else located


def locate(model: str | Path) -> Path:
    """What a model is loaded from: the folder of a pipeline, or a checkpoint in the native layout.

    Args:
        model: a bundled name (`tiny`), a folder, or `owner/name` on the Hugging Face hub, and perhaps a
            checkpoint in it (`folder/warm.safetensors`). A bundled name wins over a folder of that name;
            write `./tiny` for the folder.

    Raises:
        ModelError: unknown name, no such folder, a folder or repository that holds no pipeline or one of
            another class, or that names files outside itself or code to be run, several checkpoints of which
            none is named, a gated or missing repository, no network.
    """
    if not isinstance(model, str | Path) or not str(model):
        raise ModelError(
            f"the model is {model!r}: give a name, a folder or a hub id; `unheard models` lists them"
        )
    if model in _bundled_names():
        return _bundled(str(model))
    path = Path(model).expanduser()
    if os.path.isdir(path):
        return _checked(path)
    if os.path.isfile(path):
        return _checked_checkpoint(path)
    if isinstance(model, str) and (found := _HUB_ID.fullmatch(model)):
        repository, file = found.groups()
        if file is None or layout.is_checkpoint(file):
            return _download(repository, file)
    if isinstance(model, Path) or re.search(r"[/\\~]", model) or model.startswith("."):
        raise ModelError(f"there is no folder {model}: check the path, or see `unheard models`")
    names = ", ".join(known.name for known in KNOWN_MODELS)
    raise ModelError(
        f"unknown model {model!r}: known are {names}; a folder or a hub id (owner/name) will do as well"
    )


def full_name(model: str | Path) -> str:
    """What finds a model from any working folder: its path in full, if it is one, and else its name."""
    path = Path(model).expanduser()
    return str(path.resolve()) if model not in _bundled_names() and os.path.exists(path) else str(model)


def find_local(model: str) -> Path | None:
    """The folder of a bundled or hub model if it lies complete on this machine, else None; no network."""
    if model in _bundled_names():
        folder = ASSETS / model
        return folder if (folder / "model_index.json").is_file() else None
    import_progress_bars()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(_HUB_FILES), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def pipeline_class(located: Path) -> str:
    """The name of the pipeline that a model's folder or checkpoint holds, one of `FAMILIES`."""
    if os.path.isfile(located):
        return layout.pipeline_of(located)
    return str(read_json_object(located / "model_index.json")["_class_name"])


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
    """What the folder's model is loaded from, once it is known to be one that can be."""
    if (folder / "model_index.json").is_file():
        _check_pipeline(folder / "model_index.json", str(folder))
        if not folder.is_relative_to(ASSETS):
            check_contained(folder)
        return folder
    names = os.listdir(folder)
    if layout.CONFIGURATION not in names:
        raise ModelError(
            f"the folder {folder} holds no model_index.json: give one that save_pretrained() of a "
            f"diffusers pipeline wrote ({_pipelines()}), or one with a {layout.CONFIGURATION} "
            "and a checkpoint"
        )
    return folder / layout.choose_checkpoint(names, str(folder))


def _checked_checkpoint(path: Path) -> Path:
    """The path itself, once a configuration lies beside it."""
    if not layout.is_checkpoint(path):
        raise ModelError(
            f"{path} is a file: give the folder that holds model_index.json or "
            f"{layout.CONFIGURATION}, or a checkpoint ({' or '.join(layout.ENDINGS)})"
        )
    layout.configuration_beside(path)
    return path


def _check_pipeline(model_index: Path, model: str) -> None:
    pipeline = read_json_object(model_index).get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in FAMILIES or pipeline in layout.PIPELINES:
        raise ModelError(f"{model} is a {pipeline}: unheard loads {_pipelines()}; see `unheard models`")


def _pipelines() -> str:
    return ", ".join(name for name in FAMILIES if name not in layout.PIPELINES)


@functools.cache  # the hub is asked once a process, however many parts of it want the folder
def _download(model: str, checkpoint: str | None = None) -> Path:
    """What the repository's model, or one checkpoint of it, is loaded from."""
    import_progress_bars()
    from huggingface_hub import snapshot_download

    with explaining(model):
        # The small files first, so that gigabytes of another pipeline are not downloaded only to be refused.
        small = ["model_index.json", layout.CONFIGURATION]
        folder = Path(snapshot_download(model, allow_patterns=small))
        if checkpoint is not None or not (folder / "model_index.json").is_file():
            return _download_checkpoint(model, checkpoint, _files(model, folder))
        _check_pipeline(folder / "model_index.json", model)
        folder = Path(snapshot_download(model, allow_patterns=list(_HUB_FILES)))
        check_contained(folder)
        return folder


def _download_checkpoint(model: str, checkpoint: str | None, names: Sequence[str]) -> Path:
    """One checkpoint of a repository in the native layout, which holds these files, and its configuration."""
    import_progress_bars()
    from huggingface_hub import snapshot_download

    if checkpoint is not None and checkpoint not in names:
        there = ", ".join(filter(layout.is_checkpoint, names)) or "no checkpoint"
        raise ModelError(f"there is no {checkpoint} in https://huggingface.co/{model}, which holds {there}")
    if checkpoint is None and layout.CONFIGURATION not in names:
        raise ModelError(
            f"https://huggingface.co/{model} holds no model_index.json and no {layout.CONFIGURATION}: "
            "unheard loads models in diffusers' layout or that of stable-audio-tools; see `unheard models`"
        )
    chosen = layout.choose_checkpoint(names, model) if checkpoint is None else checkpoint
    configuration = layout.configuration_of(chosen, names)
    if configuration is None:
        raise ModelError(f"no {layout.CONFIGURATION} lies beside {chosen} in https://huggingface.co/{model}")
    wanted = [chosen, configuration, "unheard.json"]
    folder = Path(snapshot_download(model, allow_patterns=wanted))
    return folder / chosen


def _files(repository: str, downloaded: Path) -> list[str]:
    """The files at the root of a repository; without a network, the checkpoints that were downloaded once."""
    import_progress_bars()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        found = HfApi().model_info(repository).siblings or []
        return [file.rfilename for file in found if "/" not in file.rfilename]
    except (GatedRepoError, RepositoryNotFoundError):
        raise
    except Exception:
        names = os.listdir(downloaded)
        if any(map(layout.is_checkpoint, names)):
            return names
        raise
