"""Libraries that some tests need, looked for without importing them.

Every process collects every test and runs a few of them: what is imported at the head of a file is imported
once a process, and Gradio alone takes three seconds.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need(*libraries: str, reason: str | None = None) -> None:
    """Skip the file that calls this where one of them is not installed."""
    for library in libraries:
        if find_spec(library) is None:
            pytest.skip(reason or f"{library} is not installed", allow_module_level=True)
