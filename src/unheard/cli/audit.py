"""`unheard audit`: sounds, or what a model makes of prompts, against a catalogue."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.auditing import BOUNDS, Audit, FileAudit, as_bad_as
from unheard.cli import exits
from unheard.cli.audit_compare import AuditCommand
from unheard.cli.audit_output import as_json, by_prompt, counts, output, write_csv
from unheard.cli.files import make_folder, matching
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import (
    DTYPES,
    OF_MODEL,
    device_option,
    environment,
    limit_options,
    overwrite_option,
    quiet_option,
    under,
)
from unheard.cli.progress import Display
from unheard.cli.prompts import read_prompts, repeated
from unheard.cli.targets import Target, check_targets, inputs, sound_targets
from unheard.cli.terminal import say, say_json
from unheard.common.files import check_folder, sha256, shortened
from unheard.common.imports import importing
from unheard.common.left_out import LeftOut
from unheard.common.texts import plural
from unheard.generation.defaults import AUTO
from unheard.generation.request import check_prompts

if TYPE_CHECKING:
    from unheard.auditing.auditor import Auditor
    from unheard.embedders import Embedder
    from unheard.generation.model import Model
    from unheard.generation.replication_rate import Replication
    from unheard.generation.request import Request
    from unheard.generation.sound import Sound
    from unheard.generation.training_set import TrainingSet

OF_GENERATION = ("seeds", "seed", "duration", "no_guidance", "batch", "output", "dtype")
"""Options that say how sounds are generated, and nothing without `--prompts`."""
SEEDS = 4
NOT_REACHED = "the audit was interrupted before it"
"""Why a sound was not judged that was asked for."""
LONGEST_TITLE = 120
"""Bytes of a prompt in the name of its sound: characters of some scripts take four each."""

_references = under("What to compare with")
_model = under("To audit a model")
_result = under("What comes of it")
_machine = under("Machine")


@click.command(cls=AuditCommand)
@click.argument("sounds", nargs=-1)
@_references(
    "--references",
    multiple=True,
    metavar="PATH",
    help="Folder or file of recordings; may be repeated.",
)
@_references(
    "--index",
    metavar="PATH",
    **environment("INDEX"),
    help="Training set: its recordings, and its embeddings to search.",
)
@_references(
    "--model",
    default="tiny",
    show_default=True,
    metavar="MODEL",
    **environment("MODEL"),
    help="Model whose set it is.",
)
@_references("--embedder", metavar="NAME", help=f"CLAP of the index: folder or hub id.{OF_MODEL}")
@_model(
    "--prompts",
    "prompts_file",
    metavar="FILE",
    help="Audit the model: generate these, one a line.",
)
@_model("--seeds", type=int, metavar="N", help=f"Sounds for each prompt.  [default: {SEEDS}]")
@_model("--seed", type=int, metavar="N", help="The first seed.  [default: 0]")
@_model("--duration", type=float, metavar="S", help=f"Seconds to generate.{OF_MODEL}")
@_model("--no-guidance", is_flag=True, default=None, help="Generate without anti-memorization guidance.")
@_model("--batch", type=int, metavar="N", help="Sounds generated at once.  [default: all, up to 4]")
@_model("-o", "--output", metavar="FOLDER", help="Write the generated sounds here.")
@_result("--report", metavar="PATH", help="Write an HTML report: a folder, or one file NAME.html.")
@_result("--title", metavar="TEXT", help="Headline of the report.")
@_result("--case", metavar="TEXT", help="What the report belongs to, such as a file number.")
@_result("--notes", metavar="TEXT", help="Paragraphs above the report's table.")
@_result("--csv", "table", metavar="FILE", help="Write every number as CSV, a row a match.")
@overwrite_option(_result)
@_result("--json", "json_asked", is_flag=True, help="Print everything as one JSON object.")
@_result(
    "--fail-on",
    type=click.Choice([*BOUNDS, "untold"]),
    help="Exit code 3 if a sound is as bad as this, or worse; 4 if that cannot be told (untold: 4 alone).",
)
@_result("--accept-untold", is_flag=True, help="Exit code 0 for sounds that are too short, or not judged.")
@device_option(_machine)
@_machine("--dtype", type=click.Choice(DTYPES), help="Precision of the model.  [default: float32]")
@limit_options(held=True, in_blocks=False, option=_machine)
@quiet_option(_result)
def audit(
    sounds: tuple[str, ...],
    references: tuple[str, ...],
    index: str | None,
    model: str,
    embedder: str | None,
    report: str | None,
    table: str | None,
    overwrite: bool,
    json_asked: bool,
    fail_on: str | None,
    accept_untold: bool,
    title: str | None,
    case: str | None,
    notes: str | None,
    prompts_file: str | None,
    device: str,
    **generation: Any,
) -> int:
    """Tell whether SOUNDS (files, folders) replay recordings: which, where, and how surely.

    Without --references and --index they are compared with the recordings that the model brings. Verdicts are
    copy, partial copy, similar and clear. What is too short to tell could not be called a copy if it were
    one; what is silent or unreadable is not judged. With --prompts the model itself is audited: how often its
    sounds replay, and how hard each prompt pulls. Ctrl-C keeps what is judged. A report or a table that is
    there is replaced with --overwrite only.

    \b
    Examples:
      unheard audit out/*.wav
      unheard audit out/ --references ./catalogue --report report/
      unheard audit out/*.wav --index mine.json --references loops/ --csv numbers.csv
      unheard audit out/ --fail-on copy --json
      unheard audit --prompts prompts.txt --seeds 8 --no-guidance --report model.html
      unheard audit compare march.json april.json
    """
    about = {"title": title, "case": case, "notes": notes}
    _check_options(sounds, prompts_file, generation, report, about)
    named, recordings = matching(sounds), matching(references)
    prompts = () if prompts_file is None else check_prompts(read_prompts(prompts_file))
    display = Display(quiet=json_asked)
    read = [
        *inputs(named, "a sound"),
        *inputs(recordings, "a recording"),
        *inputs([prompts_file], "the list of prompts"),
        *inputs([index], "the index", whole=True),
        *inputs([model], "the model", whole=True),
        *inputs([embedder], "the embedder", whole=True),
    ]
    with display.loading("the auditor"):
        check_targets(_targets(table, report), read, overwrite=overwrite)
    with display.loading("the catalogue"):
        from unheard.auditing.sounds import sound_files

        files = sound_files(named) if named else []
    auditor, training_set = _assemble(recordings, index, model, embedder, device, display)

    with ExitStack() as until_the_end:
        work = _Work(auditor, display)
        interrupted = False
        if files or any(path is not None for path in (generation["output"], report, table)):
            saves_what_is_finished()  # judgements of files lie in a cache
        try:
            if files:
                work.judge(files)
            else:
                folder = _sounds_folder(generation["output"], report, until_the_end)
                if folder is not None:
                    check_folder(folder)
                with display.loading(model):
                    from unheard.generation.model import load

                    loaded = load(model, device=device, dtype=generation["dtype"], embedder=embedder)
                    stay_away_from = loaded.training_set("auto" if index is None else training_set.index)
                    request = _request(loaded, prompts, generation, stay_away_from)
                if folder is not None and folder.is_dir():
                    targets = _sounds(folder, loaded, request, stay_away_from)
                    check_targets(list(targets), read, overwrite=overwrite)
                bound = fail_on if fail_on in BOUNDS else "copy"
                work.judge_model(loaded, request, stay_away_from, bound, folder, overwrite)
        except KeyboardInterrupt:
            if not work.files:
                raise
            interrupted = True
        result = auditor.audit(work.files)
        page = None
        try:
            if table is not None:
                write_csv(Path(table), result)
            if report is not None:
                page = _write_report(result, work, report, about)
        finally:  # a full disk does not cost what was judged: it is printed all the same
            if json_asked:
                say_json(as_json(result, work.counted))
            else:
                output(result, work.counted, page, work.known)
    if interrupted:
        raise KeyboardInterrupt
    return 0 if fail_on is None else _gate(result.files, fail_on, accept_untold)


def _check_options(
    sounds: Sequence[str],
    prompts_file: str | None,
    generation: Mapping[str, Any],
    report: str | None,
    about: Mapping[str, str | None],
) -> None:
    """Raise UsageError for options that have nothing to do beside the others."""
    if bool(sounds) == (prompts_file is not None):
        raise click.UsageError("nothing to audit: name sounds or folders, or give --prompts FILE (not both)")
    for name in OF_GENERATION if sounds else ():
        if generation[name] is not None:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for generating: give --prompts FILE with it")
    for name in about if report is None else ():
        if about[name] is not None:
            raise click.UsageError(f"--{name} is for a report: give --report PATH with it")


def _gate(files: Sequence[FileAudit], bound: str, accept_untold: bool) -> int:
    """The exit code for a pipeline; what is as bad as the bound, or could not be told, is said in a line."""
    bad = [file for file in files if bound in BOUNDS and as_bad_as(file.verdict, bound)]
    untold = [file for file in files if not file.told and file not in bad and not accept_untold]
    judged = plural(len(files), "sound")
    if bad:
        say(f"unheard: {len(bad):,} of {judged} failed: {counts(bad)}", err=True)
    if untold:
        say(
            f"unheard: {len(untold):,} of {judged} cannot be told from copies: {counts(untold)} "
            "(--accept-untold lets them pass)",
            err=True,
        )
    return exits.FOUND if bad else exits.UNTOLD if untold else 0


@dataclass
class _Work:
    """What judges, and what is judged whenever it ends.

    Attributes:
        files: what was found, sound by sound.
        counted: how often a model replays, if one is audited.
        known: how many of the sounds had been judged before.
    """

    auditor: Auditor
    display: Display
    files: list[FileAudit] = field(default_factory=list)
    counted: Replication | None = None
    known: int = 0

    @contextmanager
    def all_named(self, names: Sequence[str]) -> Iterator[None]:
        """An interrupt leaves the rest of the sounds named as not judged, not passed over in silence."""
        try:
            yield
        except KeyboardInterrupt:
            if self.files:
                left = names[len(self.files) :]
                self.files += (FileAudit(name, "not judged", NOT_REACHED) for name in left)
            raise

    def judge(self, paths: Sequence[Path]) -> None:
        """Judge files one after another."""
        from unheard.auditing.judgements import Judgements

        judgements = Judgements(self.auditor)
        names = [str(path) for path in paths]
        with self.display.counting("sound", "judging") as progress, self.all_named(names):
            for path in paths:
                self.files.append(judgements.judge(path))
                progress(len(self.files), len(paths))
        self.known = judgements.known

    def judge_model(
        self,
        model: Model,
        request: Request,
        training_set: TrainingSet,
        bound: str,
        folder: Path | None,
        overwrite: bool,
    ) -> None:
        """Generate, judge each sound, write it to a folder if there is one; count, and measure prompts."""
        from unheard.generation.replication_rate import count, measuring_risk, replication

        def take(sound: Sound, judged: FileAudit) -> FileAudit:
            if folder is not None:
                path = make_folder(folder) / _sound_name(sound.number, sound.prompt, sound.seed)
                sound.save(path, overwrite=overwrite)
                judged = replace(judged, path=str(path), sha256=sha256(path))
            self.files.append(judged)
            return judged

        try:
            names = [f"sound {number}" for number in range(1, len(request.prompts) + 1)]
            with self.display.generating() as progress, self.all_named(names):
                replication(
                    model,
                    request,
                    self.auditor,
                    training_set=training_set,
                    bound=bound,
                    risk=False,
                    judged=take,
                    progress=progress,
                )
        finally:
            self.counted = count(model.name, request, self.auditor.audit(self.files), bound)
        with self.display.counting("prompt", "measuring") as report:
            for number, so_far in enumerate(measuring_risk(self.counted, model, request), start=1):
                self.counted = so_far
                report(number, len(so_far.prompts))


def _targets(table: str | None, report: str | None) -> list[Target]:
    """The files that an audit writes, but for generated sounds."""
    targets = []
    if table is not None:
        targets.append(Target(Path(table)))
    if report is not None:
        from unheard.auditing.report.report import check_path

        page, findings = check_path(report)
        if page.parent.is_dir():
            targets.append(Target(page))
        if findings is not None and findings.is_dir():
            targets += map(Target, findings.glob("*.js"))
    return targets


def _sounds(folder: Path, model: Model, request: Request, training_set: TrainingSet) -> Iterator[Target]:
    """The files of the sounds that are to be generated."""
    for number, (prompt, seed) in enumerate(zip(request.prompts, request.seeds, strict=True)):
        record = partial(model.record_of, request, *request.place(number), training_set)
        yield from sound_targets(folder / _sound_name(number, prompt, seed), record)


def _sound_name(number: int, prompt: str, seed: int) -> str:
    """The name of a generated sound's file, with the beginning of its prompt."""
    title = shortened(re.sub(r"[^\w ,.-]+", "", prompt)[:60], LONGEST_TITLE).strip()
    return f"{number + 1:04d} {title}, seed {seed}.wav"


def _assemble(
    references: Sequence[str],
    index: str | None,
    model: str,
    embedder: str | None,
    device: str,
    display: Display,
) -> tuple[Auditor, TrainingSet]:
    """The auditor and the training set that it searches; whatever is wrong with them is found out here."""
    with display.loading("the catalogue"):
        with importing():
            from unheard.auditing.assembly import auditor_for
            from unheard.backbones import resolve_device
            from unheard.backbones.hub import fetch
            from unheard.embedders import load_embedder
            from unheard.generation.defaults import read_defaults
            from unheard.generation.training_set import TrainingSet

        where, defaults = resolve_device(device), read_defaults(fetch(model))

        @cache
        def of_the_index() -> Embedder:
            return load_embedder(embedder or defaults.embedder, device=where)

        training_set = TrainingSet.open(
            index or (None if references else defaults.index),
            # One folder alone gives ids that are file names in it, as those of an index are.
            references[0] if len(references) == 1 else references or None,
            defaults=defaults,
            load_embedder=of_the_index,
            device=where,
        )
        searching = None if training_set.index is None else of_the_index()
    with display.counting("reference", "reading") as progress:
        auditor = auditor_for(
            training_set.references, training_set.index, training_set.brought, searching, progress=progress
        )
    if left_out := auditor.catalogue.left_out:
        said = f"of {plural(len(left_out) + len(auditor.catalogue), 'reference')}, {LeftOut.of(left_out)}"
        warnings.warn(said, stacklevel=1)
    return auditor, training_set


def _request(
    model: Model, prompts: Sequence[str], generation: Mapping[str, Any], stay_away_from: TrainingSet
) -> Request:
    """Every prompt once for each of its seeds, under the guidance that is calibrated for a training set."""
    seeds = SEEDS if generation["seeds"] is None else generation["seeds"]
    request = model.request(
        repeated([*dict.fromkeys(prompts)], "seeds", seeds),
        duration=generation["duration"],
        seed=generation["seed"] or 0,
        batch=generation["batch"],
        guidance=None if generation["no_guidance"] else AUTO,
    )
    model.warn_of_unknown_words(request)
    if generation["no_guidance"]:
        return request
    return replace(request, guidance=model.guidance_named(AUTO, stay_away_from, request.duration))


def _sounds_folder(output: str | None, report: str | None, until_the_end: ExitStack) -> Path | None:
    """Where generated sounds lie while they are needed: as asked, beside the report, or for the moment.

    The folder is made for the first of them.
    """
    if output is not None:
        return Path(output)
    if report is None:
        return None
    if Path(report).suffix.lower() in (".html", ".htm"):
        return Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="unheard-")))
    return Path(report) / "sounds"


def _write_report(result: Audit, work: _Work, path: str, about: Mapping[str, str | None]) -> Path:
    from unheard.auditing.report.report import About, write_report

    prompts = None if work.counted is None else by_prompt(work.counted)
    with work.display.counting("finding", "drawing") as progress:
        return write_report(
            result,
            work.auditor.catalogue,
            path,
            about=About(**about),
            by_prompt=prompts,
            progress=progress,
        )
