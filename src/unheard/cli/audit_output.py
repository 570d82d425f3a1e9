"""What an audit found, for the terminal, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.auditing import UNTOLD, VERDICTS, Audit, FileAudit, Match, as_bad_as
from unheard.auditing.results import by_chance
from unheard.cli.terminal import one_line
from unheard.common.files import write_whole
from unheard.common.texts import no_formula, plural

if TYPE_CHECKING:
    from rich.table import Table

    from unheard.generation.replication_rate import Replication

UNUSUAL = 0.01
"""`unheard.auditing.likeness.UNUSUAL`, which cannot be asked without torch; a test holds them together."""
NARROW = 110
"""Columns of a terminal below which a table leaves no room for names."""
COLOURS = {"copy": "bold red", "partial copy": "yellow", "similar": "bright_yellow", "clear": "green"}


def write_csv(path: Path, result: Audit) -> None:
    """A row a match, and one for a sound without any; no text is a formula for a spreadsheet."""
    of_match = [each.name for each in fields(Match)]
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    of_file = ["path", "verdict", "reason", "score", "share", "duration", "sample_rate", "sha256"]
    rows.writerow([*of_file, "rank", *(f"match_{name}" if name in of_file else name for name in of_match)])
    for file in result.files:
        about = [getattr(file, name) for name in of_file]
        if not file.matches:
            rows.writerow(map(no_formula, [*about, *[None] * (1 + len(of_match))]))
        for rank, match in enumerate(file.matches, 1):
            said = " ".join(f"{part.kind.replace(' ', '_')}={part.score:.4g}" for part in match.evidence)
            lists = {name: ", ".join(getattr(match, name)) for name in ("found_by", "alike")}
            values = {**asdict(match), **lists, "evidence": said}
            rows.writerow(map(no_formula, [*about, rank, *(values[name] for name in of_match)]))
    write_whole(path, text.getvalue().encode("utf-8", "surrogateescape"))


def as_json(result: Audit, counted: Replication | None) -> dict[str, Any]:
    """Everything, as `--json` prints it."""
    parts = {**asdict(result), "verdict": result.verdict}
    if counted is not None:
        parts["replication"] = by_prompt(counted)
    return parts


def by_prompt(counted: Replication) -> dict[str, Any]:
    """The counts without the sounds, which stand under files."""
    return {
        "model": counted.model,
        "guided": counted.guided,
        "bound": counted.bound,
        **asdict(counted.rate),
        "prompts": [
            {
                "prompt": each.prompt,
                "seeds": list(each.seeds),
                "verdicts": [file.verdict for file in each.files],
                **asdict(each.rate),
                "risk": None if each.risk is None else each.risk.pull,
                "risk_steps": None if each.risk is None else list(each.risk.steps),
            }
            for each in counted.prompts
        ],
    }


def output(result: Audit, counted: Replication | None, page: Path | None, known: int = 0) -> None:
    """Print a table, and what it comes to; `known` sounds had been judged before."""
    from unheard.cli.console import SafeConsole

    # Without a terminal nothing is cut to 80 columns: the lines are for another program, or for a file.
    console = SafeConsole(highlight=False)
    if not console.is_terminal:
        console = SafeConsole(highlight=False, width=10_000)
    if counted is not None:
        console.print(_of_prompts(counted))
    else:
        console.print(_in_blocks(result) if console.width < NARROW else _of_sounds(result))
    total, items = len(result.files), result.catalogue.get("items", 0)
    console.print(
        f"{plural(total, 'sound')} against {plural(items, 'reference')} of "
        f"{result.catalogue.get('name')}: {counts(result.files)}",
        markup=False,
    )
    if known:
        console.print(f"{plural(known, 'sound')} judged before, against the same references", markup=False)
    if any(file.verdict == "clear" for file in result.files):
        kinds = ", ".join(result.settings["evidence"])
        console.print(f"clear: no {kinds} of these references were found", markup=False)
    if counted is not None and counted.rate.rate is not None:
        console.print(rates(counted), markup=False)
    if page is not None:
        console.print(f"report: {page}", markup=False)


def rates(counted: Replication) -> str:
    """How often a model replays, by prompts and by sounds, with 95 % intervals; in two lines."""
    rate, guidance = counted.rate, "with" if counted.guided else "without"
    left_out = "".join(f", {number:,} {verdict}" for verdict, number in rate.not_told.items())
    return (
        f"{counted.model} {guidance} guidance replays {rate.prompts_replayed:,} of "
        f"{plural(rate.prompts_judged, 'prompt')} "
        f"(95 % confidence: {rate.prompts_low:.0%} to {rate.prompts_high:.0%} of such prompts)\n"
        f"and {rate.replayed:,} of {plural(rate.judged, 'judged sound')}{left_out}: {rate.rate:.1%} "
        f"({rate.low:.1%} to {rate.high:.1%}; they say {said_by(rate.effective)})"
    )


def said_by(effective: float) -> str:
    """How much sounds of the same prompts say, such as "as much as 4 independent sounds"."""
    if effective < 1:
        return "less than 1 independent sound"
    return f"as much as {plural(round(effective), 'independent sound')}"


def counts(files: Sequence[FileAudit]) -> str:
    """How many sounds have each verdict, such as "1 copy, 2 clear", the worst first."""
    numbers = Counter(file.verdict for file in files)
    return ", ".join(f"{numbers[verdict]} {verdict}" for verdict in VERDICTS if numbers[verdict])


def _of_sounds(result: Audit) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("sound", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("by chance", justify="right", no_wrap=True)
    table.add_column("copied", justify="right", no_wrap=True)
    table.add_column("replays", overflow="fold")
    table.add_column("at", no_wrap=True)
    for file in result.files:
        table.add_row(Text(_said(file), COLOURS.get(file.verdict, "dim")), *map(Text, _cells(file)))
        for match in file.matches[1:]:
            if as_bad_as(match.verdict, "partial copy"):
                cells = "", "", f"{match.score:.1f}", by_chance(match.expected_false_alarms), *_place(match)
                table.add_row(*map(Text, cells))
    return table


def _in_blocks(result: Audit) -> Table:
    """The same for a narrow terminal: verdicts to the left, and names that have the rest of a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for file in result.files:
        path, *cells = _cells(file)
        word = "" if file.verdict in UNTOLD else "like " if file.verdict == "similar" else "replays "
        lines = [path, *_about(word, *cells)]
        for match in file.matches[1:]:
            if as_bad_as(match.verdict, "partial copy"):
                lines += _about(
                    "replays ", f"{match.score:.1f}", by_chance(match.expected_false_alarms), *_place(match)
                )
        table.add_row(Text(_said(file), COLOURS.get(file.verdict, "dim")), Text("\n".join(lines)))
    return table


def _about(word: str, score: str, by_chance: str, copied: str, named: str, where: str) -> list[str]:
    """The cells of a row as lines, without those that are empty."""
    parts = {"": where, "copied ": copied, "score ": score, "by chance ": by_chance}
    numbers = ", ".join(f"{name}{value}" for name, value in parts.items() if value)
    return [line for line in (f"{word}{named}" if named else "", numbers) if line]


def _of_prompts(counted: Replication) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("replayed", justify="right", no_wrap=True)
    table.add_column("prompt", overflow="fold")
    table.add_column("95 %, other seeds", justify="right", no_wrap=True)
    table.add_column("pull", justify="right", no_wrap=True)
    for each in counted.prompts:
        rate, risk = each.rate, "" if each.risk is None else f"{each.risk.pull:.3g}"
        interval = f"{rate.low:.0%} to {rate.high:.0%}"
        table.add_row(f"{rate.replayed}/{rate.judged}", Text(each.prompt), interval, risk)
    return table


def _said(file: FileAudit) -> str:
    """The verdict, with the word for what is alike where that is no copy."""
    if file.verdict == "similar" and file.matches[0].likeness:
        return f"similar: {file.matches[0].likeness}"
    return file.verdict


def _cells(file: FileAudit) -> tuple[str, str, str, str, str, str]:
    """A sound's row but for the verdict."""
    path = one_line(file.path)
    if file.verdict in UNTOLD:
        return path, "", "", "", one_line(file.reason or ""), ""
    if file.verdict == "clear":
        return path, f"{file.score:.1f}", "", "", "", ""
    match = file.matches[0]
    copied, named, where = _place(match)
    if file.verdict == "similar" and match.alike:  # what is alike has no place, and a chance of its own
        return path, f"{file.score:.1f}", f"below {UNUSUAL:.0%} each", "", named, ""
    copied = f"{file.share:.0%}" if file.share else copied
    return path, f"{file.score:.1f}", by_chance(match.expected_false_alarms), copied, named, where


def _place(match: Match) -> tuple[str, str, str]:
    """How much of a sound is of one reference, which it is, and where both are alike."""
    named = f'{match.reference} "{match.caption}"' if match.caption else match.reference
    where = f"{match.start:.1f}-{match.end:.1f} s of {match.reference_start:.1f}-{match.reference_end:.1f} s"
    return f"{match.share:.0%}", one_line(named), where
