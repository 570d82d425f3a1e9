"""How near the numbers of a caption are to those of a prompt: 118 bpm is nearer to 120 than to 80."""

from __future__ import annotations

import math
import re


def nearness(prompt: str, caption: str) -> float:
    """How near the caption has the prompt's numbers, 0 to 1; 1 where it has all of them, 0 for none to have.

    For each the nearest of the caption's counts, by what is left of an octave: half or twice is as good as
    none. So tempi are told apart where they are read as words, of which each differs from all others.
    """
    asked, there = _numbers(prompt), _numbers(caption)
    if not asked or not there:
        return 0.0
    nearest = [min(abs(math.log2(number / other)) for other in there) for number in asked]
    return sum(max(0.0, 1.0 - octaves) for octaves in nearest) / len(asked)


def _numbers(text: str) -> list[float]:
    """Those above 0, without their signs."""
    return [number for found in re.findall(r"\d+(?:\.\d+)?", text) if (number := float(found)) > 0]
