"""Counts copies: `python -m lab.replication none published ...`; `python -m lab.report` makes the tables.

Every setting generates the 30 memorised captions with 8 seeds and 60 captions that the model never saw, from
the same noise. A copy is a sound whose log-mel correlation with a training recording (`likeness.py`), or with
that recording after a passage through the autoencoder, which every output has behind it, is above the highest
value between different training recordings of the same instrument and tempo: a measure that is not the guide,
at a threshold that no output had a say in. Adherence to the prompt is judged by the second CLAP, which no
guidance uses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

import unheard
from lab import likeness, sizes
from lab.corpus_files import Corpus, as_float
from lab.latents import decode_corpus
from unheard.embedders import load_embedder
from unheard.guidance import describe_guidance
from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour

SEEDS = 8
BEST = unheard.AMG(c1=0.0, c2=0.0, c3=10_000)
"""Of the published guidance, what `lab.search` chose on other seeds."""


def settings(model: unheard.Model) -> dict[str, tuple[float, Guidance | None]]:
    """Guidance scale and guidance by name."""
    scale = model.defaults.sampling.guidance_scale
    return {
        "none": (scale, None),
        "published": (scale, unheard.AMG()),
        "published, scale 7": (7.0, unheard.AMG()),
        "none, scale 7": (7.0, None),
        "best": (scale, BEST),
        "detour": (scale, Detour()),
    }


class Catalogue:
    """What outputs are compared with: the training recordings, and how the autoencoder gives each back."""

    def __init__(self, work: Path) -> None:
        self.corpus = Corpus(work / "corpus")
        self.sources = (self.corpus.sounds, decode_corpus(self.corpus, work / "vae", "cpu"))
        self._training: dict[float, list[torch.Tensor]] = {}

    def features(self, positions: list[int], duration: float) -> list[torch.Tensor]:
        """Log-mel features of the first `duration` seconds, recordings and reconstructions."""
        samples = round(duration * sizes.SAMPLE_RATE)

        def log_mel(source: np.ndarray, some: list[int]) -> torch.Tensor:
            return likeness.log_mel(as_float(source[some, :samples]))

        pieces = [positions[i : i + 64] for i in range(0, len(positions), 64)]
        return [torch.cat([log_mel(source, some) for some in pieces]) for source in self.sources]

    def correlations(self, waveforms: torch.Tensor, duration: float) -> np.ndarray:
        """Of outputs `[sounds, time]` with every training recording, `[sounds, recordings]`."""
        queries = likeness.log_mel(waveforms)
        if duration not in self._training:
            self._training[duration] = self.features(self.corpus.training, duration)
        references = self._training[duration]
        return np.maximum(*(likeness.correlations(queries, each) for each in references))

    def threshold(self) -> float:
        """The highest value between different training recordings of one instrument, tempo and duration."""
        groups: dict[tuple, list[int]] = defaultdict(list)
        for position in self.corpus.training:
            row = self.corpus.rows[position]
            groups[row["family"], row["program"], row["tempo"], row["duration"]].append(position)
        highest = 0.0
        for (*_, duration), positions in groups.items():
            if len(positions) > 1:
                for features in self.features(positions, duration):
                    between = likeness.correlations(features, features)
                    np.fill_diagonal(between, 0.0)
                    highest = max(highest, float(between.max()))
        return highest


def origin(model: unheard.Model, scale: float, guidance: Guidance | None, rows: list[dict]) -> str:
    """Tells sounds from those of other weights, settings or captions under the same name."""
    asked = [(row["caption"], row["duration"], row["seed"]) for row in rows]
    made_by = [model.backbone.fingerprint, scale, describe_guidance(guidance), asked]
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:12]


def generate(
    model: unheard.Model,
    name: str,
    scale: float,
    guidance: Guidance | None,
    rows: list[dict],
    folder: Path,
    batch: int,
) -> list[dict]:
    """Sounds of `rows` (caption, duration, seed, ...) under one setting; cached in `folder` to be resumed."""
    results = []
    for kind, duration in sorted({(row["repetitions"] > 0, row["duration"]) for row in rows}, reverse=True):
        same = [row for row in rows if (row["repetitions"] > 0, row["duration"]) == (kind, duration)]
        for start in range(0, len(same), batch):
            some = same[start : start + batch]
            stem = name.replace(" ", "-").replace(",", "")
            file = folder / f"{stem}-{origin(model, scale, guidance, some)}.npz"
            if not file.is_file():
                began = time.monotonic()
                sounds = model.generate(
                    [row["caption"] for row in some],
                    seed=[row["seed"] for row in some],
                    duration=duration,
                    batch=batch,
                    guidance_scale=scale,
                    guidance=guidance,
                )
                np.savez(
                    file.with_suffix(".new.npz"),
                    waveforms=torch.stack([sound.waveform[0] for sound in sounds]).numpy(),
                    acted=[sound.acted for sound in sounds],
                    similarity=[sound.nearest[0].similarity for sound in sounds],
                    nearest=[sound.nearest[0].id for sound in sounds],
                )
                file.with_suffix(".new.npz").rename(file)
                elapsed, made = time.monotonic() - began, start + len(some)
                print(f"{name}: {duration} s, {made} of {len(same)}, {elapsed:.0f} s", flush=True)
            saved = np.load(file)
            for i, row in enumerate(some):
                results.append(
                    {
                        **row,
                        "waveform": saved["waveforms"][i],
                        "acted": int(saved["acted"][i]),
                        "guide_similarity": float(saved["similarity"][i]),
                        "nearest": str(saved["nearest"][i]),
                    }
                )
    return results


def judge(
    results: list[dict], catalogue: Catalogue, judge_folder: Path, pool: list[str], threshold: float
) -> None:
    """Adds to each result: likeness to the most alike recording, copy or not, adherence, caption's rank."""
    embedder = load_embedder(judge_folder)
    ids = [catalogue.corpus.rows[position]["id"] for position in catalogue.corpus.training]
    with torch.no_grad():
        captions = sorted({r["caption"] for r in results} | set(pool))
        said = dict(zip(captions, embedder.embed_text(captions), strict=True))
        for duration in sorted({r["duration"] for r in results}):
            same = [r for r in results if r["duration"] == duration]
            waveforms = torch.from_numpy(np.stack([r["waveform"] for r in same]))
            found = catalogue.correlations(waveforms, duration)
            pieces = waveforms[:, None].split(16)
            embeddings = torch.cat([embedder.embed_audio(piece, sizes.SAMPLE_RATE) for piece in pieces])
            for result, alike, sound in zip(same, found, embeddings, strict=True):
                best = int(alike.argmax())
                result["likeness"], result["most_alike"] = float(alike[best]), ids[best]
                result["copy"] = bool(alike[best] > threshold)
                others = [c for c in pool if c != result["caption"]][: sizes.RETRIEVAL_POOL - 1]
                right = float(said[result["caption"]] @ sound)
                wrong = torch.stack([said[c] for c in others]) @ sound
                result["adherence"], result["rank"] = right, int((wrong > right).sum())
                result["shuffled"] = float(wrong.mean())
                del result["waveform"]


def prompts(folder: Path, seeds: range, ordinary: int = 0) -> tuple[list[dict], list[str]]:
    """Memorised captions with every seed, ordinary ones with one; and the pool of captions for retrieval."""
    memorised = json.loads((folder / "memorised.json").read_text())
    unseen = json.loads((folder / "prompts.json").read_text())
    rows = [
        {
            "caption": entry["caption"],
            "duration": 4.0,
            "seed": seed,
            "repetitions": entry["repetitions"],
            "takes": len(entry["items"]),
        }
        for seed in seeds
        for entry in memorised
    ]
    once = {"seed": seeds.start, "repetitions": 0, "takes": 0}
    rows += [row | once for row in unseen["ordinary"][:ordinary]]
    return rows, unseen["pool"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="settings to run, e.g. none published best")
    parser.add_argument(
        "--model", type=Path, default="src/unheard/assets/tiny", help="folder of the bundled model"
    )
    parser.add_argument(
        "--work", type=Path, default="build/lab", help="folder of the corpus; results go to replication/"
    )
    parser.add_argument("--batch", type=int, default=4, help="sounds at once (default: 4)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"a memorised caption (default: {SEEDS})")
    parser.add_argument("--ordinary", type=int, default=60, help="ordinary captions (default: 60)")
    arguments = parser.parse_args()
    folder = arguments.work / "replication"
    folder.mkdir(parents=True, exist_ok=True)
    catalogue, model = Catalogue(arguments.work), unheard.load(arguments.model)
    rows, pool = prompts(arguments.model, range(arguments.seeds), arguments.ordinary)
    threshold = catalogue.threshold()
    known = settings(model)
    for name in arguments.names:
        scale, guidance = known[name]
        results = generate(model, name, scale, guidance, rows, folder, arguments.batch)
        judge(results, catalogue, arguments.model / "judge", pool, threshold)
        weights = describe_guidance(guidance)
        record = {"setting": name, "guidance_scale": scale, "guidance": weights, "threshold": threshold}
        file = folder / f"{name.replace(', ', '-').replace(' ', '-')}.json"
        file.write_text(json.dumps(record | {"results": results}, indent=1))
        for dose in sorted({r["repetitions"] for r in results}):
            some = [r for r in results if r["repetitions"] == dose]
            copies, first = sum(r["copy"] for r in some), np.mean([r["rank"] < 1 for r in some])
            adherence = np.mean([r["adherence"] for r in some])
            print(f"{name}: x{dose}: {copies} copies of {len(some)}, ", end="")
            print(f"adherence {adherence:.3f}, top 1 {first:.2f}", flush=True)


if __name__ == "__main__":
    main()
