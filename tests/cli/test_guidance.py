"""Which guidance options ask for: every kind can be set, and what belongs to another is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import refused

from unheard.generation import provenance
from unheard.guidance import describe_guidance
from unheard.guidance.amg.settings import AMG
from unheard.guidance.attraction_basin.settings import AttractionBasin
from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated_amg.settings import GatedAMG
from unheard.guidance.nearest_caption.settings import NearestCaption
from unheard.guidance.prompt_adjustment.settings import PromptAdjustment
from unheard.guidance.prompt_noise.settings import PromptNoise
from unheard.guidance.rare_words.settings import RareWords
from unheard.guidance.static_rewrite.settings import StaticRewrite
from unheard.guidance.volumetric.settings import Volumetric

OWN = AMG(1.0, 1.0, 1.0, 0.0, 0.2)
"""Of the random model."""
CALIBRATED = {"threshold": 0.2, "sure_threshold": 0.4, "pull": 0.5, "settled_pull": 0.3}
"""Settings of a detour, as a calibration gives them."""


@pytest.mark.parametrize(
    ("options", "guidance"),
    [
        ("", OWN),
        ("--c1 0.5", AMG(0.5, 1.0, 1.0, 0.0, 0.2)),
        ("--lambda-min 0.1", AMG(1.0, 1.0, 1.0, 0.1, 0.2)),
        ("--guidance detour", Detour()),
        ("--guidance detour --threshold 0.2 --candidates 3", Detour(threshold=0.2, candidates=3)),
        ("--threshold 0.2 --pull 0.6 --prompt-weight 0.3", Detour(0.2, 0.6, 0.3)),
        ("--early-scale -2 --no-dynamic --latest 3", AttractionBasin(-2.0, False, 3.0)),
        ("--guidance basin --dynamic", AttractionBasin()),
        ("--target 0.4 --rate 0.1 --updates 2", PromptAdjustment(0.4, 0.1, 2)),
        ("--weight 5 --neighbours 2 --pass-band 0.5", Volumetric(5.0, 2, pass_band=0.5)),
        ("--lambda-min 0.1 --weight 5", Volumetric(5.0, lambda_min=0.1)),
        ("--guidance volumetric --lambda-max 0.75", Volumetric(lambda_max=0.75)),
        ("--guidance static-rewrite --threshold 0.2", StaticRewrite(threshold=0.2)),
        ("--c1 1 --threshold 0.2", GatedAMG(c1=1.0, threshold=0.2)),
        ("--nearest 2", NearestCaption(2)),
        ("--fewest-captions 3", RareWords(3)),
        ("--random-words 2 --replace-words --embedding-noise 0.1", PromptNoise(2, True, 0.1)),
        ("--guidance none", None),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_settings_choose_and_set_a_kind(
    generate: Callable[..., Result], options: str, guidance: Guidance | None
) -> None:
    result = generate("A bell", *options.split())
    assert result.exit_code == 0, result.stderr
    described = None if guidance is None else describe_guidance(guidance)
    assert provenance.read("audio.json")["guidance"] == described


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--guidance detour --c1 1", "--c1 belongs to --guidance amg or gated-amg, not to detour"),
        (
            "--guidance amg --threshold 0.2",
            "--threshold belongs to --guidance detour or static-rewrite or gated",
        ),
        ("--guidance basin --lambda-min 0", "--lambda-min belongs to --guidance amg or volumetric, not to b"),
        ("--c1 1 --early-scale 0", "--early-scale belongs to --guidance basin, not to amg"),
        ("--no-guidance --rate 1", "--no-guidance leaves nothing for --rate to do"),
        ("--guidance none --no-dynamic", "--guidance none leaves nothing for --dynamic to do"),
        ("--preset detour.json --c1 1", "--c1 belongs to --guidance amg or gated-amg, not to detour"),
        ("--preset none.json --c1 1", "--c1 belongs to --guidance amg or gated-amg, not to none"),
        ("--threshold 2", "threshold is 2"),
        ("--candidates 0", "candidates is 0"),
        ("--updates 1.5", "'1.5' is not a valid integer"),
        ("--guidance detuor", "'detuor' is not one of"),
    ],
)
@pytest.mark.usefixtures("no_model")
def test_what_does_not_belong_together_is_one_line(
    generate: Callable[..., Result], options: str, message: str
) -> None:
    Path("detour.json").write_text('{"guidance": "detour"}')
    Path("none.json").write_text('{"guidance": "none"}')
    refused(generate("A bell", *options.split()), message)


def test_settings_override_a_presets_and_a_records(
    generate: Callable[..., Result], run: Callable[..., Result]
) -> None:
    Path("detour.json").write_text('{"guidance": {"kind": "detour", "threshold": 0.2}}')
    assert generate("A bell", "--preset", "detour.json", "--pull", 0.7).exit_code == 0
    assert provenance.read("audio.json")["guidance"] == describe_guidance(Detour(0.2, 0.7))
    options = ("--candidates", 5, "--output", "other.wav")
    assert run("generate", "--from", "audio.json", *options).exit_code == 0
    assert provenance.read("other.json")["guidance"] == describe_guidance(Detour(0.2, 0.7, candidates=5))
    options = ("--c1", 2, "--output", "another.wav")
    assert run("generate", "--from", "audio.json", *options).exit_code == 0
    assert provenance.read("another.json")["guidance"]["kind"] == "amg"


@pytest.mark.parametrize(
    ("options", "guidance"),
    [
        ("--candidates 5", CALIBRATED | {"candidates": 5}),
        ("--pull 0.05", CALIBRATED | {"pull": 0.05, "settled_pull": 0.0}),
        ("--pull 0.05 --settled-pull 0.2", CALIBRATED | {"pull": 0.05, "settled_pull": 0.2}),
        ("--settled-pull 0.2", CALIBRATED | {"settled_pull": 0.2}),
        ("--threshold 0.1", CALIBRATED | {"threshold": 0.1, "sure_threshold": 0.0}),
        ("--threshold 0.1 --sure-threshold 0.3", CALIBRATED | {"threshold": 0.1, "sure_threshold": 0.3}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_nothing_is_asked_in_the_place_of_a_threshold_by_hand(
    generate: Callable[..., Result], run: Callable[..., Result], options: str, guidance: dict[str, Any]
) -> None:
    """Over a preset, and over the record of a sound that was made with it."""
    Path("detour.json").write_text(json.dumps({"guidance": {"kind": "detour", **CALIBRATED}}))
    assert generate("A bell", "--preset", "detour.json", "--output", "first.wav").exit_code == 0
    asked = (*options.split(), "--output", "again.wav")
    assert generate("A bell", "--preset", "detour.json", *options.split()).exit_code == 0
    assert run("generate", "--from", "first.json", *asked).exit_code == 0
    for path in ("audio.json", "again.json"):
        assert provenance.read(path)["guidance"] == describe_guidance(Detour(**guidance))
