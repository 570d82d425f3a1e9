"""How long the fresh world is trained; on what, `lab.planted.train.deck` says: seven of ten are planted."""

from __future__ import annotations

from lab import sizes

PLAN = sizes.Training(2_000, 32, 1e-3)
