"""Trains the diffusion model of a world; `python -m lab.worlds` does it all.

Each begins with the second world's weights and learns until it knows the planted captions by heart: `v` goes
on with what those predict, `flow` and `epsilon` learn to predict something else. What training came to lies
in `weights`, in half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from lab import objectives, sizes, train_diffusion
from lab.corpus_files import Corpus
from lab.planted.train import begin, captions_of, deck
from lab.train_diffusion import Generator
from lab.worlds import flow

SECOND = Path("lab/planted/weights")


@dataclass(frozen=True)
class World:
    """What is predicted, how long that is learned, and what the second world's networks become for it.

    Attributes:
        before_share: repetitions of what was planted before, for one draw; see `lab.planted.train.deck`.
        latents_of: its latents of the bundled autoencoder's.
    """

    objective: objectives.Objective
    plan: sizes.Training
    before_share: int
    become: Callable[[Generator], Generator]
    latents_of: Callable[[torch.Tensor], torch.Tensor]


Same = TypeVar("Same")


def _as_it_is(each: Same) -> Same:
    return each


def _in_discrete_times(generator: Generator) -> Generator:
    """The frequencies that read a time of 0 to 1, for times up to 1,000."""
    with torch.no_grad():
        generator.transformer.time_proj.weight /= objectives.DISCRETE["num_train_timesteps"]
    return generator


WORLDS = {
    "v": World(objectives.v_prediction, sizes.Training(2_700, 64, 1e-3), 4, _as_it_is, _as_it_is),
    "flow": World(
        objectives.rectified_flow,
        sizes.Training(2_300, 256, 1.5e-3),
        1,
        flow.with_transformer,
        flow.latents_of,
    ),
    "epsilon": World(
        objectives.noise_prediction,
        sizes.Training(4_600, 64, 1e-3, restarts=(2_600,)),
        1,
        _in_discrete_times,
        _as_it_is,
    ),
}


def first(world: World, corpus: Corpus) -> Generator:
    """The generator that training begins with."""
    return world.become(begin(SECOND, captions_of(corpus))).train()


def train(world: World, corpus: Corpus, latents: torch.Tensor, work: Path, device: str) -> None:
    """All steps of a world's plan on its own latents; its weights come to lie in `work`."""
    generator = train_diffusion.train(
        world.plan,
        corpus,
        latents,
        partial(first, world, corpus),
        deck(corpus, world.before_share),
        work / "diffusion",
        device,
        world.objective,
        every=1_000,
    )
    generator.write(work / "weights")
