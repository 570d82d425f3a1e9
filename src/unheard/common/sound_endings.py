"""Endings of sound files: the one list, which building and auditing share."""

from __future__ import annotations

SOUNDS = frozenset(
    "wav wave bwf flac ogg oga opus mp3 aif aiff aifc au snd caf w64 rf64 "  # noqa: SIM905
    "voc nist sph svx 8svx pvf paf htk ircam avr sds sd2 wve xi mpc2k mat4 mat5 wavex".split()
)
"""Endings of what libsndfile reads."""
WRITTEN = (".wav", ".flac")
"""Endings of what unheard itself writes."""
CONTAINERS = {
    "m4a": "mp4", "m4b": "mp4", "m4r": "mp4", "mp4": "mp4", "mov": "mp4", "3gp": "mp4",
    "aac": "aac", "wma": "asf", "mka": "matroska", "mkv": "matroska", "webm": "matroska",
    "ac3": "ac3", "eac3": "eac3", "amr": "amr", "ape": "ape", "wv": "wv", "tta": "tta", "tak": "tak",
    "dsf": "dsf", "mpc": "mpc8", "spx": "ogg", "mp2": "mp3", "m2a": "mp3",
}  # fmt: skip
"""Endings of sounds that it does not read, with the container that FFmpeg is to expect.

It is told, since what guesses from the content also takes lists of other files and addresses for sounds.
"""


def ending_of(name: str) -> str:
    """What follows the last dot of a name, in lower case; empty without a dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_sound(name: str) -> bool:
    """Whether a name ends as a sound's does, of those too that only FFmpeg reads."""
    ending = ending_of(name)
    return ending in SOUNDS or ending in CONTAINERS
