"""A record written in provenance format 1, with the sound that it describes: read, and made again."""

from __future__ import annotations

from pathlib import Path

import torch
from click.testing import CliRunner

from unheard import Detour, audio
from unheard.cli import main
from unheard.generation import provenance
from unheard.guidance import read_guidance

OLD = Path(__file__).parents[1] / "fixtures" / "before_the_move"


def test_a_record_of_format_1_has_the_present_names() -> None:
    record = provenance.read(OLD / "detour.json")
    assert record["unheard"] == provenance.FORMAT == 3
    assert record["sampling"]["noise"] == "torchsde"
    assert read_guidance(record["guidance"]) == Detour(prompt_weight=0.5, blend_threshold=1.0)
    first = record["trace"][0]
    assert (first["neighbour"], first["fallback"], first["acted"]) == ("00006", "01252", True)
    assert 0 < first["prompt_weight"] < 1
    assert first["value"] > first["threshold"]
    assert not {"similarity", "way", "share"} & set(first)


def test_a_sound_of_format_1_is_made_again(tmp_path: Path) -> None:
    new = tmp_path / "again.wav"
    result = CliRunner().invoke(main, ["generate", "--from", str(OLD / "detour.json"), "--output", str(new)])
    assert result.exit_code == 0, result.output
    before, now = provenance.read(OLD / "detour.json"), provenance.read(new.with_suffix(".json"))
    assert now["sampling"] == before["sampling"]
    assert now["guidance"] == before["guidance"]
    assert [step["fallback"] for step in now["trace"]] == [step["fallback"] for step in before["trace"]]
    # Equal bytes need the same processor; to the ear it is the same sound anywhere.
    (ours, _), (theirs, _) = audio.read(new), audio.read(OLD / "detour.wav")
    assert torch.cosine_similarity(ours, theirs).item() > 0.999
