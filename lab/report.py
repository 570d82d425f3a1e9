"""Tables and pictures of what `lab.replication` measured: `python -m lab.report`.

Writes `docs/pictures/copies-by-dose.png` and `docs/pictures/drum-loop.png`, and prints the tables of
`docs/results.md`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np
import torch

import unheard
from lab import likeness, sizes
from lab.corpus_files import Corpus
from unheard.common.intervals import ClusteredShare

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PROMPT = "An acoustic drum loop, 110 bpm"


def table(records: list[dict]) -> str:
    """A row for each setting and dose: copies by captions and by sounds, what else was measured of them."""
    lines = [
        "| setting | repetitions | captions copied (95 %) | copies | 95 % | effective number "
        "| adherence | shuffled | right caption first of 100 | among 5 | likeness | steps acted |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for record in records:
        for dose in sorted({r["repetitions"] for r in record["results"]}, reverse=True):
            some = [r for r in record["results"] if r["repetitions"] == dose]
            copied = copies(some)
            mean = {k: np.mean([r[k] for r in some]) for k in ("adherence", "shuffled", "likeness", "acted")}
            first, among_five = (np.mean([r["rank"] < rank for r in some]) for rank in (1, 5))
            lines.append(
                f"| {record['setting']} | {dose or 'ordinary'} | {copied.hit_clusters} of {copied.clusters} "
                f"({copied.clusters_low:.0%}-{copied.clusters_high:.0%}) | {copied.hits} of {copied.trials} "
                f"| {copied.low:.0%}-{copied.high:.0%} | {copied.effective:.0f} "
                f"| {mean['adherence']:.3f} | {mean['shuffled']:.3f} "
                f"| {first:.0%} | {among_five:.0%} "
                f"| {mean['likeness']:.2f} | {mean['acted']:.1f} |"
            )
    return "\n".join(lines)


def copies(results: list[dict]) -> ClusteredShare:
    """The share of copies, by captions."""
    of_caption: dict[str, list[bool]] = {}
    for result in results:
        of_caption.setdefault(result["caption"], []).append(result["copy"])
    return ClusteredShare.of((sum(some), len(some)) for some in of_caption.values())


def plot_doses(records: list[dict], file: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for record in records:
        doses = sorted({r["repetitions"] for r in record["results"]} - {0})
        groups = [[r for r in record["results"] if r["repetitions"] == dose] for dose in doses]
        copied = [copies(some) for some in groups]
        share = [each.value for each in copied]
        bounds = np.array([(each.low, each.high) for each in copied]).T
        error = np.abs(bounds - share)  # the interval always holds the share
        adherence = [np.mean([r["adherence"] for r in some]) for some in groups]
        left.errorbar(doses, share, yerr=error, marker="o", capsize=3, label=record["setting"])
        right.plot(doses, adherence, marker="o", label=record["setting"])
    labels = "share of copies (95 % interval, of drawn captions)", "adherence (judge, text-audio cosine)"
    for axis, label in zip((left, right), labels, strict=True):
        axis.set_xscale("log", base=2)
        axis.set_xticks(doses, [str(d) for d in doses])
        axis.set_xlabel("repetitions in the training set")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    left.set_ylim(-0.03, 1.05)
    left.legend()
    figure.savefig(file, dpi=130)
    plt.close(figure)


def plot_pair(corpus: Corpus, model: unheard.Model, file: Path) -> None:
    """The training recording, the model's output without guidance and with it, one above the other."""
    position = next(p for p in corpus.positions("memorised") if corpus.rows[p]["caption"] == PROMPT)
    training = corpus.waveforms([position])[0, : 4 * sizes.SAMPLE_RATE]
    plain = model.generate(PROMPT, guidance=None, seed=0)[0].waveform[0]
    guided = model.generate(PROMPT, seed=0)[0].waveform[0]
    features = likeness.log_mel(torch.stack([training, plain, guided]), range_db=60.0)
    outputs = likeness.log_mel(torch.stack([plain, guided]))
    own = likeness.correlations(outputs, likeness.log_mel(training[None]))[:, 0]
    titles = (
        "a recording of the training set",
        f"generated without guidance: likeness {own[0]:.2f}",
        f"generated with guidance, same noise: likeness {own[1]:.2f}",
    )
    figure, axes = plt.subplots(3, 1, figsize=(9, 6), sharex=True, layout="constrained")
    for axis, picture, title in zip(axes, features, titles, strict=True):
        axis.imshow(picture, origin="lower", aspect="auto", cmap="magma", extent=(0, 4, 0, likeness.BANDS))
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_ylabel("mel band")
    axes[-1].set_xlabel("seconds")
    figure.suptitle(f"“{PROMPT}”")
    figure.savefig(file, dpi=130)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, default="src/unheard/assets/tiny", help="folder of the bundled model"
    )
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and replication/")
    parser.add_argument("--pictures", type=Path, default="docs/pictures", help="folder to draw into")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    files = sorted((arguments.work / "replication").glob("*.json"))
    records = [json.loads(file.read_text()) for file in files]
    if records:
        print(f"threshold: {records[0]['threshold']:.4f}\n\n{table(records)}")
        plot_doses(records, arguments.pictures / "copies-by-dose.png")
    corpus, model = Corpus(arguments.work / "corpus"), unheard.load(arguments.model)
    plot_pair(corpus, model, arguments.pictures / "drum-loop.png")


if __name__ == "__main__":
    main()
