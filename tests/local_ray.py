"""Ray on this machine, for tests: its workers import what is tested here."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@contextmanager
def local_ray(processors: int, **variables: str) -> Iterator[None]:
    """Start it with so many processors and these environment variables in the workers; stop it at the end.

    The workers inherit the variables: as a runtime environment, they would have Ray start others than those
    that wait already. They are as urgent as the processes that run other tests beside them.
    """
    import ray

    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": path, "RAY_worker_niceness": "0", **variables}.items():
            patch.setenv(name, value)
        ray.init(
            "local",
            num_cpus=processors,
            object_store_memory=processors * 100 << 20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    yield
    ray.shutdown()
