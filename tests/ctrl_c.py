"""Programs under test that can be interrupted, whatever started the tests."""

from __future__ import annotations

import os
import signal
from typing import Any


def heeding() -> dict[str, Any]:
    """Options of `Popen`. Shells start jobs in the background deaf to Ctrl-C, and programs inherit that."""
    if os.name == "nt":
        return {}
    return {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
