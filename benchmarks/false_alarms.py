"""How often a calibrated detour opens, on captions that a model never saw and on those it knows by heart.

    python -m benchmarks.false_alarms --calibration FILE        # a second a caption

The captions are those of the model's `prompts.json` and `memorised.json`, at its own duration, one seed each.
Each is followed along its own trajectory, as a calibration does it. An alarm is false only where the model
does not copy: so where recordings are given, the sounds of the ordinary captions that open a gate are made
without guidance, on the same noise, and audited against all of them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import unheard
from unheard.auditing.assembly import auditor_for
from unheard.common.intervals import clopper_pearson
from unheard.evaluation.prompts import read_prompts
from unheard.generation.calibration.measuring import Caption, Measuring, Reading
from unheard.generation.calibration.record import Calibration
from unheard.guidance.detour.settings import Detour

BY_HEART = 64
"""Repetitions from which on a caption is counted as known by heart."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("build/planted/model"), help="a folder")
    parser.add_argument("--references", type=Path, help="the training set's recordings (default: none)")
    parser.add_argument("--calibration", type=Path, required=True, help="what `unheard calibrate` wrote")
    parser.add_argument("--batch", type=int, default=4, help="captions at once (default: 4)")
    given = parser.parse_args()
    model = unheard.load(given.model)
    training_set = model.training_set(model.index, given.references)
    detour = Calibration.read(given.calibration).detour(
        model.defaults.duration, recordings=len(training_set.recordings)
    )
    measuring = Measuring(model, training_set, model.defaults.duration, given.batch)

    def gates(captions: Sequence[Caption]) -> list[tuple[Caption, Reading, dict[str, bool]]]:
        readings = measuring.measure(captions, lambda done, total: print(f"{done} of {total}", end="\r"))
        found = []
        for caption, reading in zip(captions, readings, strict=True):
            opened = {
                "pull": reading.pull(measuring.sigmas, detour.high_noise) > detour.pull,
                "settled pull": 0 < detour.settled_pull < reading.settled_pull,
                "excess, nothing doubted": bool(reading.excesses) and reading.excess > detour.threshold,
                "excess": _opens(detour, reading, measuring.sigmas),
            }
            opened["excess or settled pull"] = opened["excess"] or opened["settled pull"]
            found.append((caption, reading, opened))
        return found

    prompts, _ = read_prompts([{"set": "ordinary"}], Path(), given.model)
    ordinary = gates([Caption(prompt.text, seed) for seed, prompt in enumerate(prompts)])
    known = json.loads((given.model / "memorised.json").read_text())
    heart = [each["caption"] for each in known if each["repetitions"] >= BY_HEART]
    memorised = gates([Caption(text, 1000 + seed) for seed, text in enumerate(heart)])
    for name, side in (("never seen", ordinary), (f"{BY_HEART} repetitions and more", memorised)):
        for gate in side[0][2]:
            count = sum(opened[gate] for *_, opened in side)
            low, high = clopper_pearson(count, len(side))
            print(f"{name}: {gate} opens on {count} of {len(side)} captions ({low:.1%} to {high:.1%})")
    auditor = None if given.references is None else auditor_for(given.references, None, None, None)
    said: Counter[str] = Counter()
    for caption, reading, opened in ordinary:
        if not any(opened.values()):
            continue
        verdict = "not audited"
        if auditor is not None:
            (sound,) = model.generate(caption.text, guidance=None, seed=caption.seed)
            judged = auditor.judge((sound.waveform, sound.sample_rate))
            verdict = f"{judged.verdict}, {judged.score:.1f}"
            said[judged.verdict] += 1
        excess = f"excess {reading.excess:.2f}" if reading.excesses else "no recordings"
        names = ", ".join(gate for gate in ("pull", "settled pull", "excess") if opened[gate]) or "none"
        told = f"settled pull {reading.settled_pull:.2f}, {excess}"
        print(f"  {caption.text}: opens {names}; {told}; without guidance {verdict}")
    if said:
        print(", ".join(f"{count} {verdict}" for verdict, count in said.most_common()))


def _opens(detour: Detour, reading: Reading, sigmas: Sequence[float]) -> bool:
    """Whether a detour's gate opens at any step, see `unheard.guidance.detour.gates.doubted`.

    How far the sound is settled is taken from the first step, also where the gate would ask it later.
    """
    threshold = max(detour.sure_threshold, detour.threshold)
    settles = 0 < detour.settled_pull < reading.settled_pull
    for excess, pull, sigma in zip(reading.excesses, reading.pulls, sigmas, strict=False):
        high = sigma >= detour.high_noise
        if high and (pull > detour.pull or (settles and excess > detour.threshold)):
            threshold = detour.threshold
        if excess > threshold:
            return True
    return False


if __name__ == "__main__":
    main()
