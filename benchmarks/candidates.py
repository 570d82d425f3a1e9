"""Whether a detour finds the memorised recording among half a million, and what looking for it costs.

    python benchmarks/candidates.py --items 500000

The bundled model's training set with distractors around its items: each distractor's embedding is at a cosine
of .8 to .97 to an item's, and its caption is the item's with a word more. All count as available. A caption
heard 48 times or more is asked for as it is, and in other words ("something like ...", which no caption of
the set is); its first prediction is decoded and embedded as in a generation. Only predictions that are a
recording of the caption, which the gate would open for, have to find it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from search import index_of
from vectors import Embeddings

import unheard
from unheard.diffusion.noise import initial_noise
from unheard.guidance.detour.candidates import Candidates
from unheard.guidance.detour.correlation import COMMON_AT_MOST, Recordings
from unheard.guidance.detour.recording_latents import RecordingLatents
from unheard.guidance.detour.settings import Detour
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index

LEAST_REPETITIONS = 48
SEED = 200


def crowded(own: Index, items: int) -> Index:
    """The items of an index, each among distractors, `items` in all."""
    generator = np.random.default_rng(0)
    vectors = own.vectors(torch.arange(len(own))).numpy()
    around = generator.integers(0, len(own), items - len(own))
    cosines = generator.uniform(0.8, 0.97, (len(around), 1))
    distractors = Embeddings(own.dimension).near(vectors[around], cosines)
    ids = [*own.ids, *(f"distractor {number}" for number in range(len(around)))]
    prompts = [
        *own.prompts,
        *(f"{own.prompts[item]} variant{number}" for number, item in enumerate(around)),
    ]
    return index_of(torch.from_numpy(np.concatenate([vectors, distractors]).astype(np.float32)), ids, prompts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=500_000, help="of the training set (default: 500,000)")
    parser.add_argument("--candidates", type=int, default=64, help="for each sound (default: 64)")
    arguments = parser.parse_args()

    model = unheard.load("tiny")
    assert model.index is not None
    assert model.defaults.references is not None
    memorised = [
        entry
        for entry in json.loads(model.defaults.references.read_text(encoding="utf-8"))
        if entry["repetitions"] >= LEAST_REPETITIONS
    ]
    folder = model.defaults.references.parent / "memorised"
    latents = RecordingLatents(model.backbone, folder.parent)
    index = crowded(model.index, arguments.items)
    began = time.perf_counter()
    index.captions.positions("")
    print(f"{len(index):,} items; captions put in order once: {time.perf_counter() - began:.1f} s")
    for what, template in (("as it is", "{}"), ("in other words", "something like {}")):
        replays = found = 0
        seconds = []
        for entry in memorised:
            items = set(entry["items"])
            prompt = template.format(entry["caption"])
            prediction, among, took = look(model, index, prompt, arguments.candidates)
            seconds.append(took)
            own = [latents.of(path) for path in folder.iterdir() if path.stem in items]
            correlation = Recordings(own, prediction.shape[-1]).correlations(prediction).max()
            if correlation > COMMON_AT_MOST + Detour.threshold:
                replays += 1
                found += bool(among & items)
        print(
            f"caption {what}: {replays} of {len(memorised)} predictions are a recording of it, {found} of "
            f"which are found; {1e3 * float(np.median(seconds)):.0f} ms a sound, decoding included"
        )


@torch.no_grad()
def look(model: unheard.Model, index: Index, prompt: str, count: int) -> tuple[torch.Tensor, set[str], float]:
    """A prompt's first prediction, ids that it would be compared with, and the seconds to find them."""
    backbone, sampling = model.backbone, model.defaults.sampling
    request = model.request(prompt)
    conditional = backbone.encode([prompt], [0.0], [request.duration])
    trajectory = Trajectory(
        backbone=backbone,
        load_embedder=lambda: model.embedder,
        latents_of=lambda _: torch.empty(0, 0),
        prompts=(prompt,),
        conditional=conditional,
        unconditional=conditional,
        guidance_scale=sampling.guidance_scale,
        duration=request.duration,
        training_set=index,
        recordings=dict.fromkeys(index.ids, Path()),
    )
    noise = sampling.sigma_max * initial_noise(backbone.latent_shape, [SEED], backbone.device)
    prediction = backbone.denoise(noise, torch.tensor([sampling.sigma_max]), conditional)
    began = time.perf_counter()
    candidates = Candidates(trajectory, count)
    positions, _ = candidates.around(0, *candidates.sounding_like(prediction))
    took = time.perf_counter() - began
    return prediction[0, :, : trajectory.frames], {index.ids[position] for position in positions}, took


if __name__ == "__main__":
    main()
