"""What an experiment came to, as a table for the terminal; `summary.md` has every number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.common.texts import plural

if TYPE_CHECKING:
    from rich.table import Table

Entry = dict[str, Any]
"""Of `unheard.evaluation.summary.summarise`."""

NAMES = {
    "copied_or_collapsed": ("copied or collapsed", "↓"),
    "replicated": ("copied", "↓"),
    "replicated_target": ("copied from the caption's recording", "↓"),
    "guide_replication_similarity": ("cosine to the nearest item, by the guide", "↓"),
    "judge_replication_similarity": ("cosine to the nearest item, by the judge", "↓"),
    "judge_target_similarity": ("cosine to the caption's recording, by the judge", "↓"),
    "liveliness": ("liveliness, 1 being ordinary", " "),
    "residue": ("residue of the recording", "↓"),
    "nearer_than_others": ("nearer to its recording than others are", "↓"),
    "clap_score": ("fit to the prompt (CLAP score)", "↑"),
    "instrument_kept": ("keeps the instrument", "↑"),
    "family_kept": ("keeps the family", "↑"),
    "tempo_kept": ("keeps the tempo", "↑"),
    "tempo_octave": ("keeps the tempo, or half, or double", "↑"),
    "key_kept": ("keeps the key", "↑"),
    "diversity": ("diversity", "↑"),
    "seconds": ("seconds a sound", "↓"),
    "judging_seconds": ("seconds to judge a sound", "↓"),
    "peak_memory": ("memory at most", "↓"),
    "kernel_audio_distance": ("kernel audio distance", "↓"),
    "frechet_audio_distance": ("Fréchet audio distance", "↓"),
}
"""Metrics as people call them, with an arrow to where better is."""
COUNTS = {"made": "sounds", "failed": "of which failed", "collapsed": "of which collapsed"}
MEGABYTE = 1e6
WIDEST = 10_000
"""Columns of what is no terminal."""


def output(entries: Sequence[Entry], out: Path) -> None:
    """Print a table a group of prompts: a row a metric, a column a setting, 95 % intervals with each."""
    from unheard.cli.console import SafeConsole

    console = SafeConsole(highlight=False)
    if not console.is_terminal:
        console = SafeConsole(highlight=False, width=WIDEST)
    wide = console.options.update(width=WIDEST)
    groups = list(dict.fromkeys(entry["group"] for entry in entries))
    for group in groups if len(groups) > 2 else groups[:1]:  # "all" is the only group there is
        of_group = [entry for entry in entries if entry["group"] == group]
        table = _table(group, of_group, " ")
        if console.measure(table, options=wide).maximum > console.width:
            table = _table(group, of_group, "\n")
        console.print(table)
    console.print("↓ less is better, ↑ more is better; in brackets 95 % intervals", markup=False)
    console.print(f"every number: {out / 'summary.md'}, {out / 'summary.csv'}", markup=False)


def _table(group: str, entries: Sequence[Entry], gap: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text("all prompts" if group == "all" else group), overflow="fold")
    settings = list(dict.fromkeys(entry["setting"] for entry in entries))
    for setting in settings:
        table.add_column(Text(setting), justify="right", overflow="fold")
    for count, name in COUNTS.items():
        numbers = [next(entry[count] for entry in entries if entry["setting"] == each) for each in settings]
        if count == "made" or any(numbers):
            table.add_row(Text(f"  {name}"), *(f"{number:,}" for number in numbers))
    for metric in dict.fromkeys(entry["metric"] for entry in entries):
        of = {entry["setting"]: entry for entry in entries if entry["metric"] == metric}
        if any(entry["value"] is not None for entry in of.values()):
            name, arrow = NAMES.get(metric, (metric.replace("_", " "), " "))
            table.add_row(Text(f"{arrow} {name}"), *(Text(_cell(of[setting], gap)) for setting in settings))
    return table


def _cell(entry: Entry, gap: str) -> str:
    """The value, of what counts sounds the share, and after a gap its interval."""
    value = entry["value"]
    if value is None:
        return "-"
    if entry["metric"] == "peak_memory":
        return f"{value / MEGABYTE:,.0f} MB"
    if "prompts_hit" in entry:
        of_prompts = f"{entry['prompts_hit']} of {plural(entry['prompts'], 'prompt')}"
        return f"{of_prompts}{gap}({entry['prompts_low']:.0%} to {entry['prompts_high']:.0%})"
    interval = "" if entry["low"] is None else f"{gap}({entry['low']:.2f} to {entry['high']:.2f})"
    return f"{value:.2f}{interval}"
