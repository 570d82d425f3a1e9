"""Steps of AMG beside adaptive projected guidance, told once more: `python -m lab.golden_projected_steps`.

Written from the equations in `docs/guidance.md` and from nothing of the package: numpy, one sample, one
channel and one number at a time, in velocities as the pipeline has them. The gradient is a complex step,
which has no error but rounding. The toy maps are those of `tests/golden/amg_step.json`.

It writes `tests/golden/projected_steps.json`, which the guidance must agree with to 1e-9.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
NORM, MOMENTUM = 0.8, -0.75
"""A norm so small that some differences of the toy's six frames are longer."""
SIGMAS = (1e8, 3.0, 0.6, 0.1)
"""Of one trajectory: from pure noise, since that is where a flow begins."""
PROMPTS = ("prompt0", "prompt1", "prompt2")
CASES: dict[str, dict[str, Any]] = {
    "closed": {"c1": 4.0, "c2": 3.0, "c3": 100.0, "lambda_min": 2.0, "lambda_max": 2.0},
    "published": {"c1": 4.0, "c2": 3.0, "c3": 100.0, "lambda_min": 0.4, "lambda_max": 0.6},
    "despecification": {"c1": 2.0, "c2": 0.0, "c3": 0.0, "lambda_min": -1.0, "lambda_max": -1.0},
    "deduplication": {"c1": 0.0, "c2": 2.0, "c3": 0.0, "lambda_min": -1.0, "lambda_max": -1.0},
    "dissimilarity": {"c1": 0.0, "c2": 0.0, "c3": 5.0, "lambda_min": -1.0, "lambda_max": -1.0},
    "all room taken": {"c1": 40.0, "c2": 40.0, "c3": 1.0, "lambda_min": -1.0, "lambda_max": -1.0},
}
SCALE = 7.0


class Toy:
    """The maps of the numerical contract, on one sample `[channels, frames]`, real or complex."""

    def __init__(self) -> None:
        told = json.loads((GOLDEN / "amg_step.json").read_text())
        self.M, self.P, self.Q = (np.array(told[name]) for name in "MPQ")
        self.captions = {name: np.array(array) for name, array in told["captions"].items()}
        self.index = [np.array(row) / math.sqrt(sum(number**2 for number in row)) for row in told["index"]]
        self.trim = told["shapes"]["trim"]

    def denoise(self, x: np.ndarray, sigma: float, caption: str | None) -> np.ndarray:
        ab = 1 / (1 + sigma**2)
        told = 0.0 if caption is None else self.captions[caption]
        return x * ab + (1 - ab) * np.tanh((x * math.sqrt(ab)) @ self.M + told)

    def embed(self, denoised: np.ndarray) -> np.ndarray:
        y = denoised[:, : self.trim] @ self.P
        mono = (y + 0.1 * y**3).mean(axis=0)
        loudest = mono[np.abs(mono.real).argmax()]
        e = (mono / (loudest if loudest.real > 0 else -loudest)) @ self.Q
        return e / np.sqrt((e**2).sum())

    def similarity(self, x: np.ndarray, sigma: float, caption: str, item: int) -> complex:
        return complex(self.embed(self.denoise(x, sigma, caption)) @ self.index[item])


def projected(difference: np.ndarray, conditional: np.ndarray) -> np.ndarray:
    """One difference of velocities, shortened and made perpendicular to the prompt's, along each channel."""
    update = np.zeros_like(difference)
    for channel in range(len(difference)):
        d, v = difference[channel], conditional[channel]
        length = math.sqrt(sum(number**2 for number in d))
        if length > NORM:
            d = d * (NORM / length)
        update[channel] = d - v * (sum(d * v) / sum(v * v))
    return update


def steps_of(toy: Toy, prompt: str, xs: list[np.ndarray], case: dict[str, Any]) -> list[dict[str, Any]]:
    """One sample's way through all steps."""
    momentum, steps = np.zeros_like(xs[0]), []
    for sigma, x in zip(SIGMAS, xs, strict=True):
        t, ab = sigma / (1 + sigma), 1 / (1 + sigma**2)
        z = x / (1 + sigma)
        d_c, d_u = toy.denoise(x, sigma, prompt), toy.denoise(x, sigma, None)
        v_c, v_u = (z - d_c) / t, (z - d_u) / t
        momentum = (v_c - v_u) + MOMENTUM * momentum
        update = projected(momentum, v_c)
        stand_in = z - t * (v_c - update)  # in the place of D_u, in all that follows

        e = toy.embed(d_c)
        similarities = [float(e @ row) for row in toy.index]
        n = int(np.argmax(similarities))
        similarity = similarities[n]
        threshold = case["lambda_min"] + (case["lambda_max"] - case["lambda_min"]) * ab**2
        s1 = min(max(case["c1"] * similarity, 0.0), SCALE - 1)
        s2 = min(max(case["c2"] * similarity, 0.0), SCALE - 1 - s1)

        guided = z - t * (v_c + (SCALE - 1) * update)
        if similarity > threshold:
            gradient = np.zeros_like(x)
            for place in np.ndindex(*x.shape):
                moved = x.astype(complex)
                moved[place] += 1e-30j
                gradient[place] = toy.similarity(moved, sigma, prompt, n).imag / 1e-30
            d_n = toy.denoise(x, sigma, f"train{n}")
            guided = guided - s1 * (d_c - stand_in) - s2 * (d_n - stand_in)
            guided = guided - case["c3"] * math.sqrt(1 - ab) * gradient
        steps.append(
            {
                "similarity": similarity,
                "neighbour": n,
                "active": bool(similarity > threshold),
                "s1": s1,
                "s2": s2,
                "shortened": bool((np.sqrt((momentum**2).sum(axis=1)) > NORM).any()),
                "guided": guided.tolist(),
            }
        )
    return steps


def main() -> None:
    toy, random = Toy(), np.random.default_rng(0)
    shape = toy.captions[PROMPTS[0]].shape
    cases = []
    for name, case in CASES.items():
        xs = [[(1 + sigma) * random.standard_normal(shape) for sigma in SIGMAS] for _ in PROMPTS]
        ways = [steps_of(toy, prompt, x, case) for prompt, x in zip(PROMPTS, xs, strict=True)]
        steps = []
        for number, sigma in enumerate(SIGMAS):
            together = {key: [way[number][key] for way in ways] for key in ways[0][0]}
            steps.append({"sigma": sigma, "x": [x[number].tolist() for x in xs], **together})
        cases.append({"name": name, **case, "steps": steps})
    told = {"guidance_scale": SCALE, "norm": NORM, "momentum": MOMENTUM, "cases": cases}
    (GOLDEN / "projected_steps.json").write_text(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
