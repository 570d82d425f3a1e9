"""A decoder on a Ray worker that some sounds kill, as a crash in a codec would."""

from __future__ import annotations

import os
import signal
from typing import Any

from unheard.index.building import decoding, workers
from unheard.index.building.ray import _Decoder


def decode(job: decoding.Job) -> Any:
    if "killer" in job.recording.source:
        os.kill(os.getpid(), signal.SIGKILL)
    return decoding.decode(job)


class DeadlyDecoder(_Decoder):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        workers.decode = decode
