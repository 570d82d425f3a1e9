"""Ray on this machine, for tests: its workers import what is tested here."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def local_ray(processors: int, **variables: str) -> Iterator[None]:
    """Start it with so many processors and these environment variables in the workers; stop it at the end."""
    import ray

    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    ray.init(
        "local",
        num_cpus=processors,
        object_store_memory=processors * 100 << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": path, **variables}},
    )
    yield
    ray.shutdown()
