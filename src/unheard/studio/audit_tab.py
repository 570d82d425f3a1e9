"""The second tab: sounds against recordings, with the report inside."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from unheard import audio
from unheard.auditing.assembly import auditor_for
from unheard.auditing.report.report import write_report
from unheard.auditing.results import Audit, FileAudit
from unheard.auditing.sounds import sound_files
from unheard.errors import InputError, UnheardError
from unheard.studio import markup
from unheard.studio.stream import Cancel, Cancelled, told
from unheard.studio.workshop import Workshop

FILES = "files"
"""The concurrency group of audits and builds, which do not wait for sounds, nor sounds for them."""
REPORTS = 20
"""Reports that can be opened at a time; with a later one, the oldest goes."""


@dataclass(frozen=True)
class Judged:
    """How far an audit is: the last sound that was judged; None while recordings are read."""

    done: int
    total: int
    file: FileAudit | None


@dataclass(frozen=True)
class Audited:
    """An audit that is finished, and the page of its report."""

    result: Audit
    page: Path


def audit_tab(workshop: Workshop) -> None:
    """Lay the tab out, and wire it."""
    with gr.Row():
        with gr.Column(min_width=260):
            uploads = gr.File(label="Sounds", file_count="multiple", height=190, elem_id="audit-files")
        with gr.Column(min_width=260):
            paths = gr.Textbox(
                label="or files and folders on this machine",
                info="One a line.",
                lines=4,
                elem_id="audit-paths",
            )
        with gr.Column(min_width=260):
            references = gr.Textbox(
                label="Recordings to compare with",
                info="A folder on this machine. Empty for those of the model or the index.",
                elem_id="audit-references",
            )
            with gr.Row():
                start = gr.Button("Audit", variant="primary", elem_id="audit", min_width=100)
                stop = gr.Button("Cancel", elem_id="audit-cancel", min_width=100)
    progress = gr.HTML(elem_id="audit-progress", elem_classes="told")
    report = gr.HTML(elem_id="audit-report")

    def check(uploads: list[str] | None, paths: str, references: str) -> list[Any]:
        wrong = ["", "", ""]
        try:
            sounds_of(uploads, paths)
        except InputError as error:
            wrong[1] = str(error)
        try:
            recordings_of(references)
        except InputError as error:
            wrong[2] = str(error)
        return [gr.validate(not message, message) for message in wrong]

    def run(
        uploads: list[str] | None, paths: str, references: str, request: gr.Request
    ) -> Iterator[tuple[Any, Any]]:
        try:
            with workshop.under_way.of(str(request.session_hash)) as cancel:
                sounds = sounds_of(uploads, paths)
                for at in audit(workshop, sounds, recordings_of(references), cancel):
                    if isinstance(at, Audited):
                        yield markup.counted(at.result), markup.page(at.page)
                    else:
                        yield markup.judged(at.done, at.total, at.file), gr.skip()
        except Cancelled:
            yield markup.note("Cancelled."), gr.skip()
        except UnheardError as error:
            yield markup.problem(str(error)), gr.skip()

    def cancel_own(request: gr.Request) -> None:
        workshop.under_way.cancel(str(request.session_hash))

    start.click(
        run, [uploads, paths, references], [progress, report], validator=check, show_progress="hidden",
        api_visibility="private", concurrency_id=FILES, concurrency_limit=1,
    )  # fmt: skip
    stop.click(cancel_own, queue=False, api_visibility="private")


def sounds_of(uploads: Sequence[str] | None, paths: str) -> list[Path]:
    """The sounds that were uploaded, or else named.

    Raises:
        InputError: none was, or a path leads to no sound.
    """
    named = [line.strip() for line in paths.splitlines() if line.strip()]
    if not uploads and not named:
        raise InputError("there is nothing to audit: upload sounds, or name files or folders")
    return [*map(Path, uploads or ()), *(sound_files(named) if named else ())]


def recordings_of(references: str) -> Path | None:
    """The folder that was named, None for none.

    Raises:
        InputError: it has no sounds.
    """
    if not references.strip():
        return None
    sound_files(references.strip())
    return Path(references.strip())


def audit(
    workshop: Workshop, sounds: Sequence[Path], references: Path | None, cancel: Cancel
) -> Iterator[Judged | Audited]:
    """Judge sounds one after another, and write a report of them.

    Args:
        workshop: whose recordings are taken where none are named.
        sounds: files.
        references: a folder; None for the recordings of the index or of the model.
        cancel: ends it between two sounds.

    Raises:
        InputError: there are no recordings to compare with.
        Cancelled: it was.
    """
    return told(partial(_audit, workshop, sounds, references), cancel)


def _audit(
    workshop: Workshop,
    sounds: Sequence[Path],
    references: Path | None,
    tell: Callable[[Judged | Audited], None],
) -> None:
    tell(Judged(0, len(sounds), None))
    auditor = workshop.auditor() if references is None else auditor_for(references, None, None, None)
    if auditor is None:
        raise InputError(f"{workshop.unaudited}; here, name a folder")
    names = _names(sounds)
    found = []
    for name, path in names.items():
        found.append(auditor.judge(path, name))
        tell(Judged(len(found), len(sounds), found[-1]))
    result = auditor.audit(found)
    for older in sorted(workshop.served.glob("audit-*.html"), key=lambda path: path.stat().st_mtime)[
        :-REPORTS
    ]:
        older.unlink(missing_ok=True)
    page = workshop.served / f"audit-{uuid.uuid4().hex}.html"
    write_report(result, auditor.catalogue, page, read=lambda name: audio.read(names[name]))
    tell(Audited(result, page))


def _names(sounds: Sequence[Path]) -> dict[str, Path]:
    """Each sound by the name of its file; by its path where another has the name."""
    names: dict[str, Path] = {}
    for path in sounds:
        names[path.name if path.name not in names else str(path)] = path
    return names
