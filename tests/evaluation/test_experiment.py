"""Experiment files: what is said of a value that cannot be used, and those that are shipped."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from lab.split import FIRST_SEED, split
from unheard.errors import InputError
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.settings import as_options, read_settings
from unheard.generation.defaults import Defaults
from unheard.guidance import GUIDANCES, read_guidance
from unheard.guidance.detour.settings import Detour

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.toml"))
ON_A_HUB_MODEL = next(path for path in EXPERIMENTS if path.stem == "stable-audio-open")
IN_THE_SECOND_WORLD = [path for path in EXPERIMENTS if "build/planted" in path.read_text()]
IN_WORLDS = {
    path: made.removesuffix("/model")
    for path in EXPERIMENTS
    if (made := str(tomllib.loads(path.read_text()).get("model", ""))).startswith("../build/")
}
"""Experiments on a model that the laboratory makes, with its folder."""
TINY = Path(__file__).parents[2] / "src" / "unheard" / "assets" / "tiny"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("bound = 'cpoy'", "did you mean 'copy'"),
        ("bound = 'clear'", "unknown key 'clear' in .*bound: .*copy, partial copy, similar"),
        ("bound = 3", "unknown key 3 in .*bound"),
        ("baseline = 3", "unknown key 3 in .*baseline"),
        ("metrics = [3]", "unknown key 3 in .*metrics"),
        ("models = [['tiny']]", "models are"),
        ("seeds = 5", "seeds is 5: give a list"),
        ("seeds = {count = 'x'}", "count of seeds is 'x'"),
        ("seeds = {first = -1}", "first of seeds is -1"),
        ("seeds = ['x']", "seed is 'x'"),
        ("base = 3", "base is 3: give a table"),
        ("settings = 'x'", "settings is 'x': give a table"),
        ("settings.none = 'x'", r"settings\.none is 'x': give a table"),
        ("settings.none.guidance = {kind = ['amg']}", r"unknown guidance \['amg'\]"),
        ("search = [1]", r"search is \[1\]: give a table"),
        ("prompts = 'A bell'", "prompts are 'A bell': give tables"),
        ("prompts = ['A bell']", "give tables"),
        ("prompts = [{list = 'A bell'}]", "give a list of texts"),
        ("prompts = [{list = ['A bell'], group = 3}]", "group of prompts is 3"),
        ("prompts = [{list = ['A bell'], half = 3}]", "unknown key 3 in half"),
        ("seeds = [-1]", r"^\S*wrong\.toml: seed is -1"),
        ("batch = 0", r"^\S*wrong\.toml: batch is 0"),
        ("settings.none.recordings = 1.5", r"^\S*wrong\.toml, settings\.none: recordings is 1\.5"),
        ("settings.none.guidance = {kind = 'detour', threshold = 2}", r"settings\.none: threshold is 2"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(tmp_path: Path, wrong: str, told: str) -> None:
    path = tmp_path / "wrong.toml"
    rest = {"settings": "[settings.none]\n", "prompts": "[[prompts]]\nlist = ['A bell']\n"}
    path.write_text(wrong + "\n" + "".join(text for key, text in rest.items() if not wrong.startswith(key)))
    with pytest.raises(InputError, match=told):
        Experiment.read(path)


@pytest.mark.parametrize(
    "wrong", ["index = 3", "embedder = ['a']", "duration = 0", "duration = 'x'", "device = 1"]
)
def test_what_the_model_is_loaded_with_is_checked(file: Path, wrong: str) -> None:
    file.write_text(f"{wrong}\n{file.read_text()}")
    with pytest.raises(InputError, match=wrong.split()[0]):
        Experiment.read(file)


@pytest.mark.parametrize(
    ("wrong", "right"), [("seedz = [1]", "seeds"), ("[base]\nguidence = 'none'", "guidance"),
                         ("[settings.a]\nguidance = {kind = 'amg', c4 = 1}", "c")],
)  # fmt: skip
def test_a_misspelt_key_names_the_nearest(tmp_path: Path, wrong: str, right: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"{wrong}\n[settings.none]\n[[prompts]]\nlist = ['A bell']\n")
    with pytest.raises(InputError, match=f"did you mean '{right}"):
        Experiment.read(path)


def test_a_misspelt_metric_names_the_nearest(file: Path) -> None:
    file.write_text("metrics = ['clapscore']\n" + file.read_text())
    with pytest.raises(InputError, match="did you mean 'clap_score'"):
        Experiment.read(file)


@pytest.mark.parametrize(
    "path",
    [p for p in EXPERIMENTS if p not in (ON_A_HUB_MODEL, *IN_WORLDS)],
    ids=lambda path: path.stem,
)
def test_every_experiment_that_is_shipped_can_be_read(path: Path) -> None:
    experiment = Experiment.read(path)
    assert not experiment.refused
    assert experiment.settings or experiment.search


@pytest.mark.parametrize("path", IN_WORLDS, ids=lambda path: path.stem)
def test_what_is_of_another_world_can_be_read_once_that_is_made(path: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    world = tmp_path / "experiments" / IN_WORLDS[path]
    world.mkdir(parents=True)
    (world / "model").symlink_to(TINY)
    experiment = Experiment.read(shutil.copy(path, tmp_path / "experiments"))
    assert not experiment.refused
    assert {*experiment.models} == {str(TINY)}


def test_every_rival_of_the_detour_is_compared_with_it() -> None:
    compared = set()
    for path in IN_THE_SECOND_WORLD:
        settings = tomllib.loads(path.read_text())["settings"].values()
        kinds = [setting["guidance"] for setting in settings]
        compared |= {kind if isinstance(kind, str) else kind["kind"] for kind in kinds}
    assert compared == {*GUIDANCES, "none"}


def test_the_papers_ablation_on_a_hub_model_asks_for_an_index_and_its_duplicates(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    file = shutil.copy(ON_A_HUB_MODEL, tmp_path / "experiments")
    with pytest.raises(InputError, match=r"duplicates\.json"):
        Experiment.read(file)
    cluster = {"kind": "sound", "prompt": "A drum loop", "ids": ["a", "b"]}
    (tmp_path / "duplicates.json").write_text(json.dumps({"clusters": [cluster]}))
    experiment = Experiment.read(file)
    assert experiment.models == ("stabilityai/stable-audio-open-1.0",)
    assert experiment.index == str(tmp_path / "training-set")
    assert (experiment.embedder, experiment.duration) == ("laion/clap-htsat-unfused", 10.0)
    assert [(prompt.text, prompt.targets) for prompt in experiment.prompts] == [("A drum loop", ("a", "b"))]
    published = {"kind": "amg", "c1": 4, "c2": 3, "c3": 100, "lambda_min": 0.7, "lambda_max": 0.8}
    assert experiment.settings.pop("none")["guidance"] == {"kind": "none"}
    guidances = [options["guidance"] for options in experiment.settings.values()]
    assert all({**published, **dict.fromkeys([k for k in g if not g[k]], 0)} == g for g in guidances)
    on = {tuple(term for term in ("c1", "c2", "c3") if guidance[term]) for guidance in guidances}
    assert on == {("c1",), ("c2",), ("c3",), ("c1", "c2"), ("c1", "c3"), ("c2", "c3"), ("c1", "c2", "c3")}


@pytest.mark.parametrize(
    ("name", "side"),
    [("ablation", "report"), ("detour", "report"), ("published", "report"), ("tune", "development")],
)
def test_experiments_keep_to_their_half(name: str, side: str) -> None:
    experiment = Experiment.read(next(path for path in EXPERIMENTS if path.stem == name))
    halves = split()
    captions = {*halves[side]["memorised"], *halves[side]["ordinary"]}
    assert {prompt.text for prompt in experiment.prompts} <= captions
    assert {*halves[side]["memorised"]} <= {prompt.text for prompt in experiment.prompts}
    assert experiment.seeds[0] == FIRST_SEED[side]
    other = halves["development" if side == "report" else "report"]
    assert not captions & {*other["memorised"], *other["ordinary"]}
    assert experiment.seeds[-1] - FIRST_SEED[side] < abs(other["first_seed"] - FIRST_SEED[side])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"candidates": 9}, {"pull": 0.5, "settled_pull": 0.3, "candidates": 9}),
        ({"pull": 0.05}, {"pull": 0.05}),
        ({"pull": 0.05, "settled_pull": 0.1}, {"pull": 0.05, "settled_pull": 0.1}),
        ({"threshold": 0.1}, {"pull": 0.5, "settled_pull": 0.3, "threshold": 0.1}),
    ],
)
def test_a_threshold_of_a_setting_takes_the_place_of_what_would_be_asked_instead(
    given: dict[str, float], expected: dict[str, float]
) -> None:
    """Over the model's own guidance, and over the base of the file."""
    own = {"kind": "detour", "pull": 0.5, "settled_pull": 0.3, "sure_threshold": 0.0}
    defaults = Defaults(guidance=read_guidance(own))
    assert as_options({"guidance": given}, defaults)["guidance"] == Detour(**expected)
    table = {"base": {"guidance": own}, "settings": {"a": {"guidance": given}}}
    settings, _ = read_settings(table, "experiment.toml")
    assert read_guidance(settings["a"]["guidance"]) == Detour(**expected)
