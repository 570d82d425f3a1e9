"""Training that can be stopped at any moment and run again: a safetensors and a JSON file a network.

What a loop draws is drawn from its step, so that a run that was stopped goes on as it would have.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file


class Checkpoint:
    """State of a training run under `folder`: tensors, the step reached, and the log of what was measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step = 0
        self.log: list[dict] = []
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self, **parts: torch.nn.Module | torch.optim.Optimizer) -> None:
        """Bring modules and optimizers to where the last `record` left them; nothing if there was none."""
        if state := self.load():
            unpack(state, **parts)

    def record(self, entry: dict, **parts: torch.nn.Module | torch.optim.Optimizer) -> None:
        """Log and print what was measured at `entry["step"]`, and save modules and optimizers."""
        self.log.append(entry)
        print({name: round(x, 3) if isinstance(x, float) else x for name, x in entry.items()}, flush=True)
        self.save(entry["step"], pack(**parts))

    def load(self) -> dict[str, torch.Tensor] | None:
        """The tensors of the last `save`, None where there is none."""
        if not (self.folder / "state.json").is_file():
            return None
        state = json.loads((self.folder / "state.json").read_text())
        self.step, self.log = state["step"], state["log"]
        return load_file(self.folder / f"state-{self.step}.safetensors")

    def save(self, step: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Written beside the last one and renamed, so that a cut-off save leaves the last one whole."""
        previous, self.step = self.step, step
        on_cpu = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        save_file(on_cpu, self.folder / f"state-{step}.safetensors")
        scratch = self.folder / "state.json.new"
        scratch.write_text(json.dumps({"step": step, "log": self.log}, indent=1))
        os.replace(scratch, self.folder / "state.json")
        if previous != step:
            (self.folder / f"state-{previous}.safetensors").unlink(missing_ok=True)


def pack(**parts: torch.nn.Module | torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Modules and optimizers as one flat dictionary of tensors, cloned: tied weights are written whole."""
    flat: dict[str, torch.Tensor] = {}
    for name, part in parts.items():
        if isinstance(part, torch.optim.Optimizer):
            for index, state in part.state_dict()["state"].items():
                flat |= {f"{name}/{index}/{key}": torch.as_tensor(x).clone() for key, x in state.items()}
        else:
            flat |= {f"{name}/{key}": value.clone() for key, value in part.state_dict().items()}
    return flat


def unpack(flat: Mapping[str, torch.Tensor], **parts: torch.nn.Module | torch.optim.Optimizer) -> None:
    """The inverse of `pack`."""
    for name, part in parts.items():
        prefix = f"{name}/"
        own = {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
        if isinstance(part, torch.optim.Optimizer):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in own.items():
                index, entry = key.split("/", 1)
                state.setdefault(int(index), {})[entry] = value
            part.load_state_dict({**part.state_dict(), "state": state})
        else:
            part.load_state_dict(own)


def draws(step: int, seed: int) -> np.random.Generator:
    """The random numbers of a step of one network, which seed torch's as well."""
    rng = np.random.default_rng((step, seed))
    torch.manual_seed(int(rng.integers(2**32)))
    return rng


def descend(loss: torch.Tensor, optimizer: torch.optim.Optimizer, largest: float = 1.0) -> None:
    """One step against the gradient, whose norm is cut to `largest`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], largest)
    optimizer.step()


def learning_rate(step: int, steps: int, peak: float, warmup: int = 50) -> float:
    """Linear warm-up, then a half cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))))
