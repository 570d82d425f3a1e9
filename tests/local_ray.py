"""Ray on this machine, for tests: its workers import what is tested here."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PATHS = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
START_PATIENCE = 300
"""Seconds in which all nodes have to be there."""


@contextmanager
def local_ray(processors: int, **variables: str) -> Iterator[None]:
    """Start it with so many processors and these environment variables in the workers; stop it at the end.

    The workers inherit the variables: as a runtime environment, they would have Ray start others than those
    that wait already. They are as urgent as the processes that run other tests beside them.
    """
    import ray

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": PATHS, "RAY_worker_niceness": "0", **variables}.items():
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


@contextmanager
def three_nodes(processors: int, **variables: str) -> Iterator[Any]:
    """A cluster of a head that works, too, and two nodes, each with so many processors; this is its driver.

    Ray gives a node half a minute to start, whatever else the machine does: a start that fails is repeated.
    """
    import ray
    from ray.cluster_utils import Cluster

    ray.shutdown()
    node = {"num_cpus": processors, "object_store_memory": 100 << 20}
    for last in (False, False, True):
        cluster = Cluster()
        try:
            cluster.add_node(wait=False, include_dashboard=False, **node)
            for _ in range(2):
                cluster.add_node(wait=False, **node)
            cluster.wait_for_nodes(timeout=START_PATIENCE)
            break
        except Exception:  # Ray's own, which has no class
            cluster.shutdown()
            if last:
                raise
    try:
        ray.init(
            cluster.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1", **variables}},
        )
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
