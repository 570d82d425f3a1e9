"""Draws how training went: `python -m lab.curves` writes `docs/pictures/training-*.png`.

From the log that every checkpoint carries (`lab/checkpoints.py`), so it may be run while training runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes


def read_log(folder: Path) -> list[dict]:
    """The entries of a training run so far, one a measurement; empty where it has not begun."""
    file = folder / "state.json"
    return json.loads(file.read_text())["log"] if file.is_file() else []


def plot(axis: Axes, log: list[dict], name: str, **style: object) -> None:
    """`name` over the steps at which it was measured."""
    measured = [entry for entry in log if name in entry]
    axis.plot([entry["step"] for entry in measured], [entry[name] for entry in measured], **style)


def draw_autoencoder(log: list[dict], file: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    plot(left, log, "si_sdr", marker="o")
    left.set_ylabel("SI-SDR of held-out sounds, dB")
    plot(right, log, "likeness", marker="o", label="median")
    plot(right, log, "likeness_low", marker="o", label="lowest tenth")
    right.set_ylabel("likeness to the original")
    right.legend()
    finish(figure, file)


def draw_guide(log: list[dict], file: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    plot(left, log, "loss")
    for name in ("recall@1", "recall@5", "told apart"):
        plot(right, log, name, marker="o", label=name)
    left.set_ylabel("loss of a batch")
    as_shares(right)
    finish(figure, file)


def draw_judge_and_listener(logs: dict[str, list[dict]], file: Path) -> None:
    """Shares of development sounds that are right; dashed as they come back from the autoencoder."""
    size = (5 * len(logs), 3.6)
    figure, axes = plt.subplots(1, len(logs), figsize=size, layout="constrained", squeeze=False)
    names = {
        "judge": ("nearest other", "best other of caption"),
        "listener": ("family", "instrument", "tempo", "key"),
    }
    for axis, (role, log) in zip(axes[0], logs.items(), strict=True):
        for number, name in enumerate(names[role]):
            plot(axis, log, name, color=f"C{number}", marker="o", label=f"{role}: {name}")
            plot(axis, log, f"decoded {name}", color=f"C{number}", marker="o", linestyle="--")
        as_shares(axis)
    finish(figure, file)


def as_shares(axis: Axes) -> None:
    axis.set_ylabel("share of sounds")
    axis.set_ylim(0, 1.02)
    axis.legend(fontsize=8)


def draw_diffusion(log: list[dict], file: Path) -> None:
    """Velocity loss by how often a recording repeats, the darkest most often."""
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    plot(axis, log, "held out", color="tab:red", label="held out")
    plot(axis, log, "ordinary", color="tab:orange", label="ordinary")
    doses = sorted((name for name in log[0] if name[1:].isdigit()), key=lambda name: int(name[1:]))
    for number, name in enumerate(doses):
        shade = plt.get_cmap("viridis_r")(number / max(len(doses) - 1, 1))
        plot(axis, log, name, color=shade, label=f"{name[1:]} times")
    axis.set_yscale("log")
    axis.set_ylabel("velocity loss")
    axis.legend(fontsize=8, ncols=2)
    finish(figure, file)


def finish(figure: plt.Figure, file: Path) -> None:
    for axis in figure.axes:
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    figure.savefig(file, dpi=130)
    plt.close(figure)
    print(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of the checkpoints")
    parser.add_argument("--pictures", type=Path, default="docs/pictures", help="folder to draw into")
    arguments = parser.parse_args()
    work, pictures = arguments.work, arguments.pictures
    pictures.mkdir(parents=True, exist_ok=True)
    if log := read_log(work / "vae"):
        draw_autoencoder(log, pictures / "training-autoencoder.png")
    if log := read_log(work / "guide"):
        draw_guide(log, pictures / "training-guide.png")
    if logs := {role: log for role in ("judge", "listener") if (log := read_log(work / role))}:
        draw_judge_and_listener(logs, pictures / "training-listening.png")
    if log := read_log(work / "diffusion"):
        draw_diffusion(log, pictures / "training-diffusion.png")


if __name__ == "__main__":
    main()
