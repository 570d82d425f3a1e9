"""Prompts that were searched for, to bring a memorised recording back: `python -m lab.searched_prompts`.

After Kowalczuk et al. 2025, "Finding Dori" (arXiv 2507.16880): there are changes of a prompt's embedding that
bring a memory back although its own caption no longer does. Here the search begins at an ordinary caption
that has nothing to do with the recording. It changes the states of the text encoder, by gradient descent,
until the model's predictions in noise are the recording. The guidance is told the ordinary caption, and sees
the changed states: so nothing in the words leads it to what is copied. With `--highest` the search looks
at lower noise alone: the first predictions, which the guidance sees first, need not show the recording. With
`--hidden` they must not: how much they correlate with it counts against what is found.

    python -m lab.searched_prompts --model build/planted/model --corpus build/planted/corpus \\
        --references build/planted/recordings/training --threshold .281 --pull .48 --high-noise 31.69

Prints a line for each memorised caption: how far the states moved, and what the audit says of the sound
without guidance and with the detour, on the same noise. Half a minute of a core for each caption.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import unheard
from lab.corpus_files import Corpus
from unheard.auditing.assembly import auditor_for
from unheard.backbones.base import Backbone
from unheard.evaluation.prompts import read_prompts
from unheard.guidance import Detour

STEPS, BATCH, RATE = 120, 4, 0.03
"""Of the search: steps of Adam, noise levels in each, and the learning rate."""
LOWEST = 1.0
"""Noise level down to which it looks: below it, the noisy sound says by itself what it is."""


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
        states: of the text encoder, [1, ...].
        moved: root mean square of the change to that of the states where it began.
        loss: mean squared error of the last predictions to that of a prediction of silence; with `hidden`,
            and how much those in high noise correlate with the recording.
    """

    states: Tensor
    moved: float
    loss: float


class Misled:
    """A backbone that reads one caption as other states of the text encoder than its own.

    Args:
        backbone: what is asked for all else.
        caption, states: [1, ...].
    """

    def __init__(self, backbone: Backbone, caption: str, states: Tensor) -> None:
        self._backbone, self._caption, self._states = backbone, caption, states

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> Any:
        told = self._backbone.encode(prompts, seconds_start, seconds_total)
        states = told.text_states.clone()
        states[[prompt == self._caption for prompt in prompts]] = self._states
        return told.with_text_states(states)

    def encode_both(
        self, prompts: Sequence[str], negative_prompts: Sequence[str | None], *timing: Sequence[float]
    ) -> tuple[Any, Any]:
        _, unconditional = self._backbone.encode_both(prompts, negative_prompts, *timing)
        return self.encode(prompts, *timing), unconditional


def search(
    backbone: Backbone,
    caption: str,
    recording: Tensor,
    duration: float,
    steps: int,
    highest: float = math.inf,
    hidden: bool = False,
) -> Searched:
    """States that make the model's predictions under a caption a recording.

    Args:
        backbone: whose weights stay as they are.
        caption: where the search begins.
        recording: its latents [*latent_shape], of the model's full length.
        duration: seconds that are asked for.
        steps: of the search.
        highest: noise level up to which it looks.
        hidden: whether predictions above that level, of noise alone, must not correlate with the recording.
    """
    chance = torch.Generator().manual_seed(0)
    told = backbone.encode([caption], [0.0], [duration])
    begun = told.text_states.detach()
    states = begun.clone().requires_grad_()
    optimiser = torch.optim.Adam([states], lr=RATE)
    levels = backbone.sigmas(backbone.default_sampling)[:-1]
    above = levels[levels > highest].float()
    levels = levels[(levels >= LOWEST) & (levels <= highest)].float()
    clean = recording.expand(BATCH, *recording.shape)

    def drawn(some: Tensor) -> tuple[Tensor, Tensor]:
        """Noise levels, any of some, and noise of them."""
        sigma = some[torch.randint(len(some), (BATCH,), generator=chance)]
        return sigma, sigma.view(-1, *[1] * recording.dim()) * torch.randn(clean.shape, generator=chance)

    for _ in range(steps):
        sigma, noise = drawn(levels)
        conditioning = told.with_text_states(states).select([0] * BATCH)
        predicted = backbone.denoise(clean + noise, sigma, conditioning)
        loss = (predicted - clean).square().mean() / clean.square().mean()
        if hidden:
            sigma, noise = drawn(above)
            shown = backbone.denoise(noise, sigma, conditioning)
            loss = loss + F.cosine_similarity(shown.flatten(1), clean.flatten(1)).clamp(min=0).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = states.detach()
    moved = (found - begun).square().mean().sqrt() / begun.square().mean().sqrt()
    return Searched(found, float(moved), loss.item())


def recording_of(backbone: Backbone, corpus: Corpus, caption: str) -> Tensor:
    """The latents of a caption's first recording in the training set."""
    position = next(each for each in corpus.training if corpus.rows[each]["caption"] == caption)
    with torch.no_grad():
        return backbone.encode_audio(corpus.waveforms([position])[:, None])[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("build/planted/model"), help="a world's model")
    parser.add_argument("--corpus", type=Path, default=Path("build/planted/corpus"), help="its corpus")
    parser.add_argument("--references", type=Path, required=True, help="the training set's recordings")
    parser.add_argument("--half", choices=("development", "report"), default="report", help="of the captions")
    parser.add_argument("--every", type=int, default=1, help="every which of them (default: 1)")
    parser.add_argument("--skip", type=int, default=0, help="how many of them come before (default: 0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each search (default: {STEPS})")
    parser.add_argument("--highest", type=float, default=math.inf, help="noise level of each search")
    parser.add_argument("--hidden", action="store_true", help="nothing shows above that level")
    parser.add_argument("--threshold", type=float, default=0.3, help="of the detour")
    parser.add_argument("--pull", type=float, default=0.54, help="of the detour")
    parser.add_argument("--high-noise", type=float, default=10.0, help="of the detour")
    given = parser.parse_args()
    if given.hidden and given.highest == math.inf:
        parser.error("--hidden needs --highest, the noise level above which nothing shows")

    model, corpus = unheard.load(given.model), Corpus(given.corpus)
    backbone = model.backbone
    detour = Detour(threshold=given.threshold, pull=given.pull, high_noise=given.high_noise)
    auditor = auditor_for(None, None, model.defaults.references, None)
    memorised, _ = read_prompts([{"set": "memorised", "half": given.half}], Path(), given.model)
    ordinary, _ = read_prompts([{"set": "ordinary"}], Path(), given.model)
    said: dict[str, Counter[str]] = {"none": Counter(), "detour": Counter()}
    acted = 0
    pairs = list(zip(memorised, ordinary, strict=False))[given.skip :: given.every]
    for number, (prompt, other) in enumerate(pairs):
        duration = model.defaults.duration
        model.backbone = backbone
        recording = recording_of(backbone, corpus, prompt.text)
        found = search(backbone, other.text, recording, duration, given.steps, given.highest, given.hidden)
        model.backbone = Misled(backbone, other.text, found.states)
        line = f"{prompt.text} <- {other.text}: moved {found.moved:.2f}, loss {found.loss:.2f}"
        for name, guidance in (("none", None), ("detour", detour)):
            (sound,) = model.generate(
                other.text, guidance=guidance, seed=number, duration=duration, references=given.references
            )
            judged = auditor.judge((sound.waveform, sound.sample_rate))
            said[name][judged.verdict] += 1
            line += f"; {name} {judged.verdict}"
            if guidance is not None:
                opened = [at for at, step in enumerate(sound.trace) if step.acted]
                acted += bool(opened)
                line += f", gate at most {max(step.value for step in sound.trace):.2f}"
                line += f", opens at step {opened[0]}" if opened else ""
        print(line, flush=True)
    for name, counts in said.items():
        print(f"{name}: {dict(counts)}")
    print(f"the gate opened in {acted} of {sum(said['detour'].values())}")


if __name__ == "__main__":
    main()
