"""What is shown, as HTML: a take with its player, the meter, an audit. Everything from outside is escaped."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from unheard import audio
from unheard.auditing.report.pictures import spectrogram
from unheard.auditing.results import VERDICTS, Audit, FileAudit, by_chance
from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.generation.sound import Sound, TraceStep
from unheard.index import Item
from unheard.studio.making import At, Auditing, Saved, Told, Waiting
from unheard.studio.nearby import Nearby, cut_of, nearby
from unheard.studio.takes import GUIDED, UNGUIDED, Take, read_sound
from unheard.studio.workshop import Workshop

FILES = "/gradio_api/file="
"""Where Gradio serves the files of the folders that it was allowed."""
TITLES = {GUIDED: "With guidance", UNGUIDED: "Without guidance"}
WIDTH, HEIGHT = 300, 72
"""Of the meter, in its own units."""


def url(path: Path) -> str:
    """Where a browser finds a file; with its time, so that none of the same name is played from a cache."""
    return f"{FILES}{quote(str(path))}?{path.stat().st_mtime_ns:x}"


def masthead(workshop: Workshop) -> str:
    """What runs here, and where takes go."""
    folder = workshop.takes.folder
    home = Path.home()
    written = Path("~") / folder.relative_to(home) if folder.is_relative_to(home) else folder
    return (
        f'<div class="masthead"><h1>unheard studio</h1><p>{escape(workshop.about)}</p>'
        f"<p>takes are written to {escape(str(written))}</p></div>"
        f"{''.join(map(note, workshop.notes))}"
    )


# A take


def take(workshop: Workshop, shown: Take) -> str:
    """Both sounds of a take and the recordings beside them, in a player that switches between them."""
    players: list[dict[str, Any]] = []
    columns = []
    for which, path in shown.paths.items():
        try:
            sound = read_sound(path, workshop.captions)
        except InputError as error:
            columns.append(f'<section class="column">{problem(str(error))}</section>')
            continue
        beside = nearby(workshop, sound)
        lanes = [_sound_lane(players, which, path, sound, beside)]
        if beside is not None:
            lanes.append(_recording_lane(players, beside))
        columns.append(f'<section class="column">{"".join(lanes)}</section>')
    record = shown.record
    seconds = max((player["lasts"] for player in players), default=0.0)
    return (
        f'<article class="take" data-player="{escape(json.dumps(players))}" data-seconds="{seconds:.3f}">'
        f'<header><h3>Take {shown.number}</h3><p class="asked">{escape(record["prompt"])}'
        f" <small>seed {record['seed']}</small></p></header>"
        f'<div class="transport">'
        '<button type="button" data-do="play" aria-label="Play or pause">Play</button>'
        '<button type="button" data-do="switch">Switch <kbd>X</kbd></button>'
        '<button type="button" data-do="recording">Recording <kbd>R</kbd></button>'
        '<button type="button" data-do="loop" aria-pressed="false">Loop <kbd>L</kbd></button>'
        '<output class="clock">0.0 s</output><span class="now"></span>'
        f'<a href="/takes/{shown.number}.zip" download="take-{shown.number}.zip">All files (ZIP)</a></div>'
        f'<div class="columns">{"".join(columns)}</div></article>'
    )


def _sound_lane(
    players: list[dict[str, Any]], which: str, path: Path, sound: Sound, beside: Nearby | None
) -> str:
    lasts = sound.waveform.shape[-1] / sound.sample_rate
    players.append({"url": url(path), "name": TITLES[which], "lasts": lasts, "shift": 0.0, "take": True})
    mark = None if beside is None else beside.sound_mark
    faults = "".join(f'<p class="fault">{escape(fault)}</p>' for fault in sound.faults)
    links = " ".join(
        f'<a href="{escape(url(file))}" download="{escape(file.name)}">{label}</a>'
        for file, label in ((path, path.suffix[1:].upper()), (path.with_suffix(".json"), "Provenance"))
    )
    return (
        f'<figure class="lane" data-lane="{len(players) - 1}" tabindex="0">'
        f"<figcaption><b>{TITLES[which]}</b> {_badge(sound.provenance.get('audit'))}</figcaption>"
        f"{_picture(spectrogram(sound.waveform, sound.sample_rate), lasts, 0.0, mark)}"
        f'<p class="outcome">{escape(_sentence(sound.outcome))}</p>{_finding(sound.provenance.get("audit"))}'
        f"{_nearest(sound)}"
        f'{faults}<p class="files">{links}</p></figure>'
    )


def _nearest(sound: Sound) -> str:
    """The nearest training item, whether its recording is available or not."""
    if not sound.nearest:
        return "<p>Nearest: not measured, there is no index.</p>"
    nearest = sound.nearest[0]
    named = f"{nearest.id} “{nearest.caption}”" if nearest.caption else nearest.id
    return f"<p>Nearest: {escape(named)}, cosine {nearest.similarity:.3f}.</p>"


def _recording_lane(players: list[dict[str, Any]], beside: Nearby) -> str:
    named = f"{escape(beside.id)}" + (f" “{escape(beside.caption)}”" if beside.caption else "")
    words = f'<p class="outcome">{escape(_sentence(beside.words))}</p>'
    if beside.path is None:
        return (
            f'<figure class="absent"><figcaption>{named}</figcaption>{words}'
            "<p>Its recording is not on this machine.</p></figure>"
        )
    waveform, rate = audio.read(beside.path)
    players.append(
        {
            "url": url(beside.path),
            "name": beside.id,
            "lasts": beside.lasts,
            "shift": beside.shift + beside.begins,
            "take": False,
        }
    )
    return (
        f'<figure class="lane recording" data-lane="{len(players) - 1}" tabindex="0">'
        f"<figcaption>Recording {named}</figcaption>"
        f"{_picture(spectrogram(waveform, rate), beside.lasts, beside.begins, beside.mark)}{words}</figure>"
    )


def _picture(png: bytes, lasts: float, begins: float, mark: tuple[float, float] | None) -> str:
    """A spectrogram with what matches marked, and the playhead."""
    marked = ""
    if mark is not None:
        left, right = ((second - begins) / lasts * 100 for second in mark)
        left, right = max(0.0, left), min(100.0, right)
        marked = f'<i class="mark" style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'
    data = base64.b64encode(png).decode()
    return (
        f'<div class="picture"><img alt="Spectrogram" src="data:image/png;base64,{data}">'
        f'{marked}<i class="head"></i></div>'
    )


def _badge(audit: dict[str, Any] | None) -> str:
    if audit is None:
        return '<span class="badge">not audited</span>'
    verdict = str(audit["verdict"])
    return f'<span class="badge" data-verdict="{escape(verdict)}">{escape(verdict)}</span>'


def _finding(audit: dict[str, Any] | None) -> str:
    """What the audit says beside the verdict."""
    if audit is None:
        return "<p>No recordings are at hand to audit it with.</p>"
    if audit["reason"]:
        return f"<p>{escape(_sentence(audit['reason']))}</p>"
    earlier = len(audit["rejected"])
    after = f", after {earlier} rejected attempt{'' if earlier == 1 else 's'}" if earlier else ""
    of = plural(audit["catalogue"]["items"], "recording")
    if audit["verdict"] == "clear":
        return f"<p>No copy of {of} was found (score {audit['score']:.1f}){after}.</p>"
    match = audit["matches"][0]
    named = escape(match["reference"])
    if match["alike"] and audit["verdict"] == "similar":
        return f"<p>It has the same {escape(' and '.join(match['alike']))} as {named}{after}.</p>"
    return (
        f"<p>{match['share']:.0%} of it is in {named}: score {match['score']:.1f}, "
        f"by chance {by_chance(match['expected_false_alarms'])}{after}.</p>"
    )


# The meter


def waiting() -> str:
    """The first thing that is seen after a click."""
    return '<div class="meter"><p>Beginning.</p></div>'


def progress(told: Told) -> str:
    """What happens now, with the meter while a sound is made."""
    if isinstance(told, Waiting):
        return '<div class="meter"><p>Waiting for the model: another sound is being made.</p></div>'
    if isinstance(told, Auditing):
        return f'<div class="meter"><p>{TITLES[told.which]}: comparing with the recordings.</p></div>'
    if isinstance(told, Saved):
        return f'<div class="meter"><p>{TITLES[told.which]}: saved as take {told.take.number}.</p></div>'
    return meter(told)


def meter(at: At) -> str:
    """What the guidance measured in each step, against its threshold."""
    of = f", sound {at.sound} of {at.sounds}" if at.sounds > 1 else ""
    again = f", attempt {at.attempt + 1}" if at.attempt else ""
    title = f"{TITLES[at.which]}{of}{again}: step {at.step} of {at.steps}"
    bar = f'<progress max="{at.steps}" value="{at.step}"></progress>'
    last = at.trace[-1]
    if last.value is None:
        return f'<div class="meter"><p>{title}</p>{bar}</div>'
    threshold = "" if last.threshold is None else f", threshold {last.threshold:.3f}"
    acts = "acting" if last.acted else "quiet"
    words = f"{escape(last.measure or 'measured')} {last.value:.3f}{threshold}"
    return (
        f'<div class="meter"><p>{title}</p>{bar}{_curve(at.trace, at.steps)}'
        f'<p class="reading" data-acts="{str(bool(last.acted)).lower()}">{words}: <b>{acts}</b></p></div>'
    )


def _curve(trace: Sequence[TraceStep], steps: int) -> str:
    """Bars of what was measured, with a line where the threshold was."""
    known = [step for step in trace if step.value is not None]
    top = max(1e-6, *(max(step.value or 0.0, step.threshold or 0.0) for step in known)) * 1.15
    width = WIDTH / steps

    def height(value: float) -> float:
        return HEIGHT * max(0.0, value) / top

    bars, line = [], []
    for number, step in enumerate(trace):
        left = number * width
        if step.value is not None:
            tall = height(step.value)
            acts = ' class="acts"' if step.acted else ""
            bars.append(
                f'<rect{acts} x="{left:.2f}" y="{HEIGHT - tall:.2f}" width="{0.8 * width:.2f}" '
                f'height="{tall:.2f}"/>'
            )
        if step.threshold is not None:
            y = HEIGHT - height(step.threshold)
            line.append(f"M{left:.2f} {y:.2f}h{width:.2f}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="What the guidance measures, step by step">{"".join(bars)}'
        f'<path class="threshold" d="{"".join(line)}"/></svg>'
    )


# Words


def problem(message: str) -> str:
    """What went wrong, in one line."""
    return f'<p class="problem" role="alert">{escape(message)}</p>'


def note(message: str) -> str:
    """Something to know."""
    return f'<p class="note">{escape(message)}</p>'


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


# An audit, an index


def judged(done: int, total: int, last: FileAudit | None) -> str:
    """How far an audit is."""
    now = "Reading the recordings." if last is None else f"{last.path}: {last.verdict}"
    return (
        f'<div class="meter"><p>{done:,} of {plural(total, "sound")}</p>'
        f'<progress max="{total}" value="{done}"></progress><p>{escape(now)}</p></div>'
    )


def counted(result: Audit) -> str:
    """What an audit came to."""
    numbers = Counter(file.verdict for file in result.files)
    badges = " ".join(
        f'<span class="badge" data-verdict="{verdict}">{numbers[verdict]:,} {verdict}</span>'
        for verdict in VERDICTS
        if numbers[verdict]
    )
    against = plural(result.catalogue["items"], "recording")
    return f'<p class="counted">{badges} <small>against {against}</small></p>'


def page(path: Path) -> str:
    """A report inside the page; it may run its own script and print itself, and reaches nothing else."""
    address = escape(url(path))
    return (
        f'<iframe class="report" sandbox="allow-scripts allow-downloads allow-modals" src="{address}" '
        f'title="Report"></iframe>'
        f'<p class="files"><a href="{address}" download="audit.html">Report as a file</a></p>'
    )


def lines(words: Sequence[str]) -> str:
    """Some lines of text."""
    return "".join(f"<p>{escape(line)}</p>" for line in words)


def found(workshop: Workshop, items: Sequence[tuple[Item, float]]) -> str:
    """What a search found, with a player where the recording is at hand."""
    rows = []
    for item, similarity in items:
        cut = cut_of(workshop, item)
        player = "" if cut is None else f'<audio controls preload="none" src="{escape(url(cut))}"></audio>'
        where = (
            ""
            if item.window_start is None or item.window_end is None
            else f" <small>{item.window_start:.1f} to {item.window_end:.1f} s</small>"
        )
        rows.append(
            f"<tr><td>{similarity:.3f}</td><td><b>{escape(item.id)}</b>{where}<br>{escape(item.prompt or '')}"
            f"{player}</td></tr>"
        )
    return f'<table class="found"><tr><th>Cosine</th><th>Item</th></tr>{"".join(rows)}</table>'
