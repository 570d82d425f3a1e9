"""The report: one HTML page on which a person hears and sees what was found.

The page needs no network and no server. What is behind a finding (both sounds, their spectrograms, the
similarity matrix) is loaded when the finding is opened: from small files beside the page where the report is
a folder, out of the page itself where it is a single file. Thousands of sounds stay usable either way.

    page/report.html    the frame, with the styles and the script put in
    page/report.css     how it looks, by day and by night
    page/report.js      the table, the findings, what plays
"""

from __future__ import annotations

import datetime
import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unheard import audio
from unheard.auditing.report.pieces import FINE, SMALL, Fineness, Found, Pieces, Read, References, to_json
from unheard.auditing.results import MEANINGS, UNTOLD, VERDICTS, Audit, FileAudit, Match, as_bad_as
from unheard.common.files import check_folder, replacing
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.errors import InputError

PAGE = Path(__file__).parent / "page"
FINDINGS = 3
"""Matches of one sound that can be opened, beside all that are copied; the table of numbers has them all."""
FEW = 200
"""Findings up to which a report holds its sounds without loss."""


@dataclass(frozen=True)
class About:
    """What stands above a report, in the words of whoever hands it over.

    Attributes:
        title: the headline; how many sounds were audited if left out.
        case: what the report belongs to, such as a file number.
        notes: paragraphs, parted by empty lines.
    """

    title: str | None = None
    case: str | None = None
    notes: str | None = None


def write_report(
    audit: Audit,
    references: References,
    path: str | Path,
    *,
    read: Read = audio.read,
    about: About | None = None,
    by_prompt: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Path:
    """Write the report of an audit.

    Up to `FEW` findings it holds the sounds without loss; with more, in small, see `SMALL`.

    Args:
        audit: the results.
        references: the catalogue they were found in.
        path: a folder, made if it is not there; or a name that ends in .html, for a single file that holds
            everything.
        read: gives the waveform [channels, time] and sample rate of an audited sound by its `path`.
        about: title, case and notes.
        by_prompt: how often a model's sounds replay, as `unheard audit --prompts --json` has it, for a table.
        progress: called with how many findings are done, and how many there are.

    Returns:
        The page to open.

    Raises:
        InputError: nothing can be written there. A sound that cannot be read any more is named as such in its
            finding.
    """
    page, beside = check_path(path)
    found = list(_findings(audit))
    fineness = FINE if len(found) <= FEW else SMALL
    pieces = Pieces(references, read, fineness).of(found, progress)
    head, tail = _frame(audit, about or About(), by_prompt, [each.name for each in found], fineness, beside)
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
        written = []
        for name, content in pieces:
            written.append(name)
            with replacing(beside / f"{name}.js") as file:
                file.write(f"unheard.finding({json.dumps(name)}, {content});\n".encode())
    with replacing(page) as file:
        file.write(head.encode())
        if beside is None:
            for name, content in pieces:
                block = f'<script type="application/json" id="finding-{name}">{content}</script>\n'
                file.write(block.encode())
        file.write(tail.encode())
    if beside is not None:
        _remove_others(beside, written)
    return page


def check_path(path: str | Path) -> tuple[Path, Path | None]:
    """The page, and the folder of its findings if they lie beside it; before any work is done.

    Raises:
        InputError: nothing can be written there.
    """
    path = Path(path)
    if path.suffix.lower() in (".html", ".htm"):
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give another name")
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: the folder {path.parent} does not exist; create it")
        return path, None
    if path.is_file():
        raise InputError(
            f"cannot write a report to {path}: it is a file; give a folder, or a name that ends in .html"
        )
    check_folder(path)
    return path / "index.html", path / "findings"


def _findings(audit: Audit) -> Iterator[Found]:
    """Of every sound the best matches that are more than chance; of one without them the sound alone."""
    for number, file in enumerate(audit.files):
        shown = _shown(file)
        for rank, match in enumerate(shown):
            yield Found(f"{number}-{rank}", file, match)
        if not shown and file.verdict != "not judged":
            yield Found(str(number), file, None)


def _shown(file: FileAudit) -> list[Match]:
    copied = sum(as_bad_as(match.verdict, "partial copy") for match in file.matches)
    alike = [match for match in file.matches if as_bad_as(match.verdict, "similar")]
    return alike[: max(FINDINGS, copied)]


def _frame(
    audit: Audit,
    about: About,
    by_prompt: Mapping[str, Any] | None,
    names: list[str],
    fineness: Fineness,
    beside: Path | None,
) -> tuple[str, str]:
    """The page before and after the findings that it holds itself."""
    summary = {
        "files": [
            {**asdict(file), "matches": [asdict(match) for match in _shown(file)], "all": len(file.matches)}
            for file in audit.files
        ],
        "verdicts": VERDICTS,
        "untold": UNTOLD,
        "findings": names,
        "beside": beside is not None,
        "small": fineness is SMALL,
        "about": asdict(about),
        "meanings": MEANINGS,
        "replication": by_prompt,
        "catalogue": audit.catalogue,
        "settings": audit.settings,
        "calibration": audit.calibration,
        "versions": audit.versions,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }
    parts = {
        "title": html.escape(about.title or _count(audit)),
        "css": (PAGE / "report.css").read_text(encoding="utf-8"),
        "js": (PAGE / "report.js").read_text(encoding="utf-8"),
        "audit": to_json(summary),
    }
    page = (PAGE / "report.html").read_text(encoding="utf-8")
    head, tail = page.split("{{findings}}")
    return tuple(re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], text) for text in (head, tail))  # type: ignore[return-value]


def _count(audit: Audit) -> str:
    return f"Audit of {plural(len(audit.files), 'sound')}"


def _remove_others(folder: Path, names: list[str]) -> None:
    """Take away the findings of the report that was here before."""
    kept = {f"{name}.js" for name in names}
    for path in folder.iterdir():
        if re.fullmatch(r"(c?\d+|\d+-\d+)\.js", path.name) and path.name not in kept:
            with suppress(OSError):
                path.unlink()
