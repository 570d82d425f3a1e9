"""`unheard audit`: sounds, or what a model makes of prompts, against a catalogue."""

from __future__ import annotations

import glob
import json
import re
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.auditing import BOUNDS, Audit, FileAudit, as_bad_as
from unheard.cli import exits
from unheard.cli.audit_output import as_json, by_prompt, show, write_csv
from unheard.cli.progress import Display
from unheard.cli.prompts import read_prompts
from unheard.errors import InputError
from unheard.generation.request import check_prompts

if TYPE_CHECKING:
    from unheard.auditing.auditor import Auditor
    from unheard.generation.defaults import Defaults
    from unheard.generation.model import Model
    from unheard.generation.replication_rate import Replication
    from unheard.generation.sound import Sound

ONLY_WITH_PROMPTS = ("seeds", "seed", "duration", "no_guidance", "output", "batch", "dtype")


@click.command()
@click.argument("sounds", nargs=-1)
@click.option(
    "--references", multiple=True, metavar="PATH", help="Folder or file of recordings; may be repeated."
)
@click.option("--index", metavar="PATH", help="Training set: its recordings, and its embeddings to search.")
@click.option("--model", default="tiny", show_default=True, metavar="MODEL", help="Model whose set it is.")
@click.option(
    "--embedder", metavar="NAME", help="Folder or hub id of the CLAP of the index.  [default: the model's]"
)
@click.option("--report", metavar="PLACE", help="Write an HTML report: a folder, or one file NAME.html.")
@click.option("--csv", "table", metavar="FILE", help="Write every number as CSV, a row a match.")
@click.option("--json", "json_asked", is_flag=True, help="Print everything as one JSON object.")
@click.option("--fail-on", type=click.Choice(BOUNDS), help="Exit code 3 if a sound is as bad as this.")
@click.option(
    "--prompts", "prompts_file", metavar="FILE", help="Audit the model: generate these, one a line."
)
@click.option("--seeds", type=int, metavar="N", help="Sounds for each prompt.  [default: 4]")
@click.option("--seed", type=int, metavar="N", help="The first seed.  [default: 0]")
@click.option("--duration", type=float, metavar="S", help="Seconds to generate.  [default: the model's]")
@click.option(
    "--no-guidance", is_flag=True, default=None, help="Generate without anti-memorization guidance."
)
@click.option("--batch", type=int, metavar="N", help="Sounds generated at once.  [default: all, up to 4]")
@click.option("--output", metavar="FOLDER", help="Keep the generated sounds here.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--dtype", type=click.Choice(("float32", "float16", "bfloat16")), help="Precision.  [default: float32]"
)
def audit(
    sounds: tuple[str, ...],
    references: tuple[str, ...],
    index: str | None,
    model: str,
    embedder: str | None,
    report: str | None,
    table: str | None,
    json_asked: bool,
    fail_on: str | None,
    prompts_file: str | None,
    device: str,
    **generation: Any,
) -> int:
    """Tell whether SOUNDS (files, folders) replay recordings: which, where, and how surely.

    Without --references and --index they are compared with the recordings that the model brings. Verdicts are
    copy, partial copy, similar and clear; what is silent, too short or unreadable is not judged. With
    --prompts the model itself is audited: how often its sounds replay, and how hard each prompt pulls. Ctrl-C
    keeps what is judged.

    \b
    Examples:
      unheard audit out/*.wav
      unheard audit out/ --references ./catalogue --report report/
      unheard audit out/*.wav --index mine.json --references loops/ --csv numbers.csv
      unheard audit out/ --fail-on copy --json
      unheard audit --prompts prompts.txt --seeds 8 --no-guidance --report model.html
    """
    if bool(sounds) == (prompts_file is not None):
        raise click.UsageError("nothing to audit: name sounds or folders, or give --prompts FILE (not both)")
    if sounds:
        for name in ONLY_WITH_PROMPTS:
            if generation[name] is not None:
                option = name.replace("_", "-")
                raise click.UsageError(f"--{option} is for generating: give --prompts FILE with it")
    paths = _expand(sounds)
    prompts = () if prompts_file is None else check_prompts(read_prompts(prompts_file))
    places = _expand(references)
    _check_file(table)
    display = Display(quiet=json_asked)
    if report is not None:
        with display.loading("the report"):
            from unheard.auditing.report.report import check_place
        check_place(report)
    task = _prepare(paths, places, index, model, embedder, device, display)
    if task.auditor.catalogue.left_out:
        left_out = task.auditor.catalogue.left_out
        first = next(iter(left_out.values()))
        warnings.warn(f"{len(left_out)} reference(s) left out, the first: {first}", stacklevel=1)

    with ExitStack() as stack:
        found = _Found([])
        interrupted = False
        try:
            if paths:
                _judge(task, found, display)
            else:
                folder = _sounds_folder(generation["output"], report, stack)
                bound = fail_on or "copy"
                _generate(task, prompts, generation, device, folder, bound, found, display)
        except KeyboardInterrupt:
            if not found.files:
                raise
            interrupted = True
        files, counted = found.files, found.counted
        result = task.auditor.audit(files)
        if table is not None:
            write_csv(Path(table), result)
        page = None if report is None else _write_report(result, counted, task, report, display)
        if json_asked:
            click.echo(json.dumps(as_json(result, counted), indent=2, allow_nan=False))
        else:
            show(result, counted, page)
    if interrupted:
        raise KeyboardInterrupt
    bad = sum(fail_on is not None and as_bad_as(file.verdict, fail_on) for file in result.files)
    if bad:
        click.echo(f"unheard: {bad} of {len(files)} sounds: {fail_on}, or worse", err=True)
    return exits.FOUND if bad else 0


@dataclass(frozen=True)
class _Task:
    """What is audited against what."""

    paths: list[Path]
    auditor: Auditor
    model: str
    index: Any
    embedder: str | None


@dataclass
class _Found:
    """What is done, whenever it ends: the sounds judged, and the counts if a model is audited."""

    files: list[FileAudit]
    counted: Replication | None = None


def _prepare(
    paths: Sequence[str],
    references: Sequence[str],
    index_path: str | None,
    model: str,
    embedder: str | None,
    device: str,
    display: Display,
) -> _Task:
    """The sounds, the catalogue and its embeddings; whatever is wrong with them is found out here."""
    with display.loading("the catalogue"):
        from unheard.auditing.assembly import auditor_for
        from unheard.auditing.catalogue import sound_files
        from unheard.backbones import resolve_device
        from unheard.backbones.hub import fetch
        from unheard.embedders import load_embedder
        from unheard.generation.defaults import read_defaults
        from unheard.index import Index

        where = resolve_device(device)
        files = sound_files(paths) if paths else []
        defaults: Defaults = read_defaults(fetch(model))
        if index_path is not None:
            place: Path | None = Path(index_path)
        else:
            place = None if references else defaults.index
        index = None if place is None else Index.open(place)
        ears = None
        if index is not None:
            ears = load_embedder(embedder or defaults.embedder, device=where)
            index.check_embedder(ears)
    own = defaults.references if place in (None, defaults.index) else None
    # One folder alone gives ids that are file names in it, as those of an index are.
    named = references[0] if len(references) == 1 else references or None
    with display.counting("references", "reading") as progress:
        auditor = auditor_for(named, index, own, ears, progress=progress)
    return _Task(files, auditor, model, "auto" if index_path is None else index, embedder)


def _judge(task: _Task, found: _Found, display: Display) -> None:
    """Judge the files one after another."""
    with display.counting("sounds", "judging") as progress:
        for path in task.paths:
            found.files.append(task.auditor.judge(path))
            progress(len(found.files), len(task.paths))


def _generate(
    task: _Task,
    prompts: Sequence[str],
    generation: dict[str, Any],
    device: str,
    folder: Path | None,
    bound: str,
    found: _Found,
    display: Display,
) -> None:
    """Generate, judge and count."""
    from unheard.generation.model import load
    from unheard.generation.replication_rate import count, replication, with_risk

    seeds = 4 if generation["seeds"] is None else generation["seeds"]
    if seeds < 1:
        raise InputError(f"seeds is {seeds}: give at least 1")
    with display.loading(task.model):
        model: Model = load(task.model, device=device, dtype=generation["dtype"], embedder=task.embedder)
        request = model.request(
            [prompt for prompt in dict.fromkeys(prompts) for _ in range(seeds)],
            duration=generation["duration"],
            seed=generation["seed"] or 0,
            batch=generation["batch"],
            guidance=None if generation["no_guidance"] else "auto",
        )
        training_set = model.training_set(task.index)

    def keep(sound: Sound, judged: FileAudit) -> FileAudit:
        if folder is not None:
            title = re.sub(r"[^\w ,.-]+", "", sound.prompt)[:60].strip()
            path = sound.save(folder / f"{sound.number + 1:04d} {title}, seed {sound.seed}.wav")
            judged = replace(judged, path=str(path))
        found.files.append(judged)
        return judged

    try:
        with display.generating() as progress:
            replication(
                model,
                request,
                task.auditor,
                training_set=training_set,
                bound=bound,
                risk=False,
                judged=keep,
                progress=progress,
            )
    finally:
        found.counted = count(model.name, request, task.auditor.audit(found.files), bound)
    total = len(found.counted.prompts)
    with display.counting("prompts", "measuring") as report:

        def measured(so_far: Replication) -> None:
            found.counted = so_far
            report(sum(each.risk is not None for each in so_far.prompts), total)

        with_risk(found.counted, model, request, progress=measured)


def _sounds_folder(output: str | None, report: str | None, stack: ExitStack) -> Path | None:
    """Where generated sounds lie while they are needed: as asked, beside the report, or for the moment."""
    if output is not None:
        folder = Path(output)
    elif report is None:
        return None
    elif Path(report).suffix.lower() in (".html", ".htm"):
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="unheard-")))
    else:
        folder = Path(report) / "sounds"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write sounds to {folder}: {error.strerror or error}") from error
    return folder


def _expand(places: Sequence[str]) -> list[str]:
    """Names as given, patterns that no shell expanded as what they match; all of them are there."""
    found: list[str] = []
    for place in places:
        if Path(place).exists():
            found.append(place)
        elif glob.has_magic(place) and (matches := sorted(glob.glob(place, recursive=True))):
            found += matches
        else:
            what = "matches nothing" if glob.has_magic(place) else "does not exist"
            raise InputError(f"cannot read {place}: it {what}; name sound files or folders")
    return found


def _check_file(path: str | None) -> None:
    """Find out before the work that the file can be written."""
    if path is None:
        return
    if Path(path).is_dir():
        raise InputError(f"cannot write {path}: it is a folder; give a file name")
    if not Path(path).parent.is_dir():
        raise InputError(f"cannot write {path}: the folder {Path(path).parent} does not exist; create it")


def _write_report(
    result: Audit, counted: Replication | None, task: _Task, place: str, display: Display
) -> Path:
    from unheard.auditing.report.report import write_report

    prompts = None if counted is None else by_prompt(counted)
    with display.counting("findings", "drawing") as progress:
        return write_report(result, task.auditor.catalogue, place, by_prompt=prompts, progress=progress)
