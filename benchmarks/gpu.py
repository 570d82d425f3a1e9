"""Trajectories on an accelerator: plain, detour, AMG and diffusers' own pipeline, as tables of ratios.

    sh benchmarks/gpu.sh
    python benchmarks/gpu.py --model tiny --device cpu --durations 1 --batches 1 2 --steps 2   (that it runs)

Each row is a trajectory with its noise, without decoding at the end, or as many steps or decodings of one
batch. What a guidance does once counts as it does in a sound where a trajectory is long; so the cheap ones
are, and the dear ones are short. Times are medians over the repeats, divided by the steps; on a CPU they are
of its processor. With more than one repeat, two steps have run before, and "first" is what they took
beyond others. "Once" is what a trajectory takes besides its steps, by a short one. diffusers' pipeline does
its own waiting and draws its own noise.

With `--profile`, which takes some 20 s a row, "busy" is the device's work of a further step, and "waits" how
often that has the host wait for the device: calls of `cudaStreamSynchronize` and its like.

The gates are told to stay shut or to open by their thresholds. The detour compares with random latents.
"Passes" is what a decoder costs whose activations are not fused. What fails, does not fit into memory, or is
not reached in time, is named in the table; the rows that matter most come first.

With `--compiled` such rows come last, since the network stays compiled. The first trajectory compiles it,
and so does the first gradient, so that "first" is what that takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from step import PROMPT, SELDOM, Bench, load, published_step
from torch import Tensor

from unheard.backbones.stable_audio import snake
from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.diffusion.schedules import polyexponential_sigmas
from unheard.diffusion.settings import Sampling
from unheard.guidance.amg.settings import AMG
from unheard.guidance.detour.denoiser import DetourDenoiser
from unheard.guidance.detour.gates.base import Found
from unheard.guidance.detour.gates.latents import LatentGate

CANDIDATES = 64
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")
SHUT = AMG(lambda_min=2.0, lambda_max=2.0)
WINDOW = 10.0
"""Seconds that are compared of a longer sound: those of CLAP, and of many recordings."""
WARM_UP = 2
"""Steps that are not timed: what is made at the first step, and at the first after it."""
COMPILATION = 195.0
"""Seconds at the end that are kept for the compiled rows. On an H100 the first took 60, of no gradient."""


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

    def around_caption(self, position: int) -> Found:
        return Found([], [])

    def nearest(self, denoised: Tensor, least: float = -1.0) -> Found:
        return Found([], [])


def detour(bench: Bench, recordings: RandomRecordings) -> DetourDenoiser:
    """With a gate that stays shut."""
    return DetourDenoiser(
        bench.denoise,
        bench.conditional,
        bench.unconditional,
        guidance_scale=bench.guidance_scale,
        prompt_weight=0.5,
        gate=LatentGate(2.0, bench.frames, recordings, guidance_scale=bench.guidance_scale),
        fallbacks=lambda _: [],
        encode_captions=bench.encode_neighbours,
    )


class Kind(NamedTuple):
    """What a row measures.

    Attributes:
        run: makes so many steps.
        length: which of the numbers of steps it has: that of cheap trajectories, of dear ones, or of steps
            that are all alike.
    """

    run: Callable[[int], Any]
    length: int


CHEAP, DEAR, ALIKE = 0, 1, 2

PLAIN, DETOUR, SHUT_ROW, SELDOM_ROW = (
    "plain",
    "detour",
    "AMG, shut",
    f"AMG, shut, asked every {SELDOM}th step",
)
SEEN_SHUT, OPEN = "AMG, seen shut by a gate head", "AMG, open"
OPENS, OPENS_FROM_NEAR = "AMG, opens unexpectedly", "AMG, opens after it was near"
PUBLISHED, PUBLISHED_DECODER = "published way", "published way, our decoder"
NEAR_SHUT, NEAR_SELDOM = f"{SHUT_ROW}, window of 10 s", f"{SELDOM_ROW}, window of 10 s"
NEAR_OPEN = f"{OPEN}, window of 10 s"
FIRST = (
    *(PLAIN, DETOUR, SHUT_ROW, SELDOM_ROW, SEEN_SHUT),
    *(OPEN, PUBLISHED_DECODER, OPENS, OPENS_FROM_NEAR, PUBLISHED),
)
FIRST_OF_LONG = (
    *(PLAIN, DETOUR, NEAR_SHUT, NEAR_SELDOM, SHUT_ROW, SELDOM_ROW, SEEN_SHUT),
    *(NEAR_OPEN, OPEN, PUBLISHED_DECODER),
)
COMPILED = (PLAIN, DETOUR, SEEN_SHUT)
COMPILED_GRADIENTS = (OPEN, PUBLISHED_DECODER, PUBLISHED)


def kinds(bench: Bench) -> dict[str, Kind]:
    """All that can be measured of one sound, by name."""
    channels, device = bench.x.shape[1], bench.x.device
    recordings = RandomRecordings(
        [torch.randn(channels, bench.frames, device=device) for _ in range(CANDIDATES)]
    )
    seldom, open_ = replace(SHUT, ask_every=SELDOM), bench.settings
    near = partial(replace, window=WINDOW)
    of_guidance = {
        PLAIN: (CHEAP, bench.plain),
        DETOUR: (CHEAP, lambda: detour(bench, recordings)),
        SHUT_ROW: (DEAR, lambda: bench.guided(SHUT)),
        SELDOM_ROW: (CHEAP, lambda: bench.guided(seldom)),
        SEEN_SHUT: (CHEAP, lambda: bench.foreseen(SHUT)),
        OPEN: (DEAR, lambda: bench.guided(open_)),
        "AMG, open, gradient in pieces": (DEAR, lambda: bench.guided(replace(open_, checkpoint=True))),
    }
    if bench.duration > WINDOW:
        of_guidance |= {
            NEAR_SHUT: (DEAR, lambda: bench.guided(near(SHUT))),
            NEAR_SELDOM: (CHEAP, lambda: bench.guided(near(seldom))),
            NEAR_OPEN: (DEAR, lambda: bench.guided(near(open_))),
        }
    found = {
        name: Kind(partial(trajectory, bench, make), length) for name, (length, make) in of_guidance.items()
    }
    open_in_passes = with_passes(found[OPEN].run)
    return found | {
        OPENS: Kind(alike(lambda: opening(bench)), ALIKE),
        OPENS_FROM_NEAR: Kind(alike(lambda: opening(bench, similarity=1.0)), ALIKE),
        PUBLISHED: Kind(alike(lambda: published_step(bench, bench.library_decode)), ALIKE),
        PUBLISHED_DECODER: Kind(alike(lambda: published_step(bench, bench.decode)), ALIKE),
        "diffusers' pipeline": Kind(partial(diffusers_run, bench), CHEAP),
        "decode": Kind(alike(decoding(bench, gradient=False)), DEAR),
        "decode, passes": Kind(with_passes(alike(decoding(bench, gradient=False))), DEAR),
        "decode with gradient": Kind(alike(decoding(bench, gradient=True)), DEAR),
        "decode with gradient, passes": Kind(with_passes(alike(decoding(bench, gradient=True))), DEAR),
        "AMG, open, passes": Kind(open_in_passes, DEAR),
    }


def trajectory(bench: Bench, denoiser: Callable[[], Any], steps: int) -> None:
    """From pure noise."""
    sampling = Sampling()
    sigmas = polyexponential_sigmas(steps, sampling.sigma_min, sampling.sigma_max)
    shape, seeds, device = bench.x.shape[1:], range(bench.batch), bench.x.device
    start = float(sigmas[0]) * initial_noise(shape, seeds, device)
    noise = noise_of(sampling, sigmas, shape, seeds, device)
    SAMPLERS[sampling.sampler](denoiser(), start, sigmas, noise)


def alike(step: Callable[[], Any]) -> Callable[[int], None]:
    """So many times the same step, at one noise level."""

    def run(steps: int) -> None:
        for _ in range(steps):
            step()

    return run


def opening(bench: Bench, similarity: float | None = None) -> Tensor:
    """The step in which a gate opens, after a similarity that was near its threshold, or as the first."""
    guided = bench.guided(bench.settings)
    if similarity is not None:
        guided._similarities = dict.fromkeys(range(bench.batch), similarity)
    return guided(bench.x, bench.sigma)


def diffusers_run(bench: Bench, steps: int) -> None:
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
    pipeline(
        [PROMPT] * bench.batch,
        num_inference_steps=steps,
        guidance_scale=bench.guidance_scale,
        audio_end_in_s=bench.duration,
        output_type="latent",
    )


@contextmanager
def passes() -> Iterator[None]:
    """The decoder's activations are not fused."""
    kernels, snake.kernels = snake.kernels, lambda _: None
    try:
        yield
    finally:
        snake.kernels = kernels


def with_passes(run: Callable[[int], Any]) -> Callable[[int], Any]:
    return passes()(run)


def decoding(bench: Bench, gradient: bool) -> Callable[[], None]:
    """A decoding of one batch, with its gradient in the latents if asked for."""
    latents = torch.randn_like(bench.x)

    def run() -> None:
        with torch.set_grad_enabled(gradient):
            x = latents.clone().requires_grad_(gradient)
            sound = bench.decode(x)
            if gradient:
                torch.autograd.grad(sound, x, torch.ones_like(sound))

    return run


def profiled(run: Callable[[int], Any]) -> tuple[float, float]:
    """How often a further step has the host wait for the device, and for how many seconds the device works.

    In ten steps, beyond those of two.
    """
    few, many = 2, 2 + SELDOM
    (fewer_waits, less), (waits, work) = profile_of(run, few), profile_of(run, many)
    return (waits - fewer_waits) / (many - few), (work - less) / (many - few)


def profile_of(run: Callable[[int], Any], steps: int) -> tuple[int, float]:
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as told:
        run(steps)
        torch.cuda.synchronize()
    events = told.key_averages()
    work = [each.self_device_time_total for each in events if each.device_type == DeviceType.CUDA]
    return sum(each.count for each in events if each.key in WAITS), sum(work) / 1e6


class Measured(NamedTuple):
    """What was measured of a row.

    Attributes:
        seconds: a step's, with its share of what a trajectory does once.
        once: seconds that a trajectory takes besides its steps.
        first: seconds that the first run took beyond the others.
        peak: GiB of memory.
    """

    seconds: float
    once: float | None
    first: float | None
    peak: float | None


@dataclass
class Table:
    """The rows as they come; each is printed at once.

    Attributes:
        first: the parts that all sounds share.
        steps: of cheap trajectories, of dear ones, and of steps that are alike.
        profile: whether each row is run once more under the profiler.
        only: the names of the rows that are wanted; all if empty.
        seconds: a step's of each row so far, by sound, batch and name.
    """

    first: Bench
    steps: Sequence[int]
    repeats: int
    profile: bool
    only: Sequence[str]
    seconds: dict[tuple[float, int, str], float] = field(default_factory=dict)
    _bench: Bench | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of numbers."""
        measured = ("steps", "ms a step", "a step and sound", "to plain", "once, ms", "first, s", "peak GiB")
        return (*measured, "busy, ms", "waits") if self.profile else measured

    def head(self) -> None:
        print(f"| sound | batch | row | {' | '.join(self.columns)} |")
        print("|---|--:|---|" + "--:|" * len(self.columns))

    def rows(
        self,
        duration: float,
        batch: int,
        names: Iterable[str],
        deadline: float,
        *,
        compiled: bool = False,
    ) -> None:
        """Measure these of one sound, so far as they are wanted and there is time."""
        nothing = " |" * (len(self.columns) - 1)
        for name in names:
            if self.only and name not in self.only:
                continue
            shown = f"{name}, compiled" if compiled else name
            head = f"| {duration:g} s | {batch} | {shown} |"
            if time.monotonic() > deadline:
                print(f"{head} not reached in time |{nothing}", flush=True)
                continue
            try:
                print(f"{head} {self._row(duration, batch, name, shown, deadline)} |", flush=True)
            except Exception as error:  # whatever one row dies of, the next is measured
                out = isinstance(error, torch.cuda.OutOfMemoryError)
                print(f"{head} {'out of memory' if out else told_of(error)} |{nothing}", flush=True)
            if self.first.x.device.type == "cuda":
                torch.cuda.empty_cache()

    def _row(self, duration: float, batch: int, name: str, shown: str, deadline: float) -> str:
        bench = self._of(duration, batch)
        kind = kinds(bench)[name]
        steps = self.steps[min(kind.length, len(self.steps) - 1)]
        measured = self._measure(bench, kind.run, steps, deadline, whole=shown != name)
        self.seconds[duration, batch, shown] = measured.seconds
        plain = self.seconds.get((duration, batch, PLAIN))
        cells = [
            str(steps),
            f"{1e3 * measured.seconds:.1f}",
            f"{1e3 * measured.seconds / batch:.1f}",
            f"{measured.seconds / plain:.2f}" if plain else "",
            "" if measured.once is None else f"{1e3 * measured.once:.0f}",
            "" if measured.first is None else f"{measured.first:.1f}",
            "" if measured.peak is None else f"{measured.peak:.1f}",
            *(self._profiled(kind.run) if self.profile else ()),
        ]
        return " | ".join(cells)

    def _profiled(self, run: Callable[[int], Any]) -> tuple[str, str]:
        """Cells; of a profiler that does not run, why."""
        try:
            waits, work = profiled(run)
        except Exception as error:
            return told_of(error), ""
        return f"{1e3 * work:.1f}", f"{waits:.1f}"

    def _of(self, duration: float, batch: int) -> Bench:
        if self._bench is None or (self._bench.duration, self._bench.batch) != (duration, batch):
            self._bench = None  # before the next is made, that its memory is free
            self._bench = replace(self.first, duration=duration, batch=batch)
        return self._bench

    def _measure(
        self, bench: Bench, run: Callable[[int], Any], steps: int, deadline: float, whole: bool
    ) -> Measured:
        """Once at least, and no repeat after the deadline; `whole` has the first run be a whole one."""
        on_cuda = bench.x.device.type == "cuda"
        warm_up = steps if whole else min(steps, WARM_UP)
        warm = bench.time(lambda: run(warm_up)) if self.repeats > 1 else None
        if on_cuda:
            torch.cuda.reset_peak_memory_stats(bench.x.device)
        times = [bench.time(lambda: run(steps))]
        few = self.steps[min(DEAR, len(self.steps) - 1)]
        short = bench.time(lambda: run(few)) if few < steps else None
        while len(times) < self.repeats and time.monotonic() < deadline:
            times.append(bench.time(lambda: run(steps)))
        peak = torch.cuda.max_memory_allocated(bench.x.device) / 2**30 if on_cuda else None
        a_step = statistics.median(times) / steps
        once = None if short is None else (short * steps - times[0] * few) / (steps - few)
        return Measured(a_step, once, None if warm is None else warm - warm_up * a_step, peak)

    def aims(self, aims: Iterable[Aim]) -> None:
        """What was measured of them, beside what was aimed at."""
        measured = [
            (aim, self.seconds[aim.row] / self.seconds[aim.to] / aim.sounds)
            for aim in aims
            if aim.row in self.seconds and aim.to in self.seconds
        ]
        if not measured:
            return
        print("\n| aim | at most | measured | |\n|---|--:|--:|---|")
        for aim, ratio in measured:
            verdict = "met" if ratio <= aim.at_most else "missed"
            print(f"| {aim.told} | {aim.at_most:g} | {ratio:.2f} | {verdict} |")
        print(flush=True)


Row = tuple[float, int, str]


class Aim(NamedTuple):
    """A ratio of two rows; of so many more `sounds`, a sound."""

    told: str
    at_most: float
    row: Row
    to: Row
    sounds: int = 1


def aims_of(durations: Sequence[float], batches: Sequence[int], suffix: str = "") -> list[Aim]:
    """What was aimed at, of all sounds; `suffix` of the names of compiled rows."""
    one, short = batches[0], durations[0]
    aims = []
    for duration in durations:
        plain = (duration, one, PLAIN + suffix)
        at = f"{duration:g} s"
        aims.append(
            Aim(f"{at}: detour{suffix}, to plain{suffix}", 1.05, (duration, one, DETOUR + suffix), plain)
        )
        aims += [
            Aim(f"{at}: {name}{suffix}, to plain{suffix}", 1.15, (duration, one, name + suffix), plain)
            for name in (SHUT_ROW, NEAR_SHUT, SELDOM_ROW, NEAR_SELDOM, SEEN_SHUT)
        ]
        aims += [
            Aim(f"{at}: {name}{suffix}, to plain{suffix}", 3.0, (duration, one, name + suffix), plain)
            for name in (OPEN, NEAR_OPEN)
        ]
        aims += [
            Aim(
                f"{at}: {name}{suffix}, to the {published}{suffix}",
                at_most,
                (duration, one, name + suffix),
                (duration, one, published + suffix),
            )
            for name, published, at_most in (
                (OPEN, PUBLISHED_DECODER, 0.67),
                (OPENS, PUBLISHED, 1.0),
                (OPENS, PUBLISHED_DECODER, 1.0),
                (OPENS_FROM_NEAR, PUBLISHED, 1.0),
                (OPENS_FROM_NEAR, PUBLISHED_DECODER, 1.0),
            )
        ]
    aims += [
        Aim(
            f"{short:g} s: {name}{suffix}, {batch} at once to one, a sound",
            0.75,
            (short, batch, name + suffix),
            (short, one, name + suffix),
            sounds=batch // one,
        )
        for batch in batches[1:]
        for name in (PLAIN, DETOUR)
    ]
    return aims


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
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 4])
    parser.add_argument(
        "--steps",
        type=int,
        nargs="+",
        default=[50, 8, 4],
        help="of cheap trajectories, dear ones, and steps that are all alike; the last holds for the rest",
    )
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--rows", nargs="+", default=[], help="kinds by name, in the table's words; all if left out"
    )
    parser.add_argument(
        "--compiled", action="store_true", help="measure compiled rows as well, for which time is kept"
    )
    parser.add_argument("--profile", action="store_true", help="on CUDA, tell how busy the device is as well")
    parser.add_argument("--minutes", type=float, default=5.0, help="after which nothing new is begun")
    arguments = parser.parse_args()

    began = time.monotonic()
    end = began + 60 * arguments.minutes
    deadline = end - COMPILATION * arguments.compiled
    durations, batches = arguments.durations, arguments.batches
    arguments.duration, arguments.batch = durations[0], batches[0]
    first = load(arguments)
    device = first.backbone.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} (no accelerator)"
    print(f"{arguments.model}, {name}, {first.backbone.dtype}, torch {torch.__version__}")
    print(f"activations: {'passes' if snake.kernels(device) is None else 'fused'}")
    print(f"made in {time.monotonic() - began:.0f} s\n", flush=True)

    profile = arguments.profile and device.type == "cuda"
    table = Table(first, arguments.steps, arguments.repeats, profile, arguments.rows)
    table.head()
    (short, *longer), (one, *together) = durations, batches
    table.rows(short, one, FIRST, deadline)
    for duration in longer:
        table.rows(duration, one, FIRST_OF_LONG if duration > WINDOW else FIRST, deadline)
    for batch in together[:1]:
        table.rows(short, batch, (PLAIN, DETOUR), deadline)
    rest = [each for each in kinds(table._of(short, one)) if each not in FIRST]
    table.rows(short, one, rest, deadline)
    for batch in together[1:]:
        table.rows(short, batch, (PLAIN, DETOUR, SHUT_ROW, OPEN), deadline)
    table.aims(aims_of(durations, batches))

    if arguments.compiled:
        first.backbone.compile()
        table.head()
        for names in (COMPILED, COMPILED_GRADIENTS):
            for duration in durations:
                table.rows(duration, one, names, end, compiled=True)
        table.aims(aims_of(durations, batches, ", compiled"))
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
