"""Where a calibration counts: `generate`, an attached pipeline, provenance; and what is said without one."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from calibrations import a_calibration
from diffusers import StableAudioPipeline

import unheard
from unheard import Detour, GuidanceWarning, Model
from unheard.evaluation.generator import Generator
from unheard.generation.calibration.record import Calibration, own_path

PUBLISHED = "amg"
SHORT: dict[str, Any] = {"duration": 0.2, "num_inference_steps": 2}
CALIBRATED = Detour(threshold=0.2, pull=0.4, high_noise=7.0)
"""Of `a_calibration`, at its shortest duration; without the recordings that it had."""


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


def of(model: Model, **options: Any) -> Calibration:
    assert model.index is not None
    return a_calibration(model.backbone.fingerprint, model.index.sha256, **options)


def guidance_of(sound: unheard.Sound) -> dict[str, Any]:
    return sound.provenance["guidance"]


@pytest.mark.filterwarnings("ignore:no recordings")
def test_generate_takes_it_and_provenance_names_it(model: Model) -> None:
    calibration = of(model, recordings=0)
    calibration.keep()
    for kind in ("auto", "detour"):
        (sound,) = model.generate("A bell", guidance=kind, **SHORT)
        assert guidance_of(sound)["kind"] == "detour"
        assert unheard.guidance.read_guidance(guidance_of(sound)) == CALIBRATED
        assert sound.provenance["calibration"] == calibration.describe()
        assert sound.provenance["calibration"]["sha256"] == calibration.digest


@pytest.mark.filterwarnings("ignore:no recordings")
def test_a_request_and_an_evaluation_take_it_where_guidance_is_named_alone(model: Model) -> None:
    of(model, recordings=0).keep()
    (sound,) = model.stream(model.request("A bell", guidance="detour", **SHORT))
    assert unheard.guidance.read_guidance(guidance_of(sound)) == CALIBRATED
    by_hand = Detour(threshold=0.9)
    (sound,) = model.stream(replace(model.request("A bell", guidance="detour", **SHORT), guidance=by_hand))
    assert unheard.guidance.read_guidance(guidance_of(sound)) == by_hand
    generator = Generator(model, duration=0.2)
    for name, setting in {
        "named": {"guidance": {"kind": "detour"}},
        "by hand": {"guidance": {"kind": "detour", "threshold": 0.9}},
    }.items():
        generator.add(name, {**setting, "num_inference_steps": 2})
    named, hand = (generator._requests[name].guidance for name in ("named", "by hand"))
    assert (named, hand) == (CALIBRATED, by_hand)


@pytest.mark.filterwarnings("ignore:no recordings")
@pytest.mark.parametrize("kind", ["static-rewrite", "gated-amg"])
def test_rivals_that_ask_the_same_gate_take_it_too(model: Model, kind: str) -> None:
    calibration = of(model, recordings=0)
    calibration.keep()
    (sound,) = model.generate("A bell", guidance=kind, **SHORT)
    guidance = guidance_of(sound)
    assert guidance["kind"] == kind
    assert (guidance["threshold"], guidance["pull"], guidance["high_noise"]) == (0.2, 0.4, 7.0)
    assert sound.provenance["calibration"] == calibration.describe()


@pytest.mark.filterwarnings("ignore:no recordings")
def test_settings_by_hand_are_left_alone(model: Model) -> None:
    of(model, recordings=0).keep()
    by_hand = Detour(pull=0.7)
    (sound,) = model.generate("A bell", guidance=by_hand, **SHORT)
    assert unheard.guidance.read_guidance(guidance_of(sound)) == by_hand
    assert "calibration" not in sound.provenance
    (sound,) = model.generate("A bell", guidance=PUBLISHED, **SHORT)
    assert guidance_of(sound)["kind"] == PUBLISHED
    (sound,) = model.generate("A bell", guidance=None, **SHORT)
    assert sound.provenance["guidance"] is None


def test_an_uncalibrated_model_keeps_its_guidance_and_is_told_how_to_calibrate(model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuidanceWarning)
        (sound,) = model.generate("A bell", **SHORT)
    assert guidance_of(sound)["kind"] == PUBLISHED
    with pytest.warns(GuidanceWarning) as told:
        model.generate("A bell", guidance="detour", **SHORT)
    lines = [str(each.message) for each in told if "calibrate --model" in str(each.message)]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert f"--model {model.name}" in lines[0]
    assert "in the time of about 100 sounds" in lines[0]  # without recordings two of six steps


def test_a_detour_that_a_model_brings_is_its_calibration(model: Model) -> None:
    own = Detour(pull=0.9)
    shipped = Model(model.backbone, replace(model.defaults, guidance=own), model.embedder)
    of(model).keep()
    training_set = shipped.training_set()
    assert shipped.guidance_named("auto", training_set) == own
    assert shipped.calibration(training_set) is None


def test_where_captions_do_not_separate_it_is_said_and_the_published_guidance_is_kept(model: Model) -> None:
    of(model, separates=False, recordings=0).keep()
    with pytest.warns(GuidanceWarning, match="do not separate from ordinary ones here"):
        (sound,) = model.generate("A bell", **SHORT)
    assert guidance_of(sound)["kind"] == PUBLISHED
    with pytest.warns(GuidanceWarning, match="do not separate from ordinary ones here"):
        (sound,) = model.generate("A bell", guidance="detour", **SHORT)
    assert guidance_of(sound)["pull"] == CALIBRATED.pull


def test_a_damaged_one_is_one_line(model: Model) -> None:
    assert model.index is not None
    path = own_path(model.backbone.fingerprint or "", model.index.sha256)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(unheard.InputError, match="is no calibration, or a damaged one"):
        model.generate("A bell", **SHORT)


def test_a_model_may_bring_one(tiny_model_folder: Path, tmp_path: Path, model: Model) -> None:
    """The files of the model itself stay as they are, so that it is the same model."""
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    calibration = of(model, recordings=0)
    calibration.write(folder / "calibration.json")
    settings = json.loads((folder / "unheard.json").read_text())
    (folder / "unheard.json").write_text(json.dumps({**settings, "calibration": "calibration.json"}))
    brings = unheard.load(folder)
    assert brings.calibration(brings.training_set()) == calibration
    assert brings.guidance_named("auto", brings.training_set(), 0.2) == CALIBRATED
    (folder / "unheard.json").write_text(json.dumps({**settings, "calibration": "nowhere.json"}))
    with pytest.raises(unheard.ModelError, match=r"calibration is 'nowhere\.json': there is no such file"):
        unheard.load(folder)


def test_an_attached_pipeline_takes_it(tiny_model_folder: Path, model: Model) -> None:
    of(model, recordings=0).keep()
    pipe = StableAudioPipeline.from_pretrained(tiny_model_folder)
    with pytest.warns(GuidanceWarning, match="no recordings"), unheard.attach(pipe) as attached:
        assert attached.guidance == CALIBRATED
    with pytest.warns(GuidanceWarning), unheard.attach(pipe, guidance=Detour(pull=0.6)) as attached:
        assert attached.guidance == Detour(pull=0.6)
