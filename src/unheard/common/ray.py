"""A Ray cluster: joined or started, and what goes wrong with it in one line."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from unheard.errors import InputError, UnheardError

CONNECTION_PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""


def work_in(folder: str) -> None:
    """Where relative paths mean what they mean to whoever started it; absolute ones do without."""
    with suppress(OSError):
        os.chdir(folder)


@contextmanager
def cluster(address: str | None, doing: str) -> Iterator[ModuleType]:
    """Ray, connected, and what goes wrong with it as one line.

    Where Ray runs in this process already, that is used. Else the cluster at the address, or that of
    `RAY_ADDRESS`, is joined; without either, Ray is started on this machine and stopped at the end.

    Args:
        address: of a cluster, such as `head:6379`, or `auto` for the one that this machine belongs to.
        doing: what is done on it, such as "the build", for messages.

    Raises:
        InputError: Ray is not installed, does not answer, or failed.
    """
    ray = ray_module(doing)
    own = not ray.is_initialized()
    try:
        if own:
            _connect(ray, address or os.environ.get("RAY_ADDRESS") or "local")
        yield ray
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, UnheardError):
            raise cause from error
        raise InputError(
            f"{doing} on Ray failed: {_last_line(error)}; what was finished is kept, run it again to go on"
        ) from error
    finally:
        if own:
            ray.shutdown()


def _connect(ray: ModuleType, address: str) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        _knock(address)
        with _without_standard_error():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # what Ray raises here has no class of its own
        raise InputError(
            f"cannot use Ray at {address!r}: {_last_line(error)}; start a cluster with `ray start --head`, "
            "or leave the address out to work on this machine"
        ) from error


def _knock(address: str) -> None:
    """Raise OSError if nothing answers at host:port; Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and "://" not in address and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECTION_PATIENCE).close()


@contextmanager
def _without_standard_error() -> Iterator[None]:
    """Ray's core writes notices there, past all of Python's logging; what goes wrong is raised besides."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().rstrip(".")


def ray_module(doing: str) -> ModuleType:
    """Ray, imported; raises InputError where it is not installed."""
    try:
        import ray.data
    except ImportError as error:
        raise InputError(
            f'{doing} with Ray needs ray ({error}); install it with `pip install "unheard[ray]"`'
        ) from error
    return ray
