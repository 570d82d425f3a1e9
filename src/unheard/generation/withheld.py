"""Sounds that are not handed out, because a detour found no caption that leads away from a recording."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from unheard.generation.rejection import Refused
from unheard.generation.sound import Sound
from unheard.guidance.detour.settings import REFUSE


def handed_out(sounds: Iterable[Sound]) -> Generator[Sound, None, list[Refused]]:
    """The sounds but for those that the user wants refused.

    Returns:
        Those, without attempts: they were not audited.
    """
    refused = []
    for sound in sounds:
        if sound.no_way == REFUSE:
            refused.append(Refused(sound.number, sound.prompt, ()))
        else:
            yield sound
    return refused
