"""What a search came to: a table of all trials, the Pareto front as a picture and as presets."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from unheard.common.files import write_whole
from unheard.errors import InputError
from unheard.evaluation.plots import label_trade_off, pyplot, save
from unheard.evaluation.settings import as_options
from unheard.evaluation.tuning import OBJECTIVES, Trial
from unheard.generation.defaults import Defaults
from unheard.guidance import describe_guidance


def write(trials: list[Trial], defaults: Defaults, out: Path) -> list[Path]:
    """Write `trials.csv`, and `presets/trial-N.json` for the Pareto front; gives back the latter.

    A preset is what `unheard generate --preset` takes: the guidance with every setting, and what else was
    set. Presets of trials that have left the front since an earlier run are taken away.
    """
    text = io.StringIO(newline="")
    rows = [
        {"trial": each.number, "front": each.pareto_optimal, **each.values, "missing": each.missing}
        | _flat(each.setting)
        for each in trials
    ]
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / "trials.csv", text.getvalue().encode())

    folder = out / "presets"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write presets to {folder}: {error.strerror}; move it away") from error
    presets = []
    for each in trials:
        if each.pareto_optimal:
            presets.append(folder / f"trial-{each.number}.json")
            content = json.dumps(preset(each.setting, defaults), indent=2) + "\n"
            write_whole(presets[-1], content.encode())
    for earlier in folder.glob("trial-*.json"):
        if earlier not in presets:
            earlier.unlink(missing_ok=True)
    return presets


def preset(setting: dict[str, Any], defaults: Defaults) -> dict[str, Any]:
    """A setting as `unheard generate --preset` takes it, with every value of its guidance."""
    options = as_options(setting, defaults)
    return {**options, "guidance": describe_guidance(options["guidance"])}


def draw(trials: list[Trial], path: Path) -> None:
    """Copies and collapses against adherence, the colour is time; the front is ringed and numbered.

    Raises:
        InputError: matplotlib is not installed.
    """
    plt = pyplot()
    bad, adherence, seconds = ([each.values[name] for each in trials] for name in OBJECTIVES)
    figure, axis = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    points = axis.scatter(bad, adherence, c=seconds, cmap="viridis")
    best = sorted(
        (each for each in trials if each.pareto_optimal),
        key=lambda each: (each.values["copied_or_collapsed"], each.values["clap_score"]),
    )
    axis.scatter(
        [each.values["copied_or_collapsed"] for each in best],
        [each.values["clap_score"] for each in best],
        s=90, facecolors="none", edgecolors="black", label="front",
    )  # fmt: skip
    for position, each in enumerate(best):  # numbers in turns right and left, so that near ones keep apart
        axis.annotate(
            str(each.number), (each.values["copied_or_collapsed"], each.values["clap_score"]),
            textcoords="offset points", xytext=(-14 if position % 2 else 14, 0), fontsize=8,
            ha="center", va="center",
        )  # fmt: skip
    figure.colorbar(points, label="seconds a sound")
    axis.margins(0.12)
    label_trade_off(axis)
    axis.legend(fontsize=8, frameon=False)
    save(figure, path)
    plt.close(figure)


def _flat(setting: dict[str, Any]) -> dict[str, Any]:
    """The values of a setting by name, those of the guidance among them."""
    guidance = {f"guidance.{key}": value for key, value in setting.get("guidance", {}).items()}
    return {**{key: value for key, value in setting.items() if key != "guidance"}, **guidance}
