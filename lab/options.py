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


def world(
    program: str, description: str | None, before: tuple[str, str], work: str
) -> argparse.ArgumentParser:
    """A parser of `--before`, `--work`, `--smoke` and `--device`, of a world that is made from another.

    Args:
        program: as it is called.
        description: the docstring.
        before: the folder that it begins with, and what lies there.
        work: the folder of all that is made.
    """
    parser = argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder, what = before
    parser.add_argument("--before", type=Path, default=Path(folder), help=what)
    parser.add_argument("--work", type=Path, default=Path(work), help="folder of all that is made")
    parser.add_argument("--smoke", action="store_true", help="train two steps, to see that it runs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    return parser
