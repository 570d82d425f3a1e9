"""Captions of real recordings, made of what stands in their table: file, folders and source.

As training sets of found sound have them: a title, tags, and where it is from. Nobody listened.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from lab.real_sound import Recording

# fmt: off
COMMON = frozenset((
    "audio", "content", "data", "default", "game", "games", "mods", "ogg", "package", "samples",
    "sfx", "share", "snd", "sound", "soundfx", "sounds", "usr", "wav",
))
# fmt: on
"""What folders are called, whatever lies in them."""


def words(text: str) -> list[str]:
    """Words of two letters and more in lower case; a capital after a small letter begins one."""
    return [word.lower() for word in re.findall(r"[A-Za-z']{2,}", re.sub(r"([a-z])([A-Z])", r"\1 \2", text))]


def caption(recording: Recording) -> str | None:
    """Such as "Cave wind loop, fantasycore environment, flare game"; None if the file's name has no words."""
    path, source = PurePosixPath(recording.path), words(recording.source.removesuffix("-data"))
    title = words(path.stem)
    said = COMMON.union(source, title)
    folders = dict.fromkeys(word for part in path.parts[:-1] for word in words(part) if word not in said)
    if not title:
        return None
    return ", ".join(" ".join(part) for part in (title, folders, source) if part).capitalize()
