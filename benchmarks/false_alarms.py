"""How often a calibrated detour opens on captions that a model never saw: `benchmarks.false_alarms`.

    python -m benchmarks.false_alarms --calibration FILE        # a second a caption

The captions are the ordinary ones of the model's `prompts.json`, at its own duration, one seed each. Each is
followed along its own trajectory, as a calibration does it. An alarm is false only where the model does not
copy: so where recordings are given, the sounds of the captions that open the gate are made without guidance,
on the same noise, and audited against all of them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import unheard
from unheard.auditing.assembly import auditor_for
from unheard.common.intervals import clopper_pearson
from unheard.evaluation.prompts import read_prompts
from unheard.generation.calibration.measuring import Caption, Measuring
from unheard.generation.calibration.record import Calibration


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
    prompts, _ = read_prompts([{"set": "ordinary"}], Path(), given.model)
    measuring = Measuring(model, training_set, model.defaults.duration, given.batch)
    captions = [Caption(prompt.text, seed) for seed, prompt in enumerate(prompts)]
    readings = measuring.measure(captions, lambda done, total: print(f"{done} of {total}", end="\r"))
    pulls = [reading.pull(measuring.sigmas, detour.high_noise) > detour.pull for reading in readings]
    excesses = [bool(training_set.recordings) and reading.excess > detour.threshold for reading in readings]
    either = [pull or excess for pull, excess in zip(pulls, excesses, strict=True)]
    for name, opened in (("pull", pulls), ("excess", excesses), ("either", either)):
        low, high = clopper_pearson(sum(opened), len(opened))
        print(f"{name}: {sum(opened)} of {len(opened)} captions ({low:.1%} to {high:.1%})")
    auditor = None if given.references is None else auditor_for(given.references, None, None, None)
    said: Counter[str] = Counter()
    for caption, reading, opened in zip(captions, readings, either, strict=True):
        if not opened:
            continue
        verdict = "not audited"
        if auditor is not None:
            (sound,) = model.generate(caption.text, guidance=None, seed=caption.seed)
            judged = auditor.judge((sound.waveform, sound.sample_rate))
            verdict = f"{judged.verdict}, {judged.score:.1f}"
            said[judged.verdict] += 1
        excess = f"excess {reading.excess:.2f}" if reading.excesses else "no recordings"
        print(f"  {caption.text}: {excess}; without guidance {verdict}")
    if said:
        print(", ".join(f"{count} {verdict}" for verdict, count in said.most_common()))


if __name__ == "__main__":
    main()
