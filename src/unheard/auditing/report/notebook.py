"""What a notebook shows: players with spectrograms, verdicts, a sound beside what it replays. HTML alone.

Everything is in the cell's own output, so that a notebook can be sent, and read without unheard.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from unheard import audio
from unheard.auditing.report import pictures
from unheard.auditing.report.playing import encoded
from unheard.errors import InputError

SHOWN = 5
"""Sounds of an audit that can be played in a cell; the others stand in its table."""
COLUMNS = 480
"""Pixels of a spectrogram along time at most."""
COMPRESSION = 0.8
"""Of Opus: some 60 kbit/s a channel, so that a notebook with many sounds can still be sent."""
LONGEST = 20.0
"""Seconds of a sound that are put in."""
COLOURS = {"copy": "#e9235a", "partial copy": "#b8630f", "similar": "#8e780b", "clear": "#1e8a61"}
"""As far from white as from a notebook's black (a contrast of 4.3); what could not be told is grey."""


def player(title: str, waveform: Tensor, sample_rate: int) -> str:
    """A sound [channels, time] with its spectrogram, to be played; peak-normalised, as files are."""
    part = waveform[:, : round(LONGEST * sample_rate)]
    picture = _data("image/png", pictures.spectrogram(part, sample_rate, largest=COLUMNS, levels=32))
    peak = audio.peak_normalise(part.float().cpu())
    sound = _data("audio/ogg", encoded(peak, sample_rate, COMPRESSION))
    cut = f", its first {LONGEST:g} s" if part.shape[-1] < waveform.shape[-1] else ""
    return (
        '<figure style="margin:0;flex:1 1 16em;max-width:30em">'
        f'<figcaption style="font-size:.85em">{html.escape(title)}{cut}</figcaption>'
        f'<img src="{picture}" alt="Spectrogram" style="width:100%;height:7em;display:block">'
        f'<audio controls src="{sound}" style="width:100%"></audio></figure>'
    )


def file_player(title: str, path: str) -> str:
    """A file, to be played; or why it cannot be."""
    try:
        return player(title, *audio.read(path))
    except InputError as error:
        return f"<p>{html.escape(f'{title} cannot be played: {error}')}</p>"


def beside(parts: Iterable[str]) -> str:
    """Players beside each other, and below each other where there is no room."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(parts)}</div>'


def badge(verdict: str) -> str:
    """A verdict in its colour."""
    return f'<strong style="color:{COLOURS.get(verdict, "#797979")}">{html.escape(verdict)}</strong>'


def judged(file: Mapping[str, Any]) -> str:
    """What is said of one sound (a `FileAudit` as a dictionary), in a line."""
    said = badge(file["verdict"])
    if file["reason"] is not None:
        return f"{said}: {html.escape(file['reason'])}"
    if file["verdict"] == "clear" or not file["matches"]:
        return f"{said}: nothing beyond chance"
    match = file["matches"][0]
    named = f'{match["reference"]} "{match["caption"]}"' if match["caption"] else match["reference"]
    alike = f", the same {' and '.join(match['alike'])}" if match["alike"] else ""
    return (
        f"{said} of {html.escape(named)}{alike}; {match['start']:.1f} to {match['end']:.1f} s match "
        f"{match['reference_start']:.1f} to {match['reference_end']:.1f} s"
    )


def matched(file: Mapping[str, Any]) -> list[str]:
    """The recording that a sound resembles most, to be played; nothing if there is none."""
    match = next(iter(file["matches"]), None)
    if match is None or file["verdict"] in ("clear", "not judged") or match["reference_path"] is None:
        return []
    return [file_player(f"The recording {match['reference']}", match["reference_path"])]


def audit_html(title: str, files: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """An audit: every sound in a table, and the worst of them to be played beside what they replay.

    Args:
        title: a line above the table.
        files: each `FileAudit` as a dictionary.
        order: verdicts from the worst down.
    """
    ranked = sorted(files, key=lambda file: order.index(file["verdict"]))
    rows = "".join(
        f'<tr><td style="text-align:left">{html.escape(file["path"])}</td>'
        f'<td style="text-align:left">{judged(file)}</td></tr>'
        for file in ranked
    )
    replaying = [(file, recording) for file in ranked if (recording := matched(file))]
    sounds = "".join(
        # Of a sound that was given as a waveform there is no file to play.
        beside([*([] if file["sha256"] is None else [file_player(file["path"], file["path"])]), *recording])
        for file, recording in replaying[:SHOWN]
    )
    return (
        f"<p>{html.escape(title)}</p>"
        f'<div style="max-height:20em;overflow:auto"><table><tbody>{rows}</tbody></table></div>{sounds}'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
