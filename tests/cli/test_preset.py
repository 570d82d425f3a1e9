"""`--preset`: what a file says, and one clear line for what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from unheard.cli import main
from unheard.errors import InputError
from unheard.evaluation.experiment import Experiment
from unheard.generation.preset import Preset, read_preset
from unheard.guidance import describe_guidance
from unheard.guidance.amg.settings import AMG
from unheard.guidance.attraction_basin.settings import AttractionBasin
from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour


@pytest.mark.parametrize(
    ("content", "preset"),
    [
        ({"guidance": "detour"}, Preset(True, Detour())),
        ({"guidance": {"kind": "amg", "c3": 0}}, Preset(True, AMG(c3=0))),
        ({"kind": "detour", "threshold": 0.25}, Preset(True, Detour(threshold=0.25))),
        ({"c1": 2.0}, Preset(True, AMG(c1=2.0))),
        ({"guidance": "none", "sampler": "euler"}, Preset(True, None, {"sampler": "euler"})),
        ({"guidance_scale": 3.0}, Preset(False, None, {"guidance_scale": 3.0})),
    ],
)
def test_a_preset_is_guidance_and_sampling(tmp_path: Path, content: object, preset: Preset) -> None:
    (tmp_path / "preset.json").write_text(json.dumps(content))
    assert read_preset(tmp_path / "preset.json") == preset


@pytest.mark.parametrize(
    ("arguments", "guidance"),
    [
        (["--guidance", "detour"], Detour(threshold=0.25)),
        (["--guidance", "amg"], AMG(1.0, 1.0, 1.0, 0.0, 0.2)),  # the model's own
        (["--guidance", "amg", "--c3", "0"], AMG(1.0, 1.0, 0.0, 0.0, 0.2)),
        (["--guidance", "basin"], AttractionBasin()),
        (["--guidance", "none"], None),
    ],
)
def test_a_kind_on_the_command_line_overrides_the_presets(
    tmp_path: Path, tiny_model_folder: Path, arguments: list[str], guidance: Guidance | None
) -> None:
    preset = {"guidance": {"kind": "detour", "threshold": 0.25}, "num_inference_steps": 2}
    (tmp_path / "preset.json").write_text(json.dumps(preset))
    made = CliRunner().invoke(
        main, ["generate", "A bell", "--model", str(tiny_model_folder), "--output", str(tmp_path / "a.wav"),
               "--preset", str(tmp_path / "preset.json"), *arguments],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["guidance"] == (None if guidance is None else describe_guidance(guidance))
    assert record["sampling"]["num_inference_steps"] == 2


def test_a_preset_written_before_the_settings_names_changed() -> None:
    old = Path(__file__).parents[1] / "fixtures" / "before_the_move" / "preset.json"
    assert read_preset(old) == Preset(True, Detour(0.2, prompt_weight=0.3), {"guidance_scale": 4.0})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"guidence": "detour"}, "did you mean 'guidance'"),
        ({"guidance": "detour", "guidance_scal": 3}, "did you mean 'guidance_scale'"),
        ({"kind": "detour", "treshold": 0.2}, "did you mean 'threshold'"),
        ({"guidance": "detuor"}, "did you mean 'detour'"),
        ({"guidance": 3}, "guidance is 3: give a kind"),
        ({"guidance": {"kind": ["amg"]}}, "unknown guidance"),
        ([1], "holds no settings"),
        ({}, "holds no settings"),
    ],
)
def test_a_preset_that_cannot_be_used_is_one_line(tmp_path: Path, content: object, told: str) -> None:
    (tmp_path / "preset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=told):
        read_preset(tmp_path / "preset.json")


def test_a_file_of_another_kind_is_named_with_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("amg, please")
    with pytest.raises(
        InputError, match=r"the preset .*notes\.txt is not JSON \(.*line 1.*\): give "
    ) as caught:
        read_preset(tmp_path / "notes.txt")
    (tmp_path / "preset.json").write_text(str(caught.value).partition("): give ")[2])
    assert read_preset(tmp_path / "preset.json") == Preset(True, AMG())
    with pytest.raises(
        InputError, match=r"experiment .*notes\.txt is not TOML \(.*line 1.*\): mend it there"
    ):
        Experiment.read(tmp_path / "notes.txt")


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    for read, what in ((read_preset, "preset"), (Experiment.read, "experiment")):
        with pytest.raises(InputError, match=rf"cannot read the {what} .*/no: No such file or directory$"):
            read(tmp_path / "no")
