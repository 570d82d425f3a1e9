"""Fixtures that several test files share, and how the tests are spread over processes."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from unheard.common.model_libraries import defer_unused_parts

# Before torch is loaded: a second thread gains nothing on networks as small as the tests', and takes a
# processor from the process beside it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

TOGETHER = {
    "test_ray.py": "Ray",
    "studio/": "studio",
    "evaluation/": "forks",
    "test_interruption.py": "forks",
    "test_process.py": "forks",
}
"""Files that one process runs: Ray, Gradio, the small experiment and what is forked are made ready once."""

LONGEST = (
    *TOGETHER,
    "test_every_family.py",
    "test_report_in_a_browser.py",
    "test_at_once.py",
    "test_auditor.py",
    "test_library.py",
    "test_model.py",
    "test_detour.py",
    "test_fingerprint_cache.py",
)
"""What begins first, the longest at the head: no process is left alone with one of them at the end."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Processes among which the tests are divided: as many as cores for the whole suite.

    One more would fill what Ray, a browser and builds that are killed wait, and costs more: each imports and
    loads all of it anew. None for files and tests that are named: they begin sooner without, and a debugger
    and `-s` reach them.
    """
    return cores() if config.args_source is config.ArgsSource.TESTPATHS else 0


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays in one process, which prepares once what its tests share; so does what is `TOGETHER`."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((group for part, group in TOGETHER.items() if f"/{part}" in file), file)

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.nodeid.partition("::")[0]))


def _turn(file: str) -> int:
    """When a file begins, beside the others."""
    return next((turn for turn, part in enumerate(LONGEST) if f"/{part}" in file), len(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is imported and collected stays: looking through it for garbage takes .3 s each time.

    The model libraries are imported as when a model is loaded, not as the first test file would by itself.
    """
    gc.disable()
    if not session.config.pluginmanager.hasplugin("dsession"):  # else it has others collect
        defer_unused_parts()
    collected = yield
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000)
    return collected


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model folder with guide, index and unheard.json. Do not write to it."""
    from tiny_world import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("world") / "model")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_folder: Path) -> Any:
    """That model, loaded. Do not change it."""
    import unheard

    return unheard.load(tiny_model_folder)


@pytest.fixture(scope="session")
def bundled() -> Any:
    """The bundled model, loaded. Do not change it."""
    import unheard

    return unheard.load("tiny", device="cpu")


@pytest.fixture(scope="session")
def tiny_clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ClapModel folder with feature extractor and tokenizer. Do not write to it."""
    from tiny_world import build_tiny_clap

    return build_tiny_clap(tmp_path_factory.mktemp("world") / "clap")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray on two processors, whose workers import what is tested here and compute with as many threads."""
    import torch
    from local_ray import local_ray

    threads, cache = str(torch.get_num_threads()), str(tmp_path_factory.mktemp("cache"))
    with local_ray(2, OMP_NUM_THREADS=threads, XDG_CACHE_HOME=cache):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """The cluster ends with the last file on Ray: it takes a tenth of a core, work or no work."""
    yield
    files = [test.path.name for test in (item, nextitem) if test is not None]
    if files[0] == "test_ray.py" and files[1:] != files[:1]:
        import ray

        ray.shutdown()
