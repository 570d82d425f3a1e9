"""Whether a studio's memory grows while it is used for long, and whether anything fails.

    unheard studio --output /tmp/takes &
    python benchmarks/soak.py http://127.0.0.1:7860/ --minutes 60

Several clients at once generate, cancel, ask for what cannot be, audit, search and list the history, through
the API that `docs/studio.md` describes. Every minute a line says how many requests were answered, how many
failed that should not have, and the memory that the studio holds. At the end it prints the slope of a line
through the memory after the first fifth, when everything is loaded.

The studio is found by the port that it listens at, so it must run on this machine; psutil is in the extra
`test`.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import numpy as np
import psutil
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

MEGABYTE = 1 << 20
WARM_UP = 0.2
"""Share of the time after which memory is expected to stay."""
PROMPTS = ("An acoustic drum loop, 110 bpm", "Music box lullaby for a sleepless child", "A warm pad")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="denoising steps of a sound")
    options = parser.parse_args()

    studio = process_at(urlsplit(options.url).port or 80)
    ends = time.monotonic() + 60 * options.minutes
    answered: Counter[str] = Counter()
    clients = [
        threading.Thread(target=use, args=(options.url, options.steps, seed, ends, answered), daemon=True)
        for seed in range(options.clients)
    ]
    for client in clients:
        client.start()
    measured = watch(studio, ends, answered)
    for client in clients:
        client.join(timeout=120)
    print(summary(measured, answered))


def process_at(port: int) -> psutil.Process:
    """What listens at a port of this machine."""
    for process in psutil.process_iter():
        try:
            listens = [each.laddr.port for each in process.net_connections() if each.status == "LISTEN"]
        except psutil.Error:
            continue
        if port in listens:
            return process
    raise SystemExit(f"nothing listens at port {port} of this machine: start `unheard studio` first")


def use(url: str, steps: int, seed: int, ends: float, answered: Counter[str]) -> None:
    """One client's requests, one after another, in an order that its seed draws."""
    downloads = tempfile.TemporaryDirectory(prefix="unheard-soak-")
    client, draw = Client(url, verbose=False, download_files=downloads.name), random.Random(seed)
    take: dict[str, str] | None = None
    while time.monotonic() < ends:
        what = draw.choice(("generate", "generate", "cancel", "refuse", "audit", "search", "history"))
        short = {"num_inference_steps": steps}
        try:
            if what == "generate":
                prompt, number = draw.choice(PROMPTS), draw.randrange(1 << 32)
                made = client.predict(prompt=prompt, seed=number, options=short, api_name="/generate")
                take = made[0]["guided"]
            elif what == "cancel":
                long = {"num_inference_steps": 100 * steps}
                job = client.submit(prompt=PROMPTS[0], options=long, api_name="/generate")
                while not job.done():
                    time.sleep(draw.random())
                    client.predict(api_name="/cancel")
                job.result()
            elif what == "refuse":
                client.predict(prompt="", api_name="/generate")
            elif what == "audit" and take is not None:
                client.predict(sounds=[handle_file(take["file"])], api_name="/audit")
            elif what == "search":
                client.predict(text=draw.choice(PROMPTS), count=5, api_name="/search_index")
            else:
                client.predict(api_name="/history")
            answered[what] += 1
        except AppError as error:
            expected = ("cancel" in what and "cancelled" in str(error)) or what == "refuse"
            answered[what if expected else f"failed: {what}: {error}"] += 1
        except Exception as error:  # counted, so that an hour's work is not lost to it
            answered[f"failed: {what}: {type(error).__name__}: {error}"] += 1


def watch(studio: psutil.Process, ends: float, answered: Counter[str]) -> list[tuple[float, float]]:
    """Minutes and megabytes, ten times a minute; a line a minute."""
    began, measured = time.monotonic(), list[tuple[float, float]]()
    while (now := time.monotonic()) < ends:
        measured.append(((now - began) / 60, studio.memory_info().rss / MEGABYTE))
        if len(measured) % 10 == 1:
            minutes, megabytes = measured[-1]
            failed = sum(count for what, count in answered.items() if what.startswith("failed"))
            total = sum(answered.values())
            print(
                f"{minutes:6.1f} min {megabytes:8.0f} MB {total:6d} answered {failed:4d} failed", flush=True
            )
        time.sleep(6)
    return measured


def summary(measured: list[tuple[float, float]], answered: Counter[str]) -> str:
    """Growth in megabytes an hour, and what was answered."""
    minutes, megabytes = np.array(measured).T
    warm = minutes >= WARM_UP * minutes[-1]
    slope = np.polyfit(minutes[warm], megabytes[warm], 1)[0] if warm.sum() > 1 else float("nan")
    lines = [f"memory: {megabytes[warm][0]:.0f} to {megabytes[-1]:.0f} MB, {60 * slope:+.1f} MB an hour"]
    lines += [f"  {count:6d}  {what}" for what, count in sorted(answered.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
