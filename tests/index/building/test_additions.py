"""One's own sounds, added to a JSON file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from plain_embedder import PlainEmbedder
from published_files import entry, write
from torch import Tensor

from unheard.errors import IndexFileError, InputError
from unheard.index import Index, Item, add_sounds


class LevelEmbedder(PlainEmbedder):
    """Of the mean square alone."""

    def vectors(self, sounds: Tensor) -> Tensor:
        level = sounds.square().mean(dim=1)
        return torch.stack([level, torch.ones_like(level)], dim=1)


def test_sounds_are_added_and_the_unreadable_named(tmp_path: Path) -> None:
    first, second, broken = (
        tmp_path / "one" / "kick.wav",
        tmp_path / "two" / "kick.wav",
        tmp_path / "notes.wav",
    )
    for path, rate, frames in [(first, 16_000, 8000), (second, 44_100, 11_025)]:
        path.parent.mkdir()
        soundfile.write(path, np.full((frames, 2), 0.5), rate)
    broken.write_text("no sound")
    index_path = tmp_path / "mine.json"

    added = add_sounds(
        index_path, [first, broken, second, tmp_path / "gone.flac"], "a kick drum", LevelEmbedder("level")
    )
    assert added.ids == ["kick.wav", "kick-2.wav"]
    assert list(added.unreadable) == [broken, tmp_path / "gone.flac"]
    assert "notes.wav" in added.unreadable[broken]

    again = add_sounds(index_path, [first], "", LevelEmbedder("level"))
    assert again.ids == ["kick-3.wav"]
    index = Index.open(index_path)
    assert index.ids == ["kick.wav", "kick-2.wav", "kick-3.wav"]
    assert index.item(1) == Item("kick-2.wav", "a kick drum", 0.0, 0.25)
    assert index.embedder.name == "level"
    assert index.uncaptioned == ["kick-3.wav"]
    expected = LevelEmbedder("level").embed_audio(torch.full((1, 2, 10), 0.5), 1)
    torch.testing.assert_close(index.vectors(torch.tensor([0])), expected)


def test_adding_refuses_before_it_embeds(tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", {"a": {**entry([1.0, 0.0]), "embedder": "guide"}})
    sound = tmp_path / "a.wav"
    soundfile.write(sound, np.full(100, 0.5), 16_000)
    for path, sounds, error, message in [
        (tmp_path / "new.json", [], InputError, "no sounds to add"),
        (tmp_path / "missing" / "new.json", [sound], InputError, "does not exist; create it"),
        (other, [sound], IndexFileError, "made by the embedder 'guide' .* this one is 'level'"),
        (sound, [sound], IndexFileError, "not JSON"),
        (tmp_path / "new.json", [tmp_path / "gone.wav"], InputError, r"no sound could be read: .*gone\.wav"),
    ]:
        with pytest.raises(error, match=message):
            add_sounds(path, sounds, "caption", LevelEmbedder("level"))
    assert not (tmp_path / "new.json").exists()
