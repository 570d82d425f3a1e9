"""What the learned embedding hears: `python -m lab.embedding_evidence --packages FOLDER`.

The folder has the packages of arcade and pygame (PyPI) and of supersonic-scsynth-samples (npm), all of the
calibration's side. The whitening is worked out on the first two and on rendered sound. Recordings of the
third, `SHORTEST` seconds and longer, are altered, and each meets its original and some others, of its
pack first: those are never copies, and give the null distribution. Writes both beside
`unheard.auditing.evidence.learned_embedding`.

Prints, for every kind of evidence: the share of originals found above all but one in a thousand of the
different pairs, and the area under the curve against them; then the share that this kind alone finds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from lab.alterations import (
    SAMPLE_RATE,
    Alteration,
    equalise,
    mp3,
    peak_one,
    regenerate,
    reverberate,
    telephone,
    under,
)
from lab.audit_material import Specimen, as_signal, from_wheel, pieces, rendered
from lab.calibrate_audit import tail
from lab.real_sound import members, read_head
from lab.resyntheses import mel_inversion
from unheard.auditing.evidence import EVIDENCES, Evidence
from unheard.auditing.evidence.joint import ask
from unheard.auditing.evidence.learned_embedding import NULL, WHITENING, LearnedEmbedding, whitening
from unheard.embedders.sound_effects import bundled

SHORTEST = 3.0
RATE = 1e-3

Scores = dict[str, np.ndarray]
"""Of each kind of evidence [queries, 1 + rivals], a query's own recording first."""


def material(packages: Path) -> Iterator[Specimen]:
    """What the whitening is worked out on."""
    for wheel in sorted(packages.glob("*.whl")):
        if wheel.name.startswith(("arcade", "pygame")):
            yield from pieces(from_wheel(wheel, (".mp3", ".ogg", ".wav")), 7.0, 8)
    yield from rendered("calibration aisfx", 20, 2, 6.0)


def recordings(packages: Path) -> list[Specimen]:
    """The recordings that are altered; a pack is what shares the first word of its name."""
    found = []
    with members(next(packages.glob("supersonic-scsynth-samples-*.tgz"))) as files:
        for name, file in files.items():
            sound = read_head(file) if file.suffix == ".flac" else None
            if sound is not None and len(sound) >= SHORTEST * SAMPLE_RATE:
                pack = Path(name).stem.split("_")[0]
                found.append(Specimen(name, pack, peak_one(sound), name))
    return found


def treatments(music: list[np.ndarray]) -> dict[str, Alteration]:
    """By name, strong ones; the music that lies over a recording is none of the recordings."""
    return {
        "MP3, lowest rate": partial(mp3, harshness=0.98),
        "equaliser, 12 dB": partial(equalise, decibels=12.0),
        "telephone band": partial(telephone, low=300.0, high=3400.0),
        "reverberation, 2 s": partial(reverberate, seconds=2.0),
        "under music, 0 dB": partial(_under_some, music, 0.0),
        "under music, -6 dB": partial(_under_some, music, -6.0),
        "bundled autoencoder": partial(regenerate, deviation=0.2),
        "64 mel bands": partial(mel_inversion, 64),
        "40 mel bands": partial(mel_inversion, 40),
    }


def _under_some(
    music: list[np.ndarray], decibels: float, sound: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    return under(sound, rng, music[rng.integers(len(music))], decibels)


def met(specimens: list[Specimen], number: int, rivals: int) -> list[int]:
    """Whom a recording meets: itself, others of its pack, and then others."""
    shuffled = np.random.default_rng([number, 1]).permutation(len(specimens)).tolist()
    family = specimens[number].family
    nearest_first = sorted(shuffled, key=lambda other: (other != number, specimens[other].family != family))
    return nearest_first[: 1 + rivals]


def measure(
    specimens: list[Specimen],
    kinds: list[Evidence],
    references: list[list[Tensor]],
    change: Alteration,
    rivals: int,
) -> Scores:
    """The scores of one alteration; `references` has the recordings' features, by kind."""
    scores = {kind.name: np.zeros((len(specimens), 1 + rivals)) for kind in kinds}
    for number, some in enumerate(specimens):
        altered = as_signal(change(some.sound, np.random.default_rng(number)))
        ours = [kind.features(altered) for kind in kinds]
        for place, other in enumerate(met(specimens, number, rivals)):
            findings = ask(kinds, ours, [theirs[other] for theirs in references])
            for kind, finding in zip(kinds, findings, strict=True):
                scores[kind.name][number, place] = 0.0 if finding is None else finding.score
    return scores


def area(copies: np.ndarray, others: np.ndarray) -> float:
    """Share of pairs of a copy and another in which the copy scores higher; ties count half."""
    above, same = copies[:, None] > others, copies[:, None] == others
    return float((above + 0.5 * same).mean())


def report(found: dict[str, Scores]) -> Iterator[str]:
    """The rows of the table."""
    kinds = list(next(iter(found.values())))
    everything = {
        kind: np.concatenate([some[kind][:, 1:].ravel() for some in found.values()]) for kind in kinds
    }
    bounds = {kind: np.quantile(everything[kind], 1 - RATE) for kind in kinds}
    yield f"| altered by | {' | '.join(kinds)} | this kind alone |"
    yield f"|---|{'--:|' * (len(kinds) + 1)}"
    for name, scores in found.items():
        hits = {kind: scores[kind][:, 0] > bounds[kind] for kind in kinds}
        cells = [
            f"{hits[kind].mean():.2f} ({area(scores[kind][:, 0], scores[kind][:, 1:].ravel()):.3f})"
            for kind in kinds
        ]
        others = np.any([hits[kind] for kind in kinds if kind != LearnedEmbedding.name] or [[False]], axis=0)
        yield f"| {name} | {' | '.join(cells)} | {(hits[LearnedEmbedding.name] & ~others).mean():.2f} |"


def null(specimens: list[Specimen], found: dict[str, Scores], rivals: int) -> dict[str, object]:
    """The tails of the scores of different pairs, those of one pack apart."""
    family = [some.family for some in specimens]
    sorts: dict[str, list[float]] = {"unrelated": [], "relatives": []}
    for number in range(len(specimens)):
        for column, other in enumerate(met(specimens, number, rivals)[1:], start=1):
            sort = "relatives" if family[other] == family[number] else "unrelated"
            sorts[sort] += [float(some[LearnedEmbedding.name][number, column]) for some in found.values()]
    return {sort: asdict(tail(values)) for sort, values in sorts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", type=Path, required=True, help="folder of the three packages")
    parser.add_argument("--rivals", type=int, default=12, help="others that each meets (default: 12)")
    parser.add_argument("--treatments", type=int, default=9, help="how many, the first ones (default: 9)")
    parser.add_argument("--alone", action="store_true", help="without the other kinds of evidence")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    fitted = list(material(arguments.packages))
    steps = [bundled().embed_steps(as_signal(some.sound).waveform, SAMPLE_RATE) for some in fitted]
    mean, components = whitening(torch.cat(steps))
    save_file({"mean": mean.half(), "components": components.half().contiguous()}, WHITENING)
    WHITENING.chmod(0o644)
    print(f"whitened by {len(steps)} sounds", flush=True)

    specimens = recordings(arguments.packages)
    others = {} if arguments.alone else EVIDENCES
    kinds = [*(kind() for kind in others.values() if kind is not LearnedEmbedding), LearnedEmbedding()]
    references = [[kind.features(as_signal(some.sound)) for some in specimens] for kind in kinds]
    found: dict[str, Scores] = {}
    changes = list(treatments([some.sound for some in fitted]).items())
    for name, change in changes[: arguments.treatments]:
        started = time.process_time()
        found[name] = measure(specimens, kinds, references, change, arguments.rivals)
        print(f"{name}: {time.process_time() - started:.0f} s of processor time", flush=True)
    print(*report(found), sep="\n")

    made_by = {
        "command": "python -m lab.embedding_evidence --packages FOLDER"
        f" --rivals {arguments.rivals} --treatments {arguments.treatments}"
        + (" --alone" if arguments.alone else ""),
        "date": datetime.date.today().isoformat(),
        "sounds": len(specimens),
        "pairs": len(specimens) * arguments.rivals * len(found),
    }
    NULL.write_text(
        json.dumps({**null(specimens, found, arguments.rivals), "made_by": made_by}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
