"""Finding planted duplicates among many: are all found, is none invented, how long does it take.

    python benchmarks/duplicates.py --count 500000
    python benchmarks/duplicates.py --changes          # how alike a sound and a changed copy of it are

Sounds are vectors as `vectors.py` makes them. A thousand clusters of 2 to 50 are planted: half exact copies,
half at a cosine of .99 to the first. Captions are random words; as many clusters are planted among them, half
with other case and punctuation, half with one letter changed. `--changes` is what the default threshold of
sounds rests on: the bundled guide's cosine between recordings and copies of them, and between different ones.
"""

from __future__ import annotations

import argparse
import io
import resource
import time

import numpy as np
import soundfile
import torch
from vectors import Embeddings

from unheard.index.clustering import CAPTION_THRESHOLD, SOUND_THRESHOLD, near_captions, near_vectors
from unheard.index.searching.captions import normalised

CLUSTERS, LARGEST = 1000, 50


def planted(count: int, generator: np.random.Generator) -> np.ndarray:
    """For each of `count` the position of the first of its cluster; most are alone."""
    clusters = min(CLUSTERS, count // (2 * LARGEST))
    sizes = generator.integers(2, LARGEST + 1, clusters)
    members = np.split(generator.permutation(count)[: sizes.sum()], np.cumsum(sizes)[:-1])
    firsts = np.arange(count)
    for cluster in members:
        firsts[cluster] = cluster.min()
    return firsts


def vectors_with_copies(firsts: np.ndarray, dimension: int) -> np.ndarray:
    source = Embeddings(dimension, seed=1)
    vectors = source.draw(len(firsts))
    copies = np.flatnonzero(firsts != np.arange(len(firsts)))
    originals = vectors[firsts[copies]]
    changed = firsts[copies] % 2 == 1
    vectors[copies] = np.where(changed[:, None], source.near(originals, 0.99), originals)
    return vectors


def captions_with_copies(firsts: np.ndarray, generator: np.random.Generator) -> list[str]:
    letters = np.array(list("abcdefghijklmnoprstuvwy"))
    words = ["".join(generator.choice(letters, length)) for length in generator.integers(2, 10, 20_000)]
    captions: list[str] = []
    for position, first in enumerate(firsts.tolist()):
        if first == position:
            captions.append(" ".join(generator.choice(words, generator.integers(8, 20))))
        elif first % 2:
            letter = int(generator.integers(len(captions[first])))
            captions.append(captions[first][:letter] + "z" + captions[first][letter + 1 :])
        else:
            captions.append(captions[first].upper() + "!")
    return captions


def report(kind: str, found: np.ndarray, firsts: np.ndarray, seconds: float) -> None:
    """Whether the clusters found are those that were planted."""
    expected, got = np.unique(firsts, return_counts=True), np.unique(found, return_counts=True)
    true = {tuple(cluster) for cluster in np.transpose(expected) if cluster[1] > 1}
    intact = sum(len(set(found[firsts == first].tolist())) == 1 for first, _ in true)
    wrong = int((found != firsts).sum())
    print(
        f"{kind}: {len(firsts):,} items, {intact} of {len(true)} planted clusters found whole, "
        f"{int((got[1] > 1).sum())} found in all, {wrong} items placed wrongly, {seconds:.0f} s, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--threshold", type=float, default=SOUND_THRESHOLD)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--changes", action="store_true")
    arguments = parser.parse_args()
    if arguments.changes:
        return changes()
    generator = np.random.default_rng(0)
    firsts = planted(arguments.count, generator)
    print(
        f"{torch.get_num_threads()} threads, {arguments.dimension} numbers, threshold {arguments.threshold}"
    )

    vectors = vectors_with_copies(firsts, arguments.dimension)
    started = time.perf_counter()
    found = near_vectors.single_linkage(vectors, arguments.threshold, device=arguments.device)
    report("sounds", found, firsts, time.perf_counter() - started)
    del vectors

    captions = captions_with_copies(firsts, generator)
    started = time.perf_counter()
    texts, caption = np.unique([normalised(text) for text in captions], return_inverse=True)
    linked = near_captions.single_linkage(texts.tolist(), CAPTION_THRESHOLD)[caption]
    _, first, label = np.unique(linked, return_index=True, return_inverse=True)
    report("captions", first[label], firsts, time.perf_counter() - started)


def changes() -> None:
    """Cosines of the bundled recordings to copies of them, and to one another."""
    from unheard import audio
    from unheard.backbones.hub import fetch
    from unheard.embedders import load_embedder
    from unheard.generation.defaults import read_defaults

    folder = fetch("tiny")
    guide = load_embedder(read_defaults(folder).embedder)
    recordings = [audio.read(path) for path in sorted((folder / "memorised").glob("*.flac"))]
    generator = np.random.default_rng(0)

    def embed(waveform: torch.Tensor, rate: int) -> torch.Tensor:
        with torch.no_grad():
            return guide.embed_audio(waveform[None], rate)[0]

    def coded(waveform: torch.Tensor, rate: int, kind: str) -> torch.Tensor:
        buffer = io.BytesIO()
        soundfile.write(buffer, waveform.T.numpy(), rate, format=kind)
        buffer.seek(0)
        return torch.from_numpy(soundfile.read(buffer, dtype="float32", always_2d=True)[0].T)

    def noisy(waveform: torch.Tensor) -> torch.Tensor:
        noise = torch.from_numpy(generator.standard_normal(waveform.shape)).float()
        return waveform + 10 ** (-40 / 20) * waveform.square().mean().sqrt() * noise

    changed = {
        "half as loud": lambda w, r: (0.5 * w, r),
        "Ogg Vorbis": lambda w, r: (coded(w, r, "OGG"), r),
        "MP3": lambda w, r: (coded(w, r, "MP3"), r),
        "noise 40 dB below": lambda w, r: (noisy(w), r),
        "at 44.1 kHz and back": lambda w, r: (audio.resample(audio.resample(w, r, 44_100), 44_100, r), r),
        "first 50 ms cut off": lambda w, r: (w[:, r // 20 :], r),
        "first 500 ms cut off": lambda w, r: (w[:, r // 2 :], r),
    }
    originals = torch.stack([embed(*recording) for recording in recordings])
    print(f"{len(recordings)} recordings: cosine to the changed copy (lowest, 5th percentile, median)")
    for name, change in changed.items():
        copies = torch.stack([embed(*change(*recording)) for recording in recordings])
        cosines = (originals * copies).sum(dim=1).numpy()
        print(f"  {name:24} {cosines.min():.4f} {np.percentile(cosines, 5):.4f} {np.median(cosines):.4f}")
    upper = np.triu_indices(len(recordings), 1)
    between = np.sort((originals @ originals.T).numpy()[upper])
    print(
        f"  different recordings: median {np.median(between):.3f}, highest {between[-5:].round(4).tolist()}"
    )


if __name__ == "__main__":
    main()
