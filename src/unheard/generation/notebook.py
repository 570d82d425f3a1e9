"""A generated sound in a notebook: player, what the guidance measured, and what it was compared with."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from unheard.auditing.report.notebook import beside, judged, matched, player

WIDTH, HEIGHT = 480, 110
"""Of the trace, in pixels."""
FACTS = 60
"""Pixels to the left of it for its numbers."""


def sound_html(
    line: str,
    outcome: str,
    waveform: Tensor,
    sample_rate: int,
    trace: Sequence[Any],
    audit: Mapping[str, Any] | None,
) -> str:
    """A sound as a cell shows it.

    Args:
        line: what it is, in a line.
        outcome: what the guidance did, in words.
        waveform, sample_rate: [channels, time], hertz.
        trace: its `TraceStep`s.
        audit: the last attempt's `FileAudit` as a dictionary, if it was audited.
    """
    said = "" if audit is None else f"<p>{judged(audit)}</p>"
    both = [player("The sound", waveform, sample_rate), *([] if audit is None else matched(audit))]
    return f"<p>{html.escape(line)}<br>{html.escape(outcome)}</p>{said}{beside(both)}{trace_svg(trace)}"


def trace_svg(trace: Sequence[Any]) -> str:
    """What the guidance measured in each step: a line, its threshold in dashes, dots where it acted.

    Steps that measure something else begin another picture; empty if nothing was measured.
    """
    measures = dict.fromkeys(step.measure for step in trace if step.measure is not None)
    return "".join(_panel(trace, measure) for measure in measures)


def _panel(trace: Sequence[Any], measure: str) -> str:
    known = [
        (number, step)
        for number, step in enumerate(trace, start=1)
        if step.measure == measure and step.value is not None
    ]
    if not known:
        return ""
    limits = [(number, step.threshold) for number, step in known if step.threshold is not None]
    values = [step.value for _, step in known] + [limit for _, limit in limits]
    low, high = min(values), max(values)
    room = (high - low) or 1.0

    def place(number: int, value: float) -> tuple[str, str]:
        across = FACTS + (WIDTH - FACTS - 5) * (number - 1) / max(1, len(trace) - 1)
        return f"{across:.1f}", f"{8 + (HEIGHT - 30) * (high - value) / room:.1f}"

    def line(points: Sequence[tuple[int, float]], style: str) -> str:
        joined = " ".join(",".join(place(*point)) for point in points)
        return f'<polyline points="{joined}" fill="none" {style}/>'

    dots = "".join(
        '<circle cx="{}" cy="{}" r="2.5" fill="#e9235a"/>'.format(*place(number, step.value))
        for number, step in known
        if step.acted
    )
    numbers = (
        f'<text x="{FACTS - 5}" y="{height}" text-anchor="end">{value:.2f}</text>'
        for height, value in ((12, high), (HEIGHT - 18, low))
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width:100%" font-size="10" '
        f'fill="currentColor" role="img" aria-label="{html.escape(measure)} in each step">'
        + line([(number, step.value) for number, step in known], 'stroke="#a458cd" stroke-width="1.5"')
        + line(limits, 'stroke="currentColor" stroke-dasharray="4 3"')
        + f"{dots}{''.join(numbers)}"
        f'<text x="{FACTS}" y="{HEIGHT - 3}">{html.escape(measure)}, step 1 to {len(trace)}; '
        "dots: the guidance acted</text></svg>"
    )
