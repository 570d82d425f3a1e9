"""Where `generate` writes: the default name is never that of another command's sound, and FLAC."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import refused

from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.model import Model


def sounds() -> dict[str, tuple[str, int]]:
    """The sounds of this folder, with their prompts and seeds."""
    records = {path.stem: provenance.read(path) for path in Path().glob("audio*.json")}
    return {name: (record["prompt"], record["seed"]) for name, record in sorted(records.items())}


def test_the_default_name_is_kept_by_the_same_request_alone(generate: Callable[..., Result]) -> None:
    for arguments in (["a bell"], ["a bell"], ["a pad"], ["a bell", "--seed", 1], ["a pad"], ["a bell"]):
        result = generate(*arguments, "--no-guidance")
        assert result.exit_code == 0, result.stderr
    assert sounds() == {"audio": ("a bell", 0), "audio-1": ("a pad", 0), "audio-2": ("a bell", 1)}
    result = generate("a bell")  # with guidance
    assert "audio.wav: there is something else of that name; writing audio-3.wav" in result.stderr
    assert result.stdout.startswith("audio-3.wav  ")
    assert generate("a bell", "--float").stdout.startswith("audio-4.wav")
    assert generate("a drum", "--overwrite").stdout.startswith("audio.wav")


def test_several_sounds_have_numbers_that_follow_one_another(generate: Callable[..., Result]) -> None:
    two = ("a pad", "a bell", "--no-guidance")
    generate("a bell", "--count", 2, "--no-guidance")
    assert "writing audio-3.wav to audio-4.wav" in generate(*two).stderr
    assert generate(*two).stdout.startswith("audio-3.wav")
    generate("a note", "--no-guidance")
    assert sounds() == {
        "audio": ("a note", 0), "audio-1": ("a bell", 0), "audio-2": ("a bell", 1), "audio-3": ("a pad", 0),
        "audio-4": ("a bell", 0),
    }  # fmt: skip


def test_what_unheard_did_not_write_is_passed_over(generate: Callable[..., Result]) -> None:
    Path("audio.json").write_text('{"a": 1}')
    Path("audio-1.wav").write_bytes(b"mine")
    os.mkdir("audio-2.wav")
    assert generate("a bell", "--no-guidance").stdout.startswith("audio-3.wav")
    assert Path("audio-1.wav").read_bytes() == b"mine"


def test_a_record_that_is_read_stays(generate: Callable[..., Result]) -> None:
    generate("a bell", "--no-guidance")
    before = Path("audio.json").read_bytes()
    result = generate("--from", "audio.json")
    assert result.stdout.startswith("audio-1.wav"), result.stderr
    assert Path("audio.json").read_bytes() == before


def test_a_name_that_is_given_is_replaced_by_the_same_request_alone(
    generate: Callable[..., Result],
) -> None:
    assert generate("a bell", "--no-guidance", "-o", "s.wav").exit_code == 0
    before = Path("s.wav").read_bytes()
    refused(generate("a pad", "--no-guidance", "-o", "s.wav"), "it is there already.*--overwrite")
    refused(generate("a bell", "-o", "s.wav"), "it is there already")
    assert generate("a bell", "--no-guidance", "-o", "s.wav").exit_code == 0
    assert Path("s.wav").read_bytes() == before
    assert generate("a pad", "--no-guidance", "-o", "s.wav", "--overwrite").exit_code == 0
    assert provenance.read("s.json")["prompt"] == "a pad"


def test_a_sound_in_the_place_of_others_is_of_the_request_of_the_first() -> None:
    asked = {"prompt": "a bell", "seed": 0, "guidance": {"kind": "detour"}, "batch": {"position": 1}}
    made = {**asked, "guidance": {"kind": "detour", "way": 2}, "batch": {"position": 0}}
    former = [{"guidance": asked["guidance"]}, {"guidance": {"kind": "detour", "way": 1}}]
    assert provenance.is_same_request({**made, "instead_of": former}, asked)
    assert not provenance.is_same_request({**made, "instead_of": former[1:]}, asked)
    assert not provenance.is_same_request(made, asked)
    rejected = {"rejected": [{"seed": 1, "guidance": None}]}
    assert provenance.is_same_request(
        {**made, "instead_of": former, "audit": rejected}, {**asked, "seed": 1, "guidance": None}
    )


def test_a_sound_after_rejected_attempts_is_of_the_request_of_the_first() -> None:
    asked = {"prompt": "a bell", "seed": 0, "guidance": None, "batch": {"seeds": [0, 1]}}
    again = {"prompt": "a bell", "seed": 1_000_003, "guidance": None, "batch": {"seeds": [1_000_003]}}
    audit = {"rejected": [{"seed": 0, "guidance": None}, {"seed": 7, "guidance": None}]}
    assert provenance.is_same_request({**again, "audit": audit}, asked)
    assert not provenance.is_same_request({**again, "audit": audit}, {**asked, "seed": 1})
    assert not provenance.is_same_request(again, asked)
    assert not provenance.is_same_request({**again, "audit": {"rejected": [3]}}, asked)


def test_flac_holds_the_samples_of_the_wav(generate: Callable[..., Result]) -> None:
    for name in ("s.wav", "t.flac"):
        assert generate("a bell", "--no-guidance", "-o", name).exit_code == 0
    (wav, rate), (flac, same) = (soundfile.read(name, dtype="int16") for name in ("s.wav", "t.flac"))
    assert rate == same
    assert np.array_equal(wav, flac)
    assert soundfile.info("t.flac").subtype == "PCM_16"
    result = json.loads(Path("t.json").read_text())["result"]
    assert (result["file"], result["encoding"]) == ("t.flac", "16-bit")


def test_a_flac_is_made_again_to_the_byte(
    generate: Callable[..., Result], run: Callable[..., Result]
) -> None:
    generate("a bell", "--no-guidance", "-o", "s.flac")
    result = run("generate", "--from", "s.json")
    assert result.stdout.startswith("audio.flac")
    assert Path("audio.flac").read_bytes() == Path("s.flac").read_bytes()
    assert "the same bytes" in result.stderr
    result = run("generate", "--from", "s.json", "-o", "other.wav")
    assert "the file was .flac, is .wav" in result.stderr


@pytest.mark.usefixtures("no_model")
def test_floats_and_other_endings_are_found_out_first(generate: Callable[..., Result]) -> None:
    refused(generate("a bell", "--float", "-o", "s.flac"), "holds no floats")
    refused(generate("a bell", "-o", "s.mp3"), "ends in .wav or .flac")


def test_in_python(loaded: Model, tmp_path: Path) -> None:
    (sound,) = loaded.generate("a bell", num_inference_steps=1, duration=0.2, guidance=None)
    sound.save(tmp_path / "a.flac")
    assert provenance.read(tmp_path / "a.json")["result"]["file"] == "a.flac"
    with pytest.raises(InputError, match="FLAC holds no floats"):
        sound.save(tmp_path / "b.flac", float=True)
    assert sorted(os.listdir(tmp_path)) == ["a.flac", "a.json"]


def test_quiet_prints_nothing_and_verbose_prints_more(generate: Callable[..., Result]) -> None:
    result = generate("a bell", "-q")
    assert (result.stdout, result.stderr) == ("", "")
    result = generate("a bell", "-v")
    assert "  sampling: sampler " in result.stdout
    assert "  also near: " in result.stdout
    assert "  seconds: conditioning " in result.stdout
