"""A decoder that crashes of one file; a module of its own, so that worker processes import little else."""

from __future__ import annotations

import os
import signal

from unheard.index.building.decoding import Decoded, Job, Unchanged, decode
from unheard.index.building.recording import Reject


def die_of_killers(job: Job) -> Decoded | Unchanged | Reject:
    if "killer" in job.recording.source:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(job)
