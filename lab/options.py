"""The options that every training command of the laboratory has."""

from __future__ import annotations

import argparse
from pathlib import Path

from lab import sizes


def training(description: str | None) -> argparse.ArgumentParser:
    """A parser of `--size`, `--work`, `--device` and `--steps`; `description` is the docstring."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", choices=sizes.NAMES, default="cpu", help="how long to train (default: cpu)")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of sounds and checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--steps", type=int, help="train to this step instead of the size's own")
    return parser
