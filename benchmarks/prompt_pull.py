"""Whether a prompt's risk tells the captions that the bundled model has memorised from others.

    python benchmarks/prompt_pull.py
    python benchmarks/prompt_pull.py --seeds 4

Memorised: captions whose recording was in the training set `--dose` times or more. Against them stand the
captions of held-out sounds, and those that were there fewer times; the latter are worded as the memorised
ones are, so that no difference of style can tell them apart. Printed for the first 1, 3, 10 and all steps:
the area under the ROC curve with its 95 % interval (bootstrap over prompts), and the share of memorised
captions above the highest other.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

import unheard
from unheard.backbones.hub import ASSETS
from unheard.guidance.prompt_pull import prompt_pull


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Mann and Whitney's statistic: how often a positive is above a negative."""
    return float((np.sign(positive[:, None] - negative[None]) * 0.5 + 0.5).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="starts for each prompt")
    parser.add_argument("--steps", type=int, help="steps to make  [default: all]")
    parser.add_argument("--dose", type=int, default=48, help="repetitions that make a caption a positive")
    options = parser.parse_args()

    memorised = json.loads((ASSETS / "tiny" / "memorised.json").read_text())
    ordinary = json.loads((ASSETS / "tiny" / "prompts.json").read_text())["ordinary"]
    model = unheard.load("tiny")
    steps = options.steps or model.defaults.sampling.num_inference_steps
    groups = {
        "memorised": [entry["caption"] for entry in memorised if entry["repetitions"] >= options.dose],
        "held-out": [entry["caption"] for entry in ordinary],
        "seldom": [entry["caption"] for entry in memorised if entry["repetitions"] < options.dose],
    }
    risks = {}
    for name, prompts in groups.items():
        found = prompt_pull(
            model.backbone,
            prompts,
            sampling=model.defaults.sampling,
            duration=model.defaults.duration,
            seeds=range(options.seeds),
            steps=steps,
        )
        risks[name] = np.array([each.steps for each in found])
    counts = ", ".join(f"{len(prompts)} {name}" for name, prompts in groups.items())
    print(f"{counts} captions, {options.seeds} seed(s), dose {options.dose}")
    rng = np.random.default_rng(0)
    for first in sorted({1, 3, 10, steps}):
        if first > steps:
            continue
        means = {name: each[:, :first].mean(axis=1) for name, each in risks.items()}
        medians = ", ".join(f"{name} {np.median(each):.3f}" for name, each in means.items())
        print(f"first {first:2} steps, medians: {medians}")
        positive = means["memorised"]
        for name in ("held-out", "seldom"):
            negative = means[name]
            draws = [
                area(rng.choice(positive, len(positive)), rng.choice(negative, len(negative)))
                for _ in range(2000)
            ]
            low, high = np.percentile(draws, [2.5, 97.5])
            print(
                f"    memorised against {name}: area {area(positive, negative):.3f} "
                f"({low:.3f} to {high:.3f}), above every one {np.mean(positive > negative.max()):.2f}"
            )


if __name__ == "__main__":
    main()
