"""Whether a prompt's risk tells the captions that the bundled model has memorised from others.

    python benchmarks/prompt_risk.py
    python benchmarks/prompt_risk.py --seeds 4

Positive: captions whose recording was in the training set `--dose` times or more. Negative: the captions of
held-out sounds. Printed for the first 1, 3, 10 and all steps: the area under the ROC curve with its 95 %
interval (bootstrap over prompts), and the share of positives above the highest negative.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

import unheard
from unheard.models import ASSETS
from unheard.prompt_risk import prompt_risk


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Mann and Whitney's statistic: how often a positive is above a negative."""
    return float((np.sign(positive[:, None] - negative[None]) * 0.5 + 0.5).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="starts for each prompt")
    parser.add_argument("--dose", type=int, default=48, help="repetitions that make a caption a positive")
    options = parser.parse_args()

    memorised = json.loads((ASSETS / "tiny" / "memorised.json").read_text())
    ordinary = json.loads((ASSETS / "tiny" / "prompts.json").read_text())["ordinary"]
    model = unheard.load("tiny")
    steps = model.defaults.sampling.num_inference_steps
    risks = []
    for prompts in (
        [entry["caption"] for entry in memorised if entry["repetitions"] >= options.dose],
        [entry["caption"] for entry in ordinary],
    ):
        found = prompt_risk(
            model.backbone,
            prompts,
            sampling=model.defaults.sampling,
            duration=model.defaults.duration,
            seeds=range(options.seeds),
            steps=steps,
        )
        risks.append(np.array([each.steps for each in found]))
    positive, negative = risks
    print(
        f"{len(positive)} memorised captions ({options.dose} times or more), {len(negative)} ordinary ones, "
        f"{options.seeds} seed(s)"
    )
    rng = np.random.default_rng(0)
    for first in (1, 3, 10, steps):
        p, n = positive[:, :first].mean(axis=1), negative[:, :first].mean(axis=1)
        draws = [area(rng.choice(p, len(p)), rng.choice(n, len(n))) for _ in range(2000)]
        low, high = np.percentile(draws, [2.5, 97.5])
        print(
            f"first {first:2} steps: area {area(p, n):.3f} ({low:.3f} to {high:.3f}), "
            f"above every ordinary one {np.mean(p > n.max()):.2f}, "
            f"median {np.median(p):.3f} against {np.median(n):.3f}"
        )


if __name__ == "__main__":
    main()
