"""The training set as the guidance asks it: which item is nearest, and what is its caption.

`Index` searches in memory; `json_file` reads and writes the published format and says what is wrong in a
file; `add_sounds` embeds sound files into one.
"""

from __future__ import annotations

from unheard.index.memory import Index, Item
from unheard.index.sounds import AddedSounds, add_sounds

__all__ = ["AddedSounds", "Index", "Item", "add_sounds"]
