"""The report: one HTML page on which a person hears and sees what was found.

The page needs no network and no server. What is behind a finding (both sounds, their spectrograms, the
similarity matrix) is loaded when the finding is opened: from small files beside the page where the report is
a folder, out of the page itself where it is a single file. Thousands of sounds stay usable either way.

    page/report.html    the frame, with the styles and the script put in
    page/report.css     how it looks, by day and by night
    page/report.js      the table, the findings, what plays
"""

from __future__ import annotations

import base64
import datetime
import html
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import soundfile
from torch import Tensor

from unheard import audio
from unheard.auditing.report import pictures
from unheard.auditing.report.matrix import SimilarityMatrix, similarity_matrix
from unheard.auditing.results import UNTOLD, VERDICTS, Audit, FileAudit, Match, as_bad_as
from unheard.common.files import replacing
from unheard.common.progress import Report
from unheard.errors import InputError

PAGE = Path(__file__).parent / "page"
FINDINGS = 3
"""Matches of one sound that can be opened, beside all that are copied; the table of numbers has them all."""
MARGIN = 10.0
"""Seconds of a sound before and after the match that are put into the report; the rest is left out."""

Read = Callable[[str], tuple[Tensor, int]]
Loaded = tuple[Tensor, int] | str
"""A waveform [channels, time] and its sample rate, or why there is none."""


class References(Protocol):
    """Where the report reads the references (an `unheard.auditing.Catalogue`)."""

    def read(self, reference: str) -> tuple[Tensor, int]: ...


def write_report(
    audit: Audit,
    references: References,
    path: str | Path,
    *,
    read: Read = audio.read,
    by_prompt: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Path:
    """Write the report of an audit.

    Args:
        audit: the results.
        references: the catalogue they were found in.
        path: a folder, made if it is not there; or a name that ends in .html, for a single file that holds
            everything.
        read: gives the waveform [channels, time] and sample rate of an audited sound by its `path`.
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
    names = [f"{number}-{rank}" for number, rank, _, _ in found]
    contents = _contents(found, references, read, progress)
    head, tail = _frame(audit, by_prompt, names, beside is not None)
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
        for name, content in zip(names, contents, strict=True):
            with replacing(beside / f"{name}.js") as file:
                file.write(f"unheard.finding({json.dumps(name)}, {content});\n".encode())
    with replacing(page) as file:
        file.write(head.encode())
        if beside is None:
            for name, content in zip(names, contents, strict=True):
                block = f'<script type="application/json" id="finding-{name}">{content}</script>\n'
                file.write(block.encode())
        file.write(tail.encode())
    if beside is not None:
        _remove_others(beside, names)
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
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(
            f"cannot write a report to {path}: it is a file; give a folder, or a name that ends in .html"
        ) from error
    except OSError as error:
        raise InputError(f"cannot write a report to {path}: {error.strerror or error}") from error
    return path / "index.html", path / "findings"


class _Found(NamedTuple):
    number: int
    rank: int
    file: FileAudit
    match: Match


def _findings(audit: Audit) -> Iterator[_Found]:
    """What can be opened: of every sound the best matches that are more than chance."""
    for number, file in enumerate(audit.files):
        for rank, match in enumerate(_shown(file)):
            yield _Found(number, rank, file, match)


def _shown(file: FileAudit) -> list[Match]:
    copied = sum(as_bad_as(match.verdict, "partial copy") for match in file.matches)
    alike = [match for match in file.matches if as_bad_as(match.verdict, "similar")]
    return alike[: max(FINDINGS, copied)]


def _contents(
    found: Iterable[_Found], references: References, read: Read, progress: Report | None
) -> Iterator[str]:
    """Every finding as JSON that may stand inside a script, in the order given."""
    found = list(found)
    last: tuple[int, Loaded] | None = None  # findings of one sound follow one another
    for done, (number, _, file, match) in enumerate(found, 1):
        if last is None or last[0] != number:
            last = number, _read(read, file.path)
        reference = _read(references.read, match.reference)
        yield _json(_finding(last[1], reference, match))
        if progress is not None:
            progress(done, len(found))


def _read(read: Read, name: str) -> Loaded:
    """A sound, or why there is none."""
    try:
        return read(name)
    except InputError as error:
        return str(error)


def _finding(audited: Loaded, reference: Loaded, match: Match) -> dict[str, Any]:
    """What the page needs to play and to draw a match."""
    spans = ((match.start, match.end), (match.reference_start, match.reference_end))
    content: dict[str, Any] = {
        "audited": _sound(audited, *spans[0]),
        "reference": _sound(reference, *spans[1]),
        "matrix": None,
    }
    if not isinstance(audited, str) and not isinstance(reference, str):
        found = similarity_matrix(*audited, *reference, match)
        content["matrix"] = _matrix(found, content["audited"], content["reference"])
    return content


def _sound(sound: Loaded, start: float, end: float) -> dict[str, Any]:
    """A sound around a match: as FLAC, as a picture, and which seconds of the whole these are."""
    if isinstance(sound, str):
        return {"missing": sound}
    waveform, rate = sound
    first = max(0, math.floor((start - MARGIN) * rate))
    last = min(waveform.shape[-1], math.ceil((end + MARGIN) * rate))
    part = waveform[:, first:last]
    return {
        "from": first / rate,
        "seconds": part.shape[-1] / rate,
        "whole": part.shape[-1] == waveform.shape[-1],
        "flac": _base64(_flac(part, rate)),
        "spectrogram": _base64(pictures.spectrogram(part, rate)),
        "hertz": [pictures.LOWEST, pictures.top_frequency(rate)],
    }


def _flac(waveform: Tensor, rate: int) -> bytes:
    """16 bits, at most 2 channels and 48 kHz, which is what browsers play; lower where it would clip."""
    if waveform.shape[0] > 2:
        waveform = waveform.mean(dim=0, keepdim=True)
    if rate > 48_000:
        waveform, rate = audio.resample(waveform, rate, 48_000), 48_000
    waveform = waveform / max(1.0, float(waveform.abs().max()))
    file = io.BytesIO()
    soundfile.write(file, waveform.T.numpy(), rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _matrix(found: SimilarityMatrix, audited: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """The matrix of what is shown of both, time of the audited sound to the right; the path in seconds."""
    period = found.period
    rows, columns = (
        slice(round(part["from"] / period), round((part["from"] + part["seconds"]) / period) + 1)
        for part in (audited, reference)
    )
    seen = found.similarity[rows, columns]
    step = max(1, len(found.path) // 400)
    path = [*found.path[::step], *found.path[-1:]]
    return {
        "picture": _base64(pictures.matrix(seen.T)) if seen.size else None,
        "seconds": [seen.shape[0] * period, seen.shape[1] * period],
        "path": [[round(i * period, 3), round(j * period, 3)] for i, j in path],
    }


def _frame(
    audit: Audit, by_prompt: Mapping[str, Any] | None, names: list[str], beside: bool
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
        "beside": beside,
        "replication": by_prompt,
        "catalogue": audit.catalogue,
        "settings": audit.settings,
        "calibration": audit.calibration,
        "versions": audit.versions,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }
    parts = {
        "title": html.escape(f"Audit of {len(audit.files):,} sound{'' if len(audit.files) == 1 else 's'}"),
        "css": (PAGE / "report.css").read_text(encoding="utf-8"),
        "js": (PAGE / "report.js").read_text(encoding="utf-8"),
        "audit": _json(summary),
    }
    page = (PAGE / "report.html").read_text(encoding="utf-8")
    head, tail = page.split("{{findings}}")
    return tuple(re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], text) for text in (head, tail))  # type: ignore[return-value]


def _remove_others(folder: Path, names: list[str]) -> None:
    """Take away the findings of the report that was here before."""
    kept = {f"{name}.js" for name in names}
    for path in folder.iterdir():
        if re.fullmatch(r"\d+-\d+\.js", path.name) and path.name not in kept:
            with suppress(OSError):
                path.unlink()


def _json(value: Any) -> str:
    """JSON in ASCII that no HTML parser takes for markup, null for numbers that JSON cannot hold."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
