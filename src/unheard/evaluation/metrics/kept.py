"""Kept: whether a sound has the instrument, family, tempo and key that its caption says.

Conventions: a listener says what it hears, words of the caption what was asked; what the caption does not say
is None and counts nowhere. A tempo is kept within 4 %, the tolerance of Gouyon et al. 2006
(doi:10.1109/TSA.2005.858509), also at half or twice the tempo, since both may be tapped to one sound; a
column of its own says where it is so. A key is kept where tonic and mode are. Of a collapsed sound nothing is
kept.
"""

from __future__ import annotations

from unheard.evaluation.listener import Heard, Said

TOLERANCE = 0.04
OCTAVES = (0.5, 1.0, 2.0)


def kept(said: Said, heard: Heard | None) -> dict[str, bool | None]:
    """The columns of one sound, `unheard.evaluation.metrics.OF_CAPTIONS`; `heard` is None if it collapsed."""
    octave = None if said.tempo is None or heard is None else tempo_octave(heard.tempo, said.tempo)
    return {
        "instrument_kept": _same(said.instrument, heard.instrument if heard else None),
        "family_kept": _same(said.family, heard.family if heard else None),
        "tempo_kept": None if said.tempo is None else octave is not None,
        "tempo_octave": None if octave is None else octave != 1.0,
        "key_kept": _same(said.key, heard.key if heard else None),
    }


def tempo_octave(heard: float, said: float) -> float | None:
    """How many times the tempo said is heard, .5, 1 or 2, within `TOLERANCE`; None for none of them."""
    return next((octave for octave in OCTAVES if abs(heard / (octave * said) - 1) <= TOLERANCE), None)


def _same(said: str | None, heard: str | None) -> bool | None:
    return None if said is None else heard == said
