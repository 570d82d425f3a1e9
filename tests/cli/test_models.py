"""`unheard models`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from command_line import refused

from lab.instruments import INSTRUMENTS, KITS
from unheard.backbones.hub import ASSETS, OF_TINY
from unheard.backbones.texts import unknown_words, whole_words, words_of_tokenizer
from unheard.generation.model import Model


def test_models_lists_what_can_be_loaded(run: Callable[..., Result]) -> None:
    text = run("models").stdout
    assert "tiny" in text
    assert "https://huggingface.co/stabilityai/stable-audio-open-1.0" in text
    assert {row["name"] for row in json.loads(run("models", "--json").stdout)["models"]} >= {"tiny"}


def test_one_model_says_what_it_can_play(run: Callable[..., Result]) -> None:
    text = " ".join(run("models", "tiny").stdout.split())
    assert "plays: grand piano, electric piano" in text
    assert "stable-audio" not in text
    (row,) = json.loads(run("models", "tiny", "--json").stdout)["models"]
    assert {"piano", "drum", "110"} <= {*row["words"]}
    assert run("models", "stabilityai/stable-audio-open-1.0").exit_code == 0
    refused(run("models", "tini"), "unknown model 'tini': did you mean 'tiny'")


def test_the_bundled_model_knows_what_it_is_said_to_play() -> None:
    kits = [names[0] for _, names in KITS.values()]
    assert [*OF_TINY] == [*(instrument.names[0] for instrument in INSTRUMENTS), *kits]
    words = words_of_tokenizer(ASSETS / "tiny" / "tokenizer")
    assert words is not None
    assert [name for name in OF_TINY if unknown_words(words, name)] == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("A drum loop, 110 bpm", ()),
        ("A bright bell", ("bright", "bell")),
        ("Drum, drum!", ("Drum",)),
        ("a (loop) & hip-hop", ("loop", "hip-hop")),
        ("trommel 鼓 trommel", ("trommel", "鼓")),
        (" - ", ()),
    ],
)
def test_unknown_words_are_those_that_are_spelt_in_letters(text: str, unknown: tuple[str, ...]) -> None:
    words = {"A", "a", "drum", "loop", "110", "bpm", "hip", "hop"}
    assert unknown_words(words, text) == unknown


def test_only_a_vocabulary_of_whole_words_can_tell() -> None:
    assert whole_words(["<pad>", "</s>", "▁", "▁drum", "d", "r"]) == {"drum"}
    assert whole_words(["<pad>", "▁drum", "mel"]) is None
    assert whole_words(["a", "b"]) is None


def test_the_tokenizer_and_its_vocabulary_agree(loaded: Model) -> None:
    tokenizer = loaded.backbone.tokenizer
    for text in ("drum", "Zxq", "loop,", "(loop", "hip-hop", "drumloop"):
        pieces = [piece for piece in tokenizer.tokenize(text) if piece != "▁"]
        in_letters = any(len(piece) == 1 and piece.isalnum() for piece in pieces)
        assert bool(loaded.backbone.unknown_words(text)) == in_letters, text


def test_unknown_words_are_said_before_the_work(generate: Callable[..., Result], loaded: Model) -> None:
    known = next(word for word in ("drum", "loop") if not loaded.backbone.unknown_words(word))
    result = generate(f"Zxq {known}", "--negative-prompt", "Blorp")
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("unheard: warning")]
    assert 'does not know the words "Zxq", "Blorp", and spells them in letters' in line
    assert "does not know" not in generate(known, "--no-guidance").stderr
    told = generate(known, "--guidance", "detour", "--wordings", f"{known} | Blorp {known}").stderr
    assert 'does not know the word "Blorp"' in told
