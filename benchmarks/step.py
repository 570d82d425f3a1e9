"""What a denoising step costs: plain, with the gate shut, with the gate open, and in the published way.

    python benchmarks/step.py --model tiny --batch 4 --repeats 20 --output step.json
    python benchmarks/step.py --model full --device cuda --dtype float16 --batch 1

All contenders run on the same weights, taking turns in one process, and the medians are compared. The
published way is Messina et al.'s code written out on these parts: one sample at a time, three separate calls
of the transformer with a graph, the nearest item's caption encoded again, the gradient and the neighbour's
prediction made whatever the gate says, and the autoencoder's decoder as diffusers has it. Two of its costs
are left out, both in its favour: its CLAP is not loaded again for every call, and no weights ask for
gradients. It is timed once more with our decoder (`unheard.backbones.stable_audio.oobleck`), to tell what
comes from there and what from the rest.

Where `s1 + s2` reach `s0 - 1`, the unconditional prediction drops out of the result and ours does not make
it. Whether that happens depends on similarity and weights, so the open gate is timed twice: at the model's
own weights, and at weights so small that all three predictions are needed.

`--model full` is Stable Audio Open 1.0 at its published size with random weights, and a CLAP of the published
size likewise: the times are real, the sounds are not.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import unheard
from unheard.backbones import Conditioning, resolve_device, resolve_dtype
from unheard.backbones.base import by_frame, trim
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.prediction import classifier_free
from unheard.diffusion.settings import Sampling
from unheard.embedders import Embedder
from unheard.guidance.amg import equations
from unheard.guidance.amg.decoding import decoder_of
from unheard.guidance.amg.denoiser import AMGDenoiser, Foresight
from unheard.guidance.amg.gate_head import GateHead
from unheard.guidance.amg.settings import AMG
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index, JSONIndex

PROMPT = "An acoustic drum loop, 110 bpm"
SIGMA = 5.0
FULL_INDEX_ITEMS = 10_000
SELDOM = 8
STEPS_OF = {"gate shut, asked seldom": SELDOM}
"""Runs of more than one step."""
PARTS = ("transformer", "decode", "embed", "search")


@dataclass
class Bench:
    """The parts of a step, on one batch of latents; each part's time is noted while `profiling`."""

    backbone: StableAudioBackbone
    embedder: Embedder
    index: Index
    duration: float
    batch: int
    guidance_scale: float
    settings: AMG
    profiling: bool = False
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    def __post_init__(self) -> None:
        self.frames = self.backbone.frames(self.duration)
        starts, totals = [0.0] * self.batch, [self.duration] * self.batch
        self.conditional = self.backbone.encode([PROMPT] * self.batch, starts, totals)
        self.unconditional = self.backbone.encode_unconditional([None] * self.batch, starts, totals)
        noise = initial_noise(self.backbone.latent_shape, range(self.batch), self.backbone.device)
        self.x = noise * (1 + SIGMA**2) ** 0.5
        self.sigma = torch.full((self.batch,), SIGMA, device=self.backbone.device)

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: Conditioning) -> Tensor:
        return self._timed("transformer", self.backbone.denoise, x, sigma, conditioning)

    def decode(self, denoised: Tensor) -> Tensor:
        return self._timed("decode", self.backbone.decode, denoised[..., : self.frames])

    def library_decode(self, denoised: Tensor) -> Tensor:
        """As `decode`, by diffusers' own decoder."""
        vae = self.backbone.vae
        latents = denoised[..., : self.frames].to(vae.dtype)
        return self._timed("decode", lambda: vae.decode(latents).sample.to(denoised.dtype))

    def embed(self, waveform: Tensor) -> Tensor:
        return self._timed("embed", self.embedder.embed_audio, waveform, self.backbone.sample_rate)

    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        return self._timed("search", self.index.search, queries, k)

    def vectors(self, positions: Tensor) -> Tensor:
        return self.index.vectors(positions)

    def encode_neighbours(self, positions: list[int]) -> Conditioning:
        return self.backbone.encode(
            [self.index.prompts[position] for position in positions],
            [self.index.seconds_start[position] for position in positions],
            [self.index.seconds_total[position] for position in positions],
        )

    def plain(self) -> ClassifierFreeGuidance:
        return ClassifierFreeGuidance(
            self.denoise, self.conditional, self.unconditional, guidance_scale=self.guidance_scale
        )

    def guided(self, settings: AMG) -> AMGDenoiser:
        return AMGDenoiser(
            self.denoise,
            self.conditional,
            self.unconditional,
            guidance_scale=self.guidance_scale,
            settings=settings,
            decode=partial(self._timed, "decode", decoder_of(settings, self.trajectory())),
            embed=self.embed,
            index=self,
            encode_neighbours=self.encode_neighbours,
        )

    def trajectory(self) -> Trajectory:
        """What its parts are, to a guidance."""
        return Trajectory(
            backbone=self.backbone,
            load_embedder=lambda: self.embedder,
            latents_of=self._has_no_recordings,
            prompts=[PROMPT] * self.batch,
            conditional=self.conditional,
            unconditional=self.unconditional,
            guidance_scale=self.guidance_scale,
            duration=self.duration,
            training_set=self.index,
        )

    def _has_no_recordings(self, path: Path) -> Tensor:
        raise FileNotFoundError(path)

    def foreseen(self, settings: AMG) -> AMGDenoiser:
        """With a gate head of random weights, which takes the time of any other."""
        guided = self.guided(settings)
        features = by_frame(self.x[0], self.backbone.time_axis).shape[0]
        head = GateHead(features, self.embedder.dimension).to(self.x.device).requires_grad_(False)

        def embed(denoised: Tensor) -> Tensor:
            latents = trim(denoised, self.frames, self.backbone.time_axis)
            return head(torch.stack([by_frame(each, self.backbone.time_axis) for each in latents]))

        guided.foresight = Foresight(embed, 0.1)
        return guided

    def synchronize(self) -> None:
        if self.x.device.type == "cuda":
            torch.cuda.synchronize(self.x.device)
        elif self.x.device.type == "mps":
            torch.mps.synchronize()

    def time(self, run: Callable[[], Any]) -> float:
        """Seconds of one run; on a CPU those of its processor, which other work does not lengthen."""
        clock = time.process_time if self.x.device.type == "cpu" else time.perf_counter
        self.synchronize()
        start = clock()
        run()
        self.synchronize()
        return clock() - start

    def _timed(self, part: str, function: Callable[..., Any], *inputs: Any) -> Any:
        if not self.profiling:
            return function(*inputs)
        result: list[Any] = []
        self.spent[part] += self.time(lambda: result.append(function(*inputs)))
        return result[0]


def published_step(bench: Bench, decode: Callable[[Tensor], Tensor]) -> Tensor:
    """The step of the published code, made right where it was wrong but not faster."""
    settings, s0 = bench.settings, bench.guidance_scale
    guided = []
    for sample in range(bench.batch):
        with torch.enable_grad():
            x = bench.x[[sample]].detach().requires_grad_()
            sigma = bench.sigma[[sample]]
            unconditional = bench.denoise(x, sigma, bench.unconditional.select([sample]))
            conditional = bench.denoise(x, sigma, bench.conditional.select([sample]))
            embedding = bench.embed(decode(conditional))
            with torch.no_grad():
                _, positions = bench.search(embedding.detach())
            caption = bench.encode_neighbours(positions[:, 0].tolist())
            neighbour = bench.denoise(x, sigma, caption)
            similarity = (embedding * bench.vectors(positions[:, 0])).sum(dim=-1)
            (gradient,) = torch.autograd.grad(similarity.sum(), x)
        with torch.no_grad():
            s1 = equations.despecification_scale(similarity, settings.c1, s0)
            s2 = equations.deduplication_scale(similarity, settings.c2, s0, s1)
            acts = similarity > equations.threshold(sigma, settings.lambda_min, settings.lambda_max)
            correction = (
                equations.despecification(unconditional, conditional, s1)
                + equations.deduplication(unconditional, neighbour, s2)
                + equations.dissimilarity(gradient, sigma, settings.c3, settings.dissimilarity_space)
            )
            guided.append(classifier_free(unconditional, conditional, s0) + acts[:, None, None] * correction)
    return torch.cat(guided)


def contenders(bench: Bench) -> dict[str, Callable[[], Any]]:
    """What is timed. Each prepares what it needs beforehand, so that a run is one step."""
    plain, shut = bench.plain(), bench.guided(replace(bench.settings, lambda_min=2.0, lambda_max=2.0))
    open_again, with_all = (
        bench.guided(bench.settings),
        bench.guided(replace(bench.settings, c1=1e-3, c2=1e-3)),
    )
    with torch.no_grad():
        denoised = plain(bench.x, bench.sigma)
        waveform = bench.decode(denoised)
    open_again(bench.x, bench.sigma)
    with_all(bench.x, bench.sigma)
    seldom = replace(shut.settings, ask_every=SELDOM)
    foreseen = bench.foreseen(shut.settings)

    def from_near() -> Tensor:
        """Below the threshold by a little at the last step, above it now."""
        opening = bench.guided(replace(bench.settings, lambda_min=2.0, lambda_max=2.0))
        opening._similarities = dict.fromkeys(range(bench.batch), 1.0)
        opening.settings = bench.settings
        return opening(bench.x, bench.sigma)

    def every_so_often() -> None:
        asked = bench.guided(seldom)
        for _ in range(SELDOM):
            asked(bench.x, bench.sigma)

    return {
        "plain": lambda: plain(bench.x, bench.sigma),
        "decode": torch.no_grad()(lambda: bench.decode(denoised)),
        "embed": torch.no_grad()(lambda: bench.embed(waveform)),
        "gate shut": lambda: shut(bench.x, bench.sigma),
        "gate open": lambda: open_again(bench.x, bench.sigma),
        "gate open, all predictions": lambda: with_all(bench.x, bench.sigma),
        "gate shut, asked seldom": every_so_often,
        "gate shut, foreseen": lambda: foreseen(bench.x, bench.sigma),
        "gate opens": lambda: bench.guided(bench.settings)(bench.x, bench.sigma),
        "gate opens from near": from_near,
        "published": lambda: published_step(bench, bench.library_decode),
        "published, our decoder": lambda: published_step(bench, bench.decode),
    }


def shares(bench: Bench, run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Each part's share of a step's time; what is left is the backward pass and the arithmetic around it."""
    bench.profiling, bench.spent = True, dict.fromkeys(PARTS, 0.0)
    total = sum(bench.time(run) for _ in range(repeats))
    bench.profiling = False
    share = {part: seconds / total for part, seconds in bench.spent.items()}
    return share | {"backward and rest": 1 - sum(share.values())}


def peak_memory(bench: Bench, run: Callable[[], Any]) -> float | None:
    """GiB at the peak of one run, weights included, or None where it cannot be told for a single run."""
    if bench.x.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(bench.x.device)
        run()
        return torch.cuda.max_memory_allocated(bench.x.device) / 2**30
    reset = Path("/proc/self/clear_refs")
    if bench.x.device.type != "cpu" or not reset.exists() or platform.libc_ver()[0] != "glibc":
        return None
    ctypes.CDLL(None).malloc_trim(0)  # what earlier runs have freed goes back to the system
    reset.write_text("5")  # the kernel's peak of the resident memory starts anew
    run()
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 2**20


def measure(bench: Bench, repeats: int) -> dict[str, Any]:
    runs = contenders(bench)
    ours, published = runs["gate open"](), runs["published"]()
    error = ((ours - published).norm() / published.norm()).item()
    probe = bench.guided(bench.settings)
    probe(bench.x, bench.sigma)
    similarity, s1, s2 = probe.trace[0].value, probe.trace[0].s1, probe.trace[0].s2

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(bench.time(run) / STEPS_OF.get(name, 1))
        print(f"round {round_ + 1} of {repeats}", end="\r", file=sys.stderr, flush=True)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "median_seconds": median,
        "seconds": seconds,
        "ratio_to_plain": {name: value / median["plain"] for name, value in median.items()},
        "shut_to_plain_decode_embed": median["gate shut"]
        / (median["plain"] + median["decode"] + median["embed"]),
        "ratio_to_published": {name: value / median["published"] for name, value in median.items()},
        "difference_from_published": error,
        "similarity": similarity,
        "s1": s1,
        "s2": s2,
        "shares": {name: shares(bench, runs[name], repeats) for name in STEPS},
        "peak_gib": {name: peak_memory(bench, runs[name]) for name in STEPS},
    }


STEPS = {
    "plain": "plain classifier-free guidance",
    "gate shut": "ours, gate shut",
    "gate open": "ours, gate open as at the step before",
    "gate open, all predictions": "the same, all three predictions needed",
    "gate shut, asked seldom": f"ours, gate shut and far, asked every {SELDOM}th step",
    "gate shut, foreseen": "ours, gate seen shut by a gate head",
    "gate opens": "ours, gate opening at the first step",
    "gate opens from near": "ours, gate opening after it was near",
    "published": "the published way",
    "published, our decoder": "the published way, with our decoder",
}


def table(result: dict[str, Any], setting: dict[str, Any]) -> str:
    columns = [*PARTS, "backward and rest"]
    lines = [
        f"{setting['model']}, {setting['device']} ({setting['dtype']}), batch {setting['batch']}, "
        f"{setting['duration']:g} s, {setting['threads']} threads, median of {setting['repeats']}",
        "",
        "| step | ms | to plain | to published | peak GiB | " + " | ".join(columns) + " |",
        "|---|--:|--:|--:|--:|" + "--:|" * len(columns),
    ]
    for name, description in STEPS.items():
        peak = result["peak_gib"][name]
        parts = " | ".join(f"{result['shares'][name][column]:.0%}" for column in columns)
        lines.append(
            f"| {description} | {result['median_seconds'][name] * 1e3:.1f} "
            f"| {result['ratio_to_plain'][name]:.2f} | {result['ratio_to_published'][name]:.2f} "
            f"| {'not measured' if peak is None else f'{peak:.2f}'} | {parts} |"
        )
    lines += [
        "",
        f"- gate shut, to plain + one decoding + one embedding: {result['shut_to_plain_decode_embed']:.2f}",
        f"- gate open as at the step before, to the published way: "
        f"{result['ratio_to_published']['gate open']:.2f}; with our decoder in both: "
        f"{result['median_seconds']['gate open'] / result['median_seconds']['published, our decoder']:.2f}",
        f"- relative difference of their results: {result['difference_from_published']:.1e}",
        f"- guidance scale {setting['guidance_scale']:g}, similarity {_listed(result['similarity'])}, "
        f"s1 {_listed(result['s1'])}, s2 {_listed(result['s2'])}",
    ]
    return "\n".join(lines)


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def load(arguments: argparse.Namespace) -> Bench:
    if arguments.model != "full":
        model = unheard.load(arguments.model, device=arguments.device, dtype=arguments.dtype)
        if model.index is None:
            sys.exit(f"{arguments.model} brings no index: take tiny, full, or a folder with one")
        duration = arguments.duration or min(model.defaults.duration, model.backbone.max_duration)
        index = model.index.to(model.backbone.device)
        scale = model.defaults.sampling.guidance_scale
        settings = AMG(c1=0.0, c2=0.0, c3=10_000, lambda_min=-2.0, lambda_max=-2.0)
        return Bench(model.backbone, model.embedder, index, duration, arguments.batch, scale, settings)

    from full_size import full_size_backbone

    device = resolve_device(arguments.device)
    backbone = full_size_backbone(device, resolve_dtype(arguments.dtype))
    embedder = full_size_embedder(device)
    index = random_index(FULL_INDEX_ITEMS, embedder.dimension).to(device)
    scale, settings = Sampling().guidance_scale, AMG(lambda_min=-2.0, lambda_max=-2.0)
    return Bench(backbone, embedder, index, arguments.duration or 10.0, arguments.batch, scale, settings)


def full_size_embedder(device: torch.device) -> Embedder:
    from full_size import full_size_clap
    from transformers import T5Tokenizer

    from unheard.embedders.clap import ClapEmbedder

    clap, extractor = full_size_clap()
    tokenizer = T5Tokenizer(extra_ids=0, model_max_length=512)  # never asked: a step embeds no text
    return ClapEmbedder(clap.to(device), extractor, tokenizer, name="random CLAP")


def random_index(items: int, dimension: int) -> Index:
    index = JSONIndex()
    index.add(
        ids=[str(number) for number in range(items)],
        embeddings=torch.randn(items, dimension, generator=torch.Generator().manual_seed(0)),
        prompts=[f"training item {number}" for number in range(items)],
        seconds_start=[0.0] * items,
        seconds_total=[10.0] * items,
    )
    return index


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="tiny", help="tiny, a folder with an index, or full")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--dtype", default=None, help="float32 (default), float16 or bfloat16")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--duration", type=float, default=None, help="seconds (default: the model's own)")
    parser.add_argument("--output", type=Path, default=None, help="where to write all numbers as JSON")
    arguments = parser.parse_args()

    bench = load(arguments)
    device = bench.backbone.device
    setting = {
        "model": arguments.model,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": str(bench.backbone.dtype).removeprefix("torch."),
        "batch": bench.batch,
        "duration": bench.duration,
        "guidance_scale": bench.guidance_scale,
        "repeats": arguments.repeats,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.platform(),
    }
    result = measure(bench, arguments.repeats)
    print(table(result, setting))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps({"setting": setting, **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
