"""Trajectories on an accelerator: plain, detour, AMG and diffusers' own pipeline, as one table of ratios.

    sh benchmarks/gpu.sh
    python benchmarks/gpu.py --model tiny --device cpu --durations 1 --batches 1 --steps 2   (that it runs)

Each row is a trajectory of a few steps with its noise, without decoding at the end, or as many decodings of
one batch. Times are medians over the repeats, divided by the steps; on a CPU they are of its processor.
With more than one repeat each has run once before. "Waits" counts how often a step has the host wait for the
device, by the profiler: calls of `cudaStreamSynchronize` and its like. diffusers' pipeline does its own
waiting and draws its own noise.

The gates are told to stay shut or to open by their thresholds. The detour compares with random latents.
"Passes" is what a decoder costs whose activations are not fused. What fails, does not fit into memory, or is
not reached in time, is named in the table; the rows that matter most come first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from step import PROMPT, Bench, load, published_step
from torch import Tensor

from unheard.backbones.stable_audio import snake
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
WINDOW = 10.0
"""Seconds that are compared of a longer sound: those of CLAP, and of many recordings."""


@dataclass
class RandomRecordings:
    """As many recordings as a detour compares with, none of which any sound is."""

    latents: list[Tensor]
    complete: bool = True

    def of_caption(self, sample: int) -> Found:
        return Found([], [])

    def sounding_like(self, denoised: Tensor) -> list[list[int]]:
        return [[] for _ in denoised]

    def around(self, sample: int, sounding: list[int]) -> Found:
        return Found([*range(len(self.latents))], self.latents)

    def available(self, positions: Iterable[int]) -> Found:
        return Found([], [])


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
            "AMG, seen shut by a gate head": lambda: bench.foreseen(SHUT),
            "AMG, open": lambda: bench.guided(bench.settings),
            "AMG, open, gradient in pieces": lambda: bench.guided(replace(bench.settings, checkpoint=True)),
        }
        if bench.duration > WINDOW:
            near = replace(SHUT, window=WINDOW)
            self.denoisers |= {
                "AMG, shut, window of 10 s": lambda: bench.guided(near),
                "AMG, shut, window of 10 s, every 8th step": lambda: bench.guided(replace(near, ask_every=8)),
                "AMG, open, window of 10 s": lambda: bench.guided(replace(bench.settings, window=WINDOW)),
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


@contextmanager
def passes() -> Iterator[None]:
    """The decoder's activations are not fused."""
    kernels, snake.kernels = snake.kernels, lambda _: None
    try:
        yield
    finally:
        snake.kernels = kernels


def with_passes(run: Callable[[], Any]) -> Callable[[], Any]:
    return passes()(run)


def decoding(bench: Bench, steps: int, gradient: bool) -> Callable[[], Any]:
    """Decodings of one batch, each with its gradient in the latents if asked for."""
    latents = torch.randn_like(bench.x)

    def run() -> None:
        for _ in range(steps):
            with torch.set_grad_enabled(gradient):
                x = latents.clone().requires_grad_(gradient)
                sound = bench.decode(x)
                if gradient:
                    torch.autograd.grad(sound, x, torch.ones_like(sound))

    return run


def measured(bench: Bench, run: Callable[[], Any], repeats: int, deadline: float) -> tuple[float, str]:
    """Seconds of a run, and GiB at its peak, if on CUDA; once at least, and no repeat after the deadline."""
    on_cuda = bench.x.device.type == "cuda"
    if repeats > 1:
        run()  # what is made at the first call is not timed
    if on_cuda:
        torch.cuda.reset_peak_memory_stats(bench.x.device)
    times = [bench.time(run)]
    while len(times) < repeats and time.monotonic() < deadline:
        times.append(bench.time(run))
    peak = f"{torch.cuda.max_memory_allocated(bench.x.device) / 2**30:.1f}" if on_cuda else ""
    return statistics.median(times), peak


def runs_of(bench: Bench, steps: int) -> dict[str, Callable[[], Any]]:
    """What is timed, by name, that which matters most first."""
    trajectories = Trajectories(bench, steps)
    runs: dict[str, Callable[[], Any]] = {
        name: (lambda name=name: trajectories.run(name)) for name in trajectories.denoisers
    }
    open_ = runs["AMG, open"]
    return runs | {
        "AMG, open, passes": with_passes(open_),
        "published way, our decoder": lambda: trajectories.run("published"),
        "diffusers' pipeline": lambda: diffusers_run(bench, steps)(),
        "decode": decoding(bench, steps, gradient=False),
        "decode, passes": with_passes(decoding(bench, steps, gradient=False)),
        "decode with gradient": decoding(bench, steps, gradient=True),
        "decode with gradient, passes": with_passes(decoding(bench, steps, gradient=True)),
    }


def rows(
    bench: Bench, steps: int, repeats: int, deadline: float, count_waits: bool, only: Sequence[str]
) -> Iterable[str]:
    """A row of the table for each kind, or for those whose names are given."""
    on_cuda = bench.x.device.type == "cuda"
    plain: float | None = None
    for name, run in runs_of(bench, steps).items():
        if only and name not in only:
            continue
        head = f"| {bench.duration:g} s | {bench.batch} | {name} |"
        if time.monotonic() > deadline:
            yield f"{head} not reached in time | | | |"
            continue
        try:
            seconds, peak = measured(bench, run, repeats, deadline)
            waited = f"{waits(run, steps):.1f}" if on_cuda and count_waits else ""
        except Exception as error:  # whatever one row dies of, the next is measured
            reason = "out of memory" if isinstance(error, torch.cuda.OutOfMemoryError) else told_of(error)
            yield f"{head} {reason} | | | |"
        else:
            plain = plain or seconds
            yield f"{head} {1e3 * seconds / steps:.1f} | {seconds / plain:.2f} | {peak} | {waited} |"
        if on_cuda:
            torch.cuda.empty_cache()


def told_of(error: BaseException) -> str:
    """In one cell of the table."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:100]}".replace("|", "/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full", help="full, tiny, or a folder with an index")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--durations", type=float, nargs="+", default=[10.0, 47.0], help="seconds of sound")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--steps", type=int, default=8, help="of each trajectory")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--rows", nargs="+", default=[], help="kinds by name, in the table's words; all if left out"
    )
    parser.add_argument("--minutes", type=float, default=7.0, help="after which nothing new is begun")
    arguments = parser.parse_args()

    began = time.monotonic()
    deadline = began + 60 * arguments.minutes
    arguments.duration, arguments.batch = arguments.durations[0], arguments.batches[0]
    first = load(arguments)
    device = first.backbone.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} (no accelerator)"
    print(f"{arguments.model}, {name}, {first.backbone.dtype}, torch {torch.__version__}")
    print(f"activations: {'passes' if snake.kernels(device) is None else 'fused'}")
    print(f"made in {time.monotonic() - began:.0f} s\n", flush=True)
    print("| sound | batch | step | ms | to plain | peak GiB | waits |\n|---|--:|---|--:|--:|--:|--:|")
    count_waits = True  # in the first sounds alone: they are as many in all, and to profile takes time
    for batch in arguments.batches:
        for duration in arguments.durations:
            try:
                bench = replace(first, duration=duration, batch=batch)
                told = rows(bench, arguments.steps, arguments.repeats, deadline, count_waits, arguments.rows)
                for row in told:
                    print(row, flush=True)
            except Exception as error:
                print(f"| {duration:g} s | {batch} | {told_of(error)} | | | | |", flush=True)
            count_waits = False


if __name__ == "__main__":
    main()
