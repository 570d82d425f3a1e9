"""`unheard train-gate`: a gate head for a model, so that AMG need not decode where its gate stays shut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.cli.options import (
    OF_MODEL,
    environment,
    loading_options,
    model_option,
    overwrite_option,
    quiet_option,
)
from unheard.cli.progress import Display
from unheard.cli.targets import Target, check_targets, inputs_of_model
from unheard.cli.terminal import say
from unheard.common.files import check_data_folder, make_data_folder
from unheard.common.imports import importing

if TYPE_CHECKING:
    from unheard.guidance.amg.gate_head import Fit


@click.command("train-gate")
@model_option()
@click.option(
    "--index", metavar="PATH", **environment("INDEX"), help=f"Training set whose captions are used.{OF_MODEL}"
)
@click.option("--duration", type=float, metavar="S", help=f"Seconds of the sounds that it is for.{OF_MODEL}")
@click.option(
    "--sounds", type=int, default=300, show_default=True, metavar="N", help="Trajectories to learn from."
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of captions and noise.")
@loading_options
@click.option(
    "-o", "--output", metavar="FILE", help="Safetensors to write.  [default: where `generate` looks]"
)
@overwrite_option()
@quiet_option()
def train_gate(
    model: str,
    index: str | None,
    duration: float | None,
    sounds: int,
    seed: int,
    lora: tuple[tuple[str, float], ...] | None,
    text_encoder: str | None,
    embedder: str | None,
    device: str,
    dtype: str | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Train a gate head, which foresees where AMG's gate stays shut.

    A small network learns from plain trajectories what decoder and embedder make of a prediction. Where it
    sees the similarity below the threshold by more than its margin, `generate --guidance amg --gate-head`
    decodes nothing. The margin is set on captions that it was not trained on, and counted on others.

    \b
    Examples:
      unheard train-gate --model ./my-model --index my-index
      unheard train-gate --model ./my-model --duration 47 --output my-model/gate_head.safetensors
    """
    if output is not None:
        read = inputs_of_model(model, index, lora, text_encoder, embedder)
        check_targets([Target(Path(output))], read, overwrite=overwrite)
    display = Display()
    with display.loading(model):
        with importing():
            from unheard.generation.gate_heads import kept, training
            from unheard.generation.model import load
            from unheard.guidance.amg import gate_head
        if output is None:
            check_data_folder(kept.KEPT_IN, "a gate head")
        changed: dict[str, Any] = {"lora": lora, "text_encoder": text_encoder}
        changed = {name: value for name, value in changed.items() if value is not None}
        loaded = load(model, device=device, dtype=dtype, embedder=embedder, **changed)
    with display.counting("step") as progress:
        head, fit = training.train(
            loaded,
            "auto" if index is None else index,
            duration=duration,
            sounds=sounds,
            seed=seed,
            progress=progress,
        )
    if output is None:
        make_data_folder(kept.KEPT_IN, "a gate head")
        path = kept.own_path(fit.fingerprint, fit.embedder, fit.duration)
    else:
        path = Path(output)
    gate_head.write(path, head, fit)
    say(*_lines(fit), f"{path}: gate head for {fit.duration:g} s")


def _lines(fit: Fit) -> Iterator[str]:
    """What came of it, in words."""
    from unheard.common.intervals import clopper_pearson

    low, high = clopper_pearson(fit.beyond, fit.tested)
    yield f"trained on {fit.trained:,} predictions, margin {fit.margin:.3f} from {fit.calibrated:,} others"
    yield (
        f"beyond the margin: {fit.beyond:,} of {fit.tested:,} further ones "
        f"({100 * fit.beyond / fit.tested:.2f} %, {100 * low:.2f} to {100 * high:.2f} at 95 %)"
    )
