"""What a caption says of instrument, family, tempo and key, in words that a listener knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from unheard.evaluation.listener.network import TONICS

TEMPO = re.compile(r"\b(\d{2,3})\s*(?:bpm|beats per minute)\b", re.IGNORECASE)
KEY = re.compile(r"\b([A-G])\s*(#|♯|b|♭|sharp|flat)?\s+(major|minor)\b", re.IGNORECASE)
FLAT, SHARP = ("b", "♭", "flat"), ("#", "♯", "sharp")


@dataclass(frozen=True)
class Instrument:
    """What can be heard as one.

    Attributes:
        name: unique.
        family: its family's name.
        words: what captions call it, each in the singular and of no other instrument.
        written_c_sounds: the pitch class, 0 for C, that it sounds where a caption writes C.
    """

    name: str
    family: str
    words: tuple[str, ...]
    written_c_sounds: int


@dataclass(frozen=True)
class Said:
    """What a caption says; None where it does not, or says two things.

    Attributes:
        instrument, family: names.
        tempo: in beats per minute.
        key: as it would sound, such as "C# minor".
    """

    instrument: str | None
    family: str | None
    tempo: float | None
    key: str | None


class Vocabulary:
    """Instruments and families by their words.

    Names of instruments are found before those of families, and longer ones before shorter ones: a "bass
    guitar" is no guitar.

    Args:
        instruments: all that can be heard.
        families: words that name a family and no instrument, by the family's name.
    """

    def __init__(self, instruments: Sequence[Instrument], families: Mapping[str, Sequence[str]]) -> None:
        self.instruments = tuple(instruments)
        named = {word.lower(): (each.family, each.name) for each in instruments for word in each.words}
        of_families = {word.lower(): (name, None) for name, words in families.items() for word in words}
        meant: dict[str, tuple[str, str | None]] = {**of_families, **named}
        self._words = [
            (re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE), meant[word])
            for word in sorted(meant, key=lambda word: (word not in named, -len(word)))
        ]

    def said(self, caption: str) -> Said:
        """What a caption says of what a listener hears."""
        tempi = {float(match[1]) for match in TEMPO.finditer(caption)}
        keys = {(match[1], match[2] or "", match[3]) for match in KEY.finditer(caption)}
        found = list(self._found(KEY.sub(" ", TEMPO.sub(" ", caption))))
        instruments = {name for _, name in found if name is not None}
        families = {family for family, _ in found}
        instrument = instruments.pop() if len(instruments) == 1 and len(families) == 1 else None
        return Said(
            instrument,
            families.pop() if len(families) == 1 else None,
            tempi.pop() if len(tempi) == 1 else None,
            self._sounding(keys.pop(), instrument) if len(keys) == 1 else None,
        )

    def _found(self, text: str) -> Iterator[tuple[str, str | None]]:
        """Families, with instruments where one is named; a word that was found is taken out of the text."""
        for word, meant in self._words:
            text, count = word.subn("|", text)
            if count:
                yield meant

    def _sounding(self, key: tuple[str, str, str], instrument: str | None) -> str | None:
        """The key that sounds where this one is written; unknown where the instrument is and they differ."""
        tonic, sign, mode = (part.lower() for part in key)
        written = TONICS.index(tonic.upper()) + (sign in SHARP) - (sign in FLAT)
        meant = [each for each in self.instruments if instrument in (None, each.name)]
        sounding = {(written + each.written_c_sounds) % 12 for each in meant}
        return f"{TONICS[sounding.pop()]} {mode}" if len(sounding) == 1 else None
