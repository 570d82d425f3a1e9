"""What is true of an excerpt of a rendered sound, from the notes that are played in it."""

from __future__ import annotations

from lab.instruments import INSTRUMENTS, KEY_OFFSETS, KITS, SCALES

LEAST_ONSETS = 5  # there is a beat where notes begin at as many moments
LEAST_SOUNDING = 0.06  # seconds of a note in the excerpt, for it to count
NAMES = (*(i.names[0] for i in INSTRUMENTS), *(f"{kit} kit" for kit in KITS))
FAMILIES = (*(i.family for i in INSTRUMENTS), *("drums" for _ in KITS))
PROGRAMS = {
    **{(False, i.program): n for n, i in enumerate(INSTRUMENTS)},
    **{(True, program): len(INSTRUMENTS) + n for n, (program, _) in enumerate(KITS.values())},
}
"""Which of `NAMES` a program of the sound font is, drums or not."""
WRITTEN_C = (*(i.middle % 12 for i in INSTRUMENTS), *(0 for _ in KITS))
"""The pitch class that each sounds where its captions write C: see `sounding_key`."""
SCALE_CLASSES = [frozenset((tonic + step) % 12 for step in SCALES["major"]) for tonic in range(12)]
"""The twelve diatonic scales; a minor key has the pitch classes of its relative major."""


def instrument(row: dict) -> int:
    """The position among `NAMES` of what plays a row of the corpus."""
    return PROGRAMS[row["drums"], row["program"]]


def sounding_key(row: dict) -> tuple[int, str] | None:
    """Tonic (0 is C) and mode as they sound; None of drums.

    Captions write keys as for transposing instruments: a written C sounds as the note that the instrument's
    middle register starts at.
    """
    if row["key"] is None:
        return None
    tonic, mode = row["key"].split()
    return (KEY_OFFSETS[tonic] + WRITTEN_C[instrument(row)]) % 12, mode


def has_beat(row: dict, start: float, end: float) -> bool:
    """Whether notes begin at `LEAST_ONSETS` moments of the excerpt (seconds)."""
    return len({onset for onset, _, _ in row["notes"] if start <= onset < end - 0.03}) >= LEAST_ONSETS


def pitch_classes(row: dict, start: float, end: float) -> frozenset[int]:
    """Those that sound in the excerpt (seconds), 0 for C; none of drums."""
    if row["drums"]:
        return frozenset()
    sounding = [
        key for onset, release, key in row["notes"] if min(release, end) - max(onset, start) >= LEAST_SOUNDING
    ]
    return frozenset(key % 12 for key in sounding)


def has_key(classes: frozenset[int]) -> bool:
    """Whether the pitch classes lie in one diatonic scale and in no other."""
    return sum(classes <= scale for scale in SCALE_CLASSES) == 1
