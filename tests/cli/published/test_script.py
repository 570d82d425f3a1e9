"""A script is read as syntax: what is certain is a value, anything else is named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from unheard.cli.published.readings import Read, Unread
from unheard.cli.published.script import read_script
from unheard.errors import InputError

CALL = "generate_diffusion_cond(model, steps=steps)\n"


def read(tmp_path: Path, text: str, number: int = 1) -> dict[str, object]:
    """The arguments of a call: the values that were read, and of the others line and expression."""
    path = tmp_path / "script.py"
    path.write_text(text)
    return {
        name: reading.value if isinstance(reading, Read) else (reading.line, reading.expression)
        for name, reading in read_script(path, number).arguments.items()
    }


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("steps = 100\n", 100),
        ("steps: int = 100\n", 100),
        ("a, steps = 1, 100\n", 100),
        ("half = 50\nsteps = half * 2 - -1\n", 101),
        ("steps = 1\nsteps = 100\n", 100),
        ("steps = steps0 = 100\n", 100),
        ("with open('x') as file:\n    steps = 100\n", 100),
        ("steps = int(input())\n", (1, "int(input())")),
        ("steps = 1 / 0\n", (1, "1 / 0")),
        ("steps = 10 ** 10 ** 10\n", (1, "10 ** 10 ** 10")),
        ("steps = other\n", (1, "other")),
        ("for steps in (50, 100):\n    pass\n", (1, "for steps in (50, 100)")),
        ("steps = 100\nsteps += 1\n", (2, "steps += 1")),
        ("steps = 100\nif fast:\n    steps = 10\n", (3, "steps = 10")),
        ("", (1, "steps")),
    ],
)
def test_a_name_is_what_it_is_bound_to_where_that_is_certain(
    tmp_path: Path, text: str, steps: object
) -> None:
    assert read(tmp_path, text + CALL) == {"steps": steps}


OPTIONS = """from argparse import ArgumentParser
parser = ArgumentParser()
parser.add_argument("-n", "--denoising-steps", type=int, default="30")
parser.add_argument("--cfg", dest="scale", default=2 * 3)
parser.add_argument("--seed", required=True)
parser.add_argument("--latents", action="store_true")
args = parser.parse_args()
"""


def test_of_an_option_of_the_script_its_default_is_read(tmp_path: Path) -> None:
    call = (
        "generate_diffusion_cond(m, args.denoising_steps, args.scale, seed=args.seed, "
        "return_latents=args.latents, rho=args.other)"
    )
    assert read(tmp_path, OPTIONS + call) == {
        "steps": 30, "cfg_scale": 6, "return_latents": False,
        "seed": (8, "args.seed"), "rho": (8, "args.other"),
    }  # fmt: skip
    found = read_script(tmp_path / "script.py").arguments
    assert found["steps"] == Read(30, 3, "--denoising-steps")
    assert found["seed"] == Unread("args.seed", 8, "--seed has no default")
    assert read(tmp_path, OPTIONS + "args = other()\n" + CALL.replace("=steps", "=args.scale")) == {
        "steps": (9, "args.scale")
    }


@pytest.mark.parametrize(
    "text",
    [
        "table = {'steps': 3, 'seed': 1}\ntable['seed'] = 2\n",
        "table = dict(steps=3)\ntable.update(seed=2)\n",
        "base = {'steps': 3}\ntable = {**base, 'seed': 2}\n",
        "base = {'steps': 3}\ntable = dict(base, seed=2)\n",
        "table = {'steps': 3}\ntable |= {'seed': 2}\n",
        "table = {'steps': 3} | {'seed': 2}\n",
        "all_of = [{'steps': 3, 'seed': 2}]\ntable = all_of[0]\n",
    ],
)
def test_a_table_is_followed_however_it_is_put_together(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text + "generate_diffusion_cond(m, **table)") == {"steps": 3, "seed": 2}
    one = "generate_diffusion_cond(m, steps=table['steps'])"
    assert read(tmp_path, text + one) == {"steps": 3}


@pytest.mark.parametrize(
    "text", ["table.pop('steps')\n", "del table['steps']\n", "table[key] = 2\n", "table.update(more)\n",
             "if x:\n    table['steps'] = 4\n"]
)  # fmt: skip
def test_a_table_that_is_changed_otherwise_is_not_certain(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, "table = {'steps': 3}\n" + text + "generate_diffusion_cond(m, **table)")
    assert list(found) == ["**table"]


def test_texts_are_put_together(tmp_path: Path) -> None:
    text = "bpm = 110\nsteps = f'a loop, {bpm} bpm' + '!'\n"
    assert read(tmp_path, text + CALL) == {"steps": "a loop, 110 bpm!"}
    assert read(tmp_path, "steps = f'{argv[1]} loop'\n" + CALL) == {"steps": (1, "f'{argv[1]} loop'")}


@pytest.mark.parametrize("first", ["9", "'a'", "{'a': 1}"])
@pytest.mark.parametrize("step", ["n{1} = n{0} * n{0}", "n{1} = n{0} + n{0}", "n{1} = {{**n{0}, **n{0}}}"])
def test_what_doubles_line_by_line_takes_no_time(tmp_path: Path, first: str, step: str) -> None:
    lines = [f"n0 = {first}", *(step.format(number, number + 1) for number in range(45)), "steps = n45"]
    read(tmp_path, "\n".join(lines) + "\n" + CALL)


def test_a_name_belongs_to_its_function(tmp_path: Path) -> None:
    text = "steps = 100\ndef other(steps):\n    return steps\ndef make():\n    " + CALL + "steps = 50\n"
    assert read(tmp_path, text) == {"steps": 50}  # when it is called at last
    text = "steps = 100\ndef make(steps=20):\n    " + CALL
    assert read(tmp_path, text) == {"steps": (2, "def make(steps=20)")}
    text = "steps = 100\ndef make():\n    steps = 7\n    " + CALL
    assert read(tmp_path, text) == {"steps": 7}


def test_in_a_loop_what_comes_behind_the_call_comes_before_it(tmp_path: Path) -> None:
    text = "steps = 1\nfor seed in range(3):\n    " + CALL + "    steps = 2\n"
    assert read(tmp_path, text) == {"steps": (4, "steps = 2")}
    text = "for seed in range(3):\n    steps = 2\n    " + CALL
    assert read(tmp_path, text) == {"steps": 2}


@pytest.mark.parametrize(
    "text",
    [
        "from stable_audio_tools.inference import generation\ngeneration." + CALL,
        "from x.generation import generate_diffusion_cond as make\nmake(m, steps=5)\n",
        "generate_diffusion_cond(m, 5)\n",
        "options = {'steps': 5}\ngenerate_diffusion_cond(m, **options)\n",
    ],
)
def test_a_call_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "steps = 5\n" + text) == {"steps": 5}


def test_one_of_several_calls_is_chosen(tmp_path: Path) -> None:
    text = "generate_diffusion_cond(m, steps=1)\nmy_generate_diffusion_cond(m, steps=2)\n"
    assert [read(tmp_path, text, number)["steps"] for number in (1, 2)] == [1, 2]
    with pytest.raises(InputError, match=r"call is 3, but .* has 2: give 1 to 2"):
        read(tmp_path, text, 3)


def test_a_part_that_cannot_be_read_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "generate_diffusion_cond(m, conditioning=[{'prompt': argv[1], 'seconds_total': 5}] * 2)"
    )
    conditioning = read_script(tmp_path / "s.py").arguments["conditioning"]
    assert isinstance(conditioning, Read)
    assert len(conditioning.value) == 2
    table = conditioning.value[0].value
    assert table == {"prompt": Unread("argv[1]", 1), "seconds_total": Read(5, 1)}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"steps = (", r"script\.py:1 is not Python"),
        (b"\x00", "is not Python"),
        (b"(" * 5_000, "is not Python"),
        (b"-" * 200_000 + b"1", "is not Python"),
        (b"print('nothing')", "calls neither my_generate_diffusion_cond nor generate_diffusion_cond"),
        (b"#" * 1_000_001, "more than 1,000,000 bytes"),
        (None, "does not exist|No such file"),
    ],
)
def test_what_is_no_script_is_one_line(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "script.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_script(path)
