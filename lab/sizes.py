"""The one dial of the laboratory: `smoke` (for the tests), `cpu` (hours on two cores), `gpu` (minutes).

All sizes make the same networks but `smoke`, whose networks are small enough to be thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
LENGTH = 65_536  # samples: 4.096 s
HOP = 512
FRAMES = LENGTH // HOP  # 128 latent frames
LATENT_CHANNELS = {"smoke": 2, "cpu": 24, "gpu": 24}
RETRIEVAL_POOL = 100  # captions among which the right one is to be found
NAMES = ("smoke", "cpu", "gpu")


@dataclass(frozen=True)
class Training:
    """How long and how fast one network is trained."""

    steps: int
    batch: int
    learning_rate: float
    restarts: tuple[int, ...] = ()  # steps at which the rate starts over (Loshchilov and Hutter 2017)


SMOKE = Training(2, 4, 1e-3)
"""Two steps of a world's training, to see that it runs."""
VAE = {
    "smoke": Training(2, 2, 5e-4),
    "cpu": Training(4_200, 4, 6e-4),
    "gpu": Training(20_000, 16, 6e-4),
}
CLAP = {
    "smoke": Training(2, 8, 1e-3),
    "cpu": Training(1_300, 64, 1.5e-3),
    "gpu": Training(4_000, 256, 1.5e-3),
}
DIFFUSION = {
    "smoke": Training(2, 8, 1e-3),
    "cpu": Training(6_500, 16, 1e-3, restarts=(4_600,)),
    "gpu": Training(12_000, 64, 1e-3),
}
JUDGE = {
    "smoke": Training(2, 8, 1e-3),
    "cpu": Training(1_400, 64, 1.5e-3),
    "gpu": Training(6_000, 256, 1.5e-3),
}
LISTENER = {
    "smoke": Training(2, 8, 1e-3),
    "cpu": Training(1_350, 64, 3e-3),
    "gpu": Training(6_000, 256, 3e-3),
}
