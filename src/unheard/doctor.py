"""What this machine has and lacks, for which model or extra, with the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from unheard.backbones import hub
from unheard.common.texts import plural
from unheard.embedders import DEFAULT_EMBEDDER

TESTED = {
    "torch": "2.13.0",
    "diffusers": "0.42.1",
    "transformers": "5.23.0",
    "accelerate": "1.15.0",
    "safetensors": "0.8.0",
    "huggingface-hub": "2.4.0",
    "torchsde": "0.2.6",
    "julius": "0.2.8",
    "soundfile": "0.14.0",
    "soxr": "1.1.0",
    "numpy": "2.4.6",
    "orjson": "3.13.0",
    "click": "8.5.1",
    "rich": "15.0.0",
    "lancedb": "0.40.0",
    "pyarrow": "26.0.1",
    "braceexpand": "0.1.7",
    "fsspec": "2026.9.0",
    "scipy": "1.17.1",
    "datasketch": "2.0.0",
    "tqdm": "4.70.1",
}
"""The dependencies, and the versions that this release was tested with, as in constraints.txt."""
TESTED_EXTRAS = {
    "ray": {"ray": "2.60.0"},
    "evaluate": {"matplotlib": "3.11.2", "optuna": "5.0.0"},
    "av": {"av": "18.1.0"},
    "studio": {"gradio": "6.31.0"},
    "notebooks": {"ipykernel": "7.4.0", "nbclient": "0.11.0"},
}
"""The same of what an extra brings, by the extra's name."""

OLDEST_PYTHON = (3, 11)
EVERY_MODEL = "every model"
HUB_MODELS = "models on the hub"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: "ok"; "note" if it differs from what was tested; "lacks" if something will fail.
        subject: what was looked at.
        found: what was found.
        needed_by: the model, or the extra, that needs it.
        mend: the command that mends it, or None where there is nothing to mend.
    """

    state: Literal["ok", "note", "lacks"]
    subject: str
    found: str
    needed_by: str = EVERY_MODEL
    mend: str | None = None


def examine() -> list[Finding]:
    """Look at everything, from the interpreter up. Asks no network."""
    findings = [_python(), *_packages(), *_libraries(), _memory(), _bundled_model()]
    return [*findings, *_hub_models([known for known in hub.KNOWN_MODELS if known.url is not None])]


def _python() -> Finding:
    found = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("ok", "Python", found)
    needed = ".".join(map(str, OLDEST_PYTHON))
    return Finding("lacks", "Python", f"{found}, needs {needed}", mend=f"python{needed} -m venv .venv")


def _packages() -> Iterator[Finding]:
    for package, tested in TESTED.items():
        found = _package(package, tested, EVERY_MODEL)
        yield found or Finding("lacks", package, "not installed", mend=_install(package, tested))
    for extra, packages in TESTED_EXTRAS.items():
        needed_by, mend = f"unheard[{extra}]", f'pip install "unheard[{extra}]"'
        for package, tested in packages.items():
            found = _package(package, tested, needed_by)
            yield found or Finding("note", package, "not installed", needed_by, mend)


def _package(name: str, tested: str, needed_by: str) -> Finding | None:
    """An installed package, and whether it has the version that was tested; None if it is not installed."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return None
    if found.split("+")[0] == tested:  # 2.13.0+cpu is 2.13.0 built for CPUs
        return Finding("ok", name, found, needed_by)
    return Finding("note", name, f"{found}, tested with {tested}", needed_by, _install(name, tested))


def _install(package: str, version: str) -> str:
    return f'pip install "{package}=={version}"'


def _libraries() -> Iterator[Finding]:
    """What has to load, not only be installed: torch with its devices, and libsndfile."""
    try:
        yield _device()
    except (ImportError, OSError) as error:
        mend = f"pip install --force-reinstall torch=={TESTED['torch']}"
        yield Finding("lacks", "device", f"torch does not load: {error}", mend=mend)
    try:
        import soundfile
    except (ImportError, OSError) as error:
        yield Finding("lacks", "libsndfile", f"does not load: {error}", mend="apt install libsndfile1")
    else:
        yield Finding("ok", "libsndfile", soundfile.__libsndfile_version__)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        gigabytes = torch.cuda.get_device_properties(0).total_memory / 1e9
        return Finding("ok", "device", f"cuda: {torch.cuda.get_device_name(0)}, {gigabytes:.0f} GB")
    if torch.backends.mps.is_available():
        return Finding("ok", "device", "mps")
    found = f"cpu: {plural(os.cpu_count() or 1, 'core')}, {plural(torch.get_num_threads(), 'thread')}"
    return Finding("ok", "device", f"{found}; enough for tiny, slow for Stable Audio Open")


def _memory() -> Finding:
    try:
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # no such question on Windows
        return Finding("note", "memory", "unknown")
    return Finding("ok", "memory", f"{gigabytes:.0f} GB")


def _bundled_model() -> Finding:
    folder = hub.find_local("tiny")
    if folder is not None:
        return Finding("ok", "model tiny", str(folder), needed_by="tiny")
    mend = "pip install --force-reinstall --no-deps unheard   # in the folder of the source: -e ."
    return Finding("lacks", "model tiny", f"not in {hub.ASSETS}", needed_by="tiny", mend=mend)


def _hub_models(models: Sequence[hub.KnownModel]) -> Iterator[Finding]:
    """Models on the hub, the embedder they are used with, the account, and room for the downloads."""
    try:
        import huggingface_hub
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:  # which `_packages` has told
        return

    cache = Path(HF_HUB_CACHE)
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    yield _hub_embedder(DEFAULT_EMBEDDER, cache, HUB_MODELS)
    gated = False
    for known in models:
        if hub.find_local(known.name) is not None:
            yield Finding("ok", f"model {known.name}", "in the hub's cache", needed_by=known.name)
            continue
        gated |= known.gated
        mend = f"hf download {known.name}   # licence: {known.url}"
        yield Finding("lacks", f"model {known.name}", "not downloaded", known.name, mend)
        found = f"{free:.0f} GB free in {existing}, the download takes {known.download_gb:.1f} GB"
        if free < known.download_gb:
            yield Finding("lacks", "disk", found, known.name, "export HF_HOME=/a/larger/disk")
        else:
            yield Finding("ok", "disk", found, known.name)
    if gated and huggingface_hub.get_token() is None:
        yield Finding("lacks", "hub login", "no token", "gated models", "hf auth login")
    elif gated:
        yield Finding("ok", "hub login", "a token is stored", "gated models")


def _hub_embedder(name: str, cache: Path, needed_by: str) -> Finding:
    # Any revision will do: the safetensors of some models lie on another than the main one.
    folder = cache / f"models--{name.replace('/', '--')}"
    if any(folder.glob("snapshots/*/model*.safetensors")):
        return Finding("ok", f"embedder {name}", "in the hub's cache", needed_by)
    mend = f"python -c \"from unheard.embedders import load_embedder; load_embedder('{name}')\""
    return Finding("lacks", f"embedder {name}", "not downloaded", needed_by, mend)
