"""`unheard import-settings`, and what is said to the names of the published code elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_line import refused
from published_script import PRESET, SCRIPT

from unheard.cli import main
from unheard.cli.published.names import NAMES
from unheard.evaluation.experiment import Experiment
from unheard.generation import provenance
from unheard.generation.preset import read_preset
from unheard.guidance.amg.settings import AMG


def imported(run: Callable[..., Result], text: str, *arguments: object) -> tuple[Result, dict[str, object]]:
    """What is said of a script, and its preset."""
    Path("amg_infer.py").write_text(text)
    result = run("import-settings", "amg_infer.py", "--output", "preset.json", *arguments)
    assert result.exit_code == 0, result.stderr
    return result, json.loads(Path("preset.json").read_text())


def go_on(result: Result) -> list[str]:
    """The words of the command line that is proposed at the end."""
    return shlex.split(result.stdout.splitlines()[-1])


def test_the_published_script_becomes_the_published_settings(run: Callable[..., Result]) -> None:
    result, preset = imported(run, SCRIPT)
    assert preset == PRESET
    assert read_preset("preset.json").guidance == AMG()
    assert go_on(result) == [
        "unheard", "generate", "An acoustic drum loop, 110 bpm", "--preset", "preset.json", "--model",
        "stabilityai/stable-audio-open-1.0", "--duration", "10", "--seed", "random", "--index",
        "embeddings_new.json",
    ]  # fmt: skip
    assert "torchaudio" in result.stdout
    assert "could not be read" not in result.stdout


def test_without_an_output_the_preset_alone_is_printed(run: Callable[..., Result]) -> None:
    Path("amg_infer.py").write_text(SCRIPT)
    result = run("import-settings", "amg_infer.py")
    assert json.loads(result.stdout) == PRESET
    assert "read, not run" in result.stderr


def test_nothing_of_it_is_run(run: Callable[..., Result]) -> None:
    marks = "import os\nopen('ran', 'w')\n__import__('os').mkdir('ran2')\n"
    imported(run, marks + SCRIPT + "raise SystemExit(5)\n")
    assert not {"ran", "ran2"} & {path.name for path in Path().iterdir()}


def test_what_cannot_be_read_is_named_with_its_line(run: Callable[..., Result]) -> None:
    result, preset = imported(run, SCRIPT.replace("cfg_scale = 7", "cfg_scale = float(input())"))
    assert "amg_infer.py:9: cfg_scale: float(input())" in result.stdout
    assert "guidance_scale" not in preset


def test_what_the_call_leaves_out_is_what_its_function_takes(run: Callable[..., Result]) -> None:
    result, preset = imported(run, "my_generate_diffusion_cond(model)\n")
    assert preset["guidance"] == {
        "kind": "amg", "c1": 5.0, "c2": 5.0, "c3": 5.0, "lambda_min": 0.4, "lambda_max": 0.5,
    }  # fmt: skip
    assert (preset["num_inference_steps"], preset["guidance_scale"]) == (250, 6)
    assert "steps, left out: 250" in result.stdout


def test_what_may_stand_in_a_table_that_cannot_be_read_is_not_left_out(run: Callable[..., Result]) -> None:
    result, preset = imported(run, "my_generate_diffusion_cond(model, cfg_scale=3, **options)\n")
    assert preset == {"guidance": {"kind": "amg"}, "guidance_scale": 3}
    assert "left out" not in result.stdout
    assert "amg_infer.py:1: **options: options" in result.stdout


def test_the_default_of_a_script_s_option_is_named(run: Callable[..., Result]) -> None:
    text = (
        "parser.add_argument('--n', default=7)\nargs = parser.parse_args()\n"
        "generate_diffusion_cond(model, args.n)\n"
    )
    result, preset = imported(run, text)
    assert preset["num_inference_steps"] == 7
    assert "steps = 7, default of --n" in result.stdout


def test_a_plain_call_leaves_the_guidance_to_the_model(run: Callable[..., Result]) -> None:
    text = (
        "generate_diffusion_cond(model, 50, conditioning=[{'prompt': 'A', 'seconds_start': 2, "
        "'seconds_total': 5}, {'prompt': 'B'}], negative_conditioning=[{'prompt': 'noise'}], seed=3, "
        "conditioning_tensors=None, sampler_type='dpmpp-2m-sde', batch_size=2, return_latents=True, rho=7.0, "
        "c_gram=1, init_audio=(rate, sound), init_noise_level=2.0)"
    )
    result, preset = imported(run, text)
    assert preset == {
        "num_inference_steps": 50, "negative_prompt": "noise", "sampler": "dpmpp_2m_sde",
        "guidance_scale": 6, "sigma_min": 0.01, "sigma_max": 100,
    }  # fmt: skip
    assert go_on(result)[2:6] == ["A", "B", "--preset", "preset.json"]
    options = " ".join(go_on(result)[6:])
    assert options == (
        "--start 2 --duration 3 --seed 3 --save-latents --init-audio FILE --init-noise-level 2"
    )
    assert "the sound will differ" in result.stdout
    assert "unheard knows no such argument" in result.stdout
    assert "conditioning_tensors" not in result.stdout


def test_names_that_are_set_without_a_call(run: Callable[..., Result]) -> None:
    result, preset = imported(run, "denoising_steps = 20\ntotal_duration = 3.0\nc1 = 2\n")
    assert preset == {"guidance": {"kind": "amg", "c1": 2}, "num_inference_steps": 20}
    assert "--duration 3" in result.stdout


def test_a_value_that_cannot_be_used_is_one_line(run: Callable[..., Result]) -> None:
    Path("s.py").write_text("my_generate_diffusion_cond(m, steps=0)")
    refused(run("import-settings", "s.py"), "settings that cannot be used: num_inference_steps is 0")
    Path("s.py").write_text("my_generate_diffusion_cond(m, c1='x')")
    refused(run("import-settings", "s.py"), "settings that cannot be used: c1 is 'x'")


@pytest.mark.parametrize(
    "argument",
    [
        "steps=[1, 2]", "cfg_scale={'a': [1]}", "seed=[[]]", "sampler_type={}", "init_noise_level=[0.5]",
        "conditioning=[{'prompt': ['a', 'b'], 'seconds_start': {}, 'seconds_total': 3}]",
        "conditioning=[{'prompt': 'a', 'seconds_start': 'x', 'seconds_total': 3}]",
    ],
)  # fmt: skip
def test_a_list_where_one_value_is_expected_is_not_understood(
    run: Callable[..., Result], argument: str
) -> None:
    Path("s.py").write_text(f"my_generate_diffusion_cond(m, c1=2, {argument})")
    result = run("import-settings", "s.py")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["guidance"]["c1"] == 2
    assert "where one value is expected" in result.stderr or "'x'" in argument


def test_the_script_and_other_files_are_spared(run: Callable[..., Result]) -> None:
    Path("s.py").write_text("my_generate_diffusion_cond(m)")
    refused(run("import-settings", "s.py", "-o", "s.py"), "it is the script that is read")
    Path("mine.json").write_text('{"a": 1}')
    refused(run("import-settings", "s.py", "-o", "mine.json"), "it is there already")
    for further in ((), ("--overwrite",)):
        assert run("import-settings", "s.py", "-o", "new.json", *further).exit_code == 0


def test_the_preset_generates(run: Callable[..., Result], generate: Callable[..., Result]) -> None:
    imported(run, SCRIPT)
    result = generate("A bell", "--preset", "preset.json")
    assert result.exit_code == 0, result.stderr
    record = provenance.read("audio.json")
    assert record["guidance"]["c3"] == 100
    assert record["sampling"]["sampler"] == "dpmpp_3m_sde"


def test_an_experiment_takes_the_preset(run: Callable[..., Result]) -> None:
    imported(run, SCRIPT)
    Path("e.toml").write_text(
        '[[prompts]]\nlist = ["A bell"]\n[settings.none]\nguidance = "none"\n'
        '[settings.published]\npreset = "preset.json"\nnum_inference_steps = 20\n'
    )
    setting = Experiment.read(Path("e.toml").resolve()).settings["published"]
    assert setting["num_inference_steps"] == 20
    assert setting["guidance"]["c2"] == 3
    Path("e.toml").write_text('[[prompts]]\nlist = ["A"]\n[settings.a]\npreset = "none.json"\n')
    refused(run("evaluate", "e.toml", "--out", "out"), "cannot read the preset")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.name)
@pytest.mark.usefixtures("no_model")
def test_each_name_on_the_command_line_is_answered(run: Callable[..., Result], name: object) -> None:
    of_generate = {option for each in main.commands["generate"].params for option in each.opts}
    assert name.option is None or name.option in of_generate
    given = f"--{name.name.removesuffix('.json').replace('_', '-')}"
    for spelt in {given, given.replace("-", "_").replace("__", "--", 1)} - of_generate:
        result = run("generate", "A bell", spelt, "3")
        refused(result, f"there is no {spelt}: ")
        assert name.option is None or f"it is called {name.option} here" in result.stderr


@pytest.mark.usefixtures("no_model")
def test_a_sampler_s_published_name_is_answered(run: Callable[..., Result]) -> None:
    refused(run("generate", "A", "--sampler", "my-dpmpp-3m-sde"), "is called 'dpmpp_3m_sde' here")
    refused(run("generate", "A", "--sampler", "k-heun"), "'k-heun' is not one of")
    refused(run("generate", "A", "--embeddings_new.json", "x"), "it is called --index here")
    refused(run("audit", "x.wav", "--steps", "3"), "--num-inference-steps of `unheard generate`")
