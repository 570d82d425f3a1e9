"""Trajectories on an accelerator: plain, detour, AMG and diffusers' own pipeline, as one table of ratios.

    sh benchmarks/gpu.sh
    python benchmarks/gpu.py --model tiny --device cpu --durations 1 --batches 1 --steps 2   (that it runs)

Each row is a trajectory of a few steps with its noise, without decoding at the end. Times are medians over
the repeats, divided by the steps; on a CPU they are of its processor. "Waits" counts how often a step has the
host wait for the device, by the profiler: calls of `cudaStreamSynchronize` and its like. diffusers' pipeline
does its own waiting and draws its own noise.

The gates are told to stay shut or to open by their thresholds. The detour compares with random latents. What
does not fit into memory, or is not reached in time, is named in the table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from step import PROMPT, Bench, load, published_step
from torch import Tensor

from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.diffusion.schedules import polyexponential_sigmas
from unheard.diffusion.settings import Sampling
from unheard.guidance.amg.settings import AMG
from unheard.guidance.detour.denoiser import DetourDenoiser
from unheard.guidance.detour.gates import Found, LatentGate

CANDIDATES = 64
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")
SHUT = AMG(lambda_min=2.0, lambda_max=2.0)


@dataclass
class RandomRecordings:
    """As many recordings as a detour compares with, none of which any sound is."""

    latents: list[Tensor]
    complete: bool = True

    def of_caption(self, sample: int) -> Found:
        return [], []

    def sounding_like(self, denoised: Tensor) -> list[list[int]]:
        return [[] for _ in denoised]

    def around(self, sample: int, sounding: list[int]) -> Found:
        return [*range(len(self.latents))], self.latents

    def available(self, positions: Iterable[int]) -> Found:
        return [], []


def detour(bench: Bench) -> DetourDenoiser:
    """With a gate that stays shut."""
    channels = bench.x.shape[1]
    latents = [torch.randn(channels, bench.frames, device=bench.x.device) for _ in range(CANDIDATES)]
    return DetourDenoiser(
        bench.denoise,
        bench.conditional,
        bench.unconditional,
        guidance_scale=bench.guidance_scale,
        prompt_weight=0.5,
        gate=LatentGate(2.0, bench.frames, RandomRecordings(latents)),
        fallbacks=lambda _: [],
        encode_captions=bench.encode_neighbours,
    )


@dataclass
class Trajectories:
    """Trajectories of a few steps from pure noise, by kind of guidance."""

    bench: Bench
    steps: int
    denoisers: dict[str, Callable[[], Any]] = field(init=False)

    def __post_init__(self) -> None:
        bench = self.bench
        self.denoisers = {
            "plain": bench.plain,
            "detour": lambda: detour(bench),
            "AMG, shut": lambda: bench.guided(SHUT),
            "AMG, shut, asked every 8th step": lambda: bench.guided(replace(SHUT, ask_every=8)),
            "AMG, open": lambda: bench.guided(bench.settings),
        }

    def run(self, name: str) -> None:
        """One trajectory; a step of the published way at one noise level stands for all of them."""
        if name.startswith("published"):
            for _ in range(self.steps):
                published_step(self.bench, self.bench.decode)
            return
        bench, sampling = self.bench, Sampling()
        sigmas = polyexponential_sigmas(self.steps, sampling.sigma_min, sampling.sigma_max)
        shape, seeds, device = bench.x.shape[1:], range(bench.batch), bench.x.device
        start = float(sigmas[0]) * initial_noise(shape, seeds, device)
        noise = noise_of(sampling, sigmas, shape, seeds, device)
        SAMPLERS[sampling.sampler](self.denoisers[name](), start, sigmas, noise)


def diffusers_run(bench: Bench, steps: int) -> Callable[[], Any]:
    """Its pipeline on the same networks, without decoding."""
    from diffusers import CosineDPMSolverMultistepScheduler, StableAudioPipeline

    backbone = bench.backbone
    pipeline = StableAudioPipeline(
        vae=backbone.vae,
        text_encoder=backbone.text_encoder,
        tokenizer=backbone.tokenizer,
        projection_model=backbone.projection_model,
        transformer=backbone.transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_min=0.3, sigma_max=500),
    )
    pipeline.set_progress_bar_config(disable=True)
    return lambda: pipeline(
        [PROMPT] * bench.batch,
        num_inference_steps=steps,
        guidance_scale=bench.guidance_scale,
        audio_end_in_s=bench.duration,
        output_type="latent",
    )


def waits(run: Callable[[], Any], steps: int) -> float:
    """How often a step has the host wait for the device."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as told:
        run()
    return sum(event.count for event in told.key_averages() if event.key in WAITS) / steps


def measured(bench: Bench, run: Callable[[], Any], steps: int, repeats: int) -> dict[str, float | None]:
    """Milliseconds a step, GiB at the peak, and waits a step; the last two on CUDA alone."""
    run()  # what is made at the first call is not timed
    on_cuda = bench.x.device.type == "cuda"
    if on_cuda:
        torch.cuda.reset_peak_memory_stats(bench.x.device)
    seconds = statistics.median(bench.time(run) for _ in range(repeats))
    peak = torch.cuda.max_memory_allocated(bench.x.device) / 2**30 if on_cuda else None
    return {
        "ms": 1e3 * seconds / steps,
        "peak": peak,
        "waits": waits(run, steps) if on_cuda else None,
    }


def rows(bench: Bench, steps: int, repeats: int, deadline: float) -> Iterable[str]:
    """A row of the table for each kind."""
    trajectories = Trajectories(bench, steps)
    runs: dict[str, Callable[[], Any]] = {
        name: (lambda name=name: trajectories.run(name)) for name in trajectories.denoisers
    }
    runs["published way, our decoder"] = lambda: trajectories.run("published")
    runs["diffusers' pipeline"] = diffusers_run(bench, steps)
    plain: float | None = None
    for name, run in runs.items():
        head = f"| {bench.duration:g} s | {bench.batch} | {name} |"
        if time.monotonic() > deadline:
            yield f"{head} not reached in time | | | |"
            continue
        try:
            found = measured(bench, run, steps, repeats)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            yield f"{head} out of memory | | | |"
            continue
        if plain is None:
            plain = found["ms"]
        told = ["" if found[key] is None else f"{found[key]:.1f}" for key in ("peak", "waits")]
        ratio = found["ms"] / plain if found["ms"] is not None and plain is not None else float("nan")
        yield f"{head} {found['ms']:.1f} | {ratio:.2f} | {' | '.join(told)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full", help="full, tiny, or a folder with an index")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--durations", type=float, nargs="+", default=[10.0, 47.0], help="seconds of sound")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--steps", type=int, default=16, help="of each trajectory")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=7.0, help="after which nothing new is begun")
    arguments = parser.parse_args()

    deadline = time.monotonic() + 60 * arguments.minutes
    arguments.duration, arguments.batch = arguments.durations[0], arguments.batches[0]
    first = load(arguments)
    device = first.backbone.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} (no accelerator)"
    print(f"{arguments.model}, {name}, {first.backbone.dtype}, torch {torch.__version__}\n", flush=True)
    print("| sound | batch | step | ms | to plain | peak GiB | waits |\n|---|--:|---|--:|--:|--:|--:|")
    for duration in arguments.durations:
        for batch in arguments.batches:
            for row in rows(
                replace(first, duration=duration, batch=batch),
                arguments.steps,
                arguments.repeats,
                deadline,
            ):
                print(row, flush=True)


if __name__ == "__main__":
    main()
