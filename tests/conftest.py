"""Fixtures that several test files share, and how the tests are spread over processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is loaded: a second thread gains nothing on networks as small as the tests', and takes a
# processor from the process beside it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ONCE = {"browser", "cluster", "forked_builds", "world"}
"""Fixtures so dear that they are made in one process only: the tests that use one stay together."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Processes of `-n auto`: a core each for the whole suite; none for files and tests that were named.

    Those begin sooner without, and a debugger and `-s` reach them.
    """
    return None if config.args_source is config.ArgsSource.TESTPATHS else 0


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in ONCE.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(fixture))


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model folder with guide, index and unheard.json. Do not write to it."""
    from tiny_world import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("world") / "model")


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
