"""The form: it has the options of the command, reads what a browser sends, says where a value is wrong."""

from __future__ import annotations

from typing import Any

import click
import pytest
from needed import need

from unheard.cli.generate import generate
from unheard.cli.studio import OF_THE_STUDIO, OF_THE_TERMINAL, studio
from unheard.guidance import GUIDANCES
from unheard.studio.fields import FieldError
from unheard.studio.making import make_takes
from unheard.studio.stream import Cancel
from unheard.studio.workshop import Workshop

SHORT = {"duration": "0.2", "num_inference_steps": "2"}


def options(command: click.Command) -> set[str]:
    return {each.name for each in command.params if isinstance(each, click.Option) and each.name}


def test_every_option_of_generate_is_a_field_or_an_option_of_the_studio(workshop: Workshop) -> None:
    fields = set(workshop.form.fields)
    assert options(generate) == (fields - {"format"}) | {*OF_THE_STUDIO, *OF_THE_TERMINAL}
    assert {*OF_THE_STUDIO} <= options(studio)
    assert all(field.help for field in workshop.form.fields.values())


def test_settings_say_their_kinds_and_what_holds_without_them(workshop: Workshop) -> None:
    fields = workshop.form.fields
    assert {kind for field in fields.values() for kind in field.kinds} == {*GUIDANCES}
    assert (fields["lambda_min"].kinds, fields["sampler"].kinds) == (("amg", "volumetric"), ())
    assert fields["threshold"].default == str(GUIDANCES["detour"]().threshold)
    assert fields["num_inference_steps"].default == str(workshop.model.defaults.sampling.num_inference_steps)


def test_lines_are_prompts_and_empty_fields_were_not_given(workshop: Workshop) -> None:
    given = {
        **SHORT,
        "count": 2,
        "seed": "7",
        "guidance": "detour",
        "threshold": "0.5",
        "reject": "",
        "c1": None,
    }
    request, values = workshop.form.read("a bell\n\n a drum ", given)
    assert (request.prompts, request.seeds) == (("a bell", "a bell", "a drum", "a drum"), (7, 8, 7, 8))
    assert (request.guidance.kind, request.guidance.threshold) == ("detour", 0.5)
    assert (request.reject, values["format"]) == (None, None)


def test_settings_of_a_kind_that_is_not_chosen_are_left(workshop: Workshop) -> None:
    request, _ = workshop.form.read("a bell", {**SHORT, "guidance": "none", "threshold": "0.5"})
    assert request.guidance is None


@pytest.mark.parametrize(
    ("prompt", "given", "field"),
    [
        ("", {}, "prompt"),
        ("x" * 3000, {}, "prompt"),
        ("a bell", {"seed": "three"}, "seed"),
        ("a bell", {"seed": "-1"}, "seed"),
        ("a bell", {"duration": "900"}, "duration"),
        ("a bell", {"duration": "soon"}, "duration"),
        ("a bell", {"num_inference_steps": 2.5}, "num_inference_steps"),
        ("a bell", {"sigma_max": 0.001}, "sigma_max"),
        ("a bell", {"guidance": "detour", "threshold": 7}, "threshold"),
        ("a bell", {"guidance": "detours"}, "guidance"),
        ("a bell", {"retries": 3}, "retries"),
        ("a bell", {"preset": "no/such.json"}, "preset"),
        ("a bell", {"as_float": True, "format": "flac"}, "as_float"),
        ("a bell", {"lyrics": "la"}, "lyrics"),
        ("a bell", {"no_such": 1}, "prompt"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(
    workshop: Workshop, prompt: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError) as raised:
        workshop.form.read(prompt, given)
    assert raised.value.field == field, raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("thresh", "did you mean 'threshold'? Known are "),
        ("guidance-scale", "did you mean 'guidance_scale'? Known are "),
        ("cfg_scale", "it is called 'guidance_scale' here. Known are "),
        ("steps", "it is called 'num_inference_steps' here. Known are "),
        ("model", "it is given when the studio begins, with --model"),
        ("zzz", "Known are "),
    ],
)
def test_an_option_that_is_none_is_answered_with_what_is_meant(
    workshop: Workshop, name: str, meant: str
) -> None:
    with pytest.raises(FieldError) as raised:
        workshop.form.read("a bell", {name: 1})
    assert str(raised.value).startswith(f"there is no option {name!r}: {meant}")
    assert not meant.endswith("Known are ") or str(raised.value).endswith(", ".join(workshop.form.fields))


@pytest.mark.parametrize(
    ("prompt", "given"),
    [
        ("a bell", {}),
        ("a bell", {"guidance": "none", "start": "0.1", "negative_prompt": "a drum", "sampler": "euler"}),
        ("a drum", {"guidance": "amg", "c3": "2.5", "gate_head": "no", "seed": "7", "format": "flac"}),
        ("a drum", {"guidance": "detour", "threshold": "0.5", "if_no_way": "refuse", "as_float": True}),
    ],
)
def test_what_a_take_was_asked_for_comes_back_into_every_field(
    workshop: Workshop, prompt: str, given: dict[str, Any]
) -> None:
    need("gradio", reason="gradio is not installed: pip install -e '.[studio]'")
    from unheard.studio.make_tab import output_of

    request, values = workshop.form.read(prompt, {**SHORT, **given})
    *_, saved = make_takes(workshop, request, output_of(values), Cancel())
    record = saved.take.record
    again, values_again = workshop.form.read(record["prompt"], workshop.form.recorded(record))
    assert again == request
    assert output_of(values_again) == output_of(values)
    assert workshop.lacks(record) == []


def test_a_record_of_another_model_and_of_a_recording_says_what_is_to_be_given(workshop: Workshop) -> None:
    record = {"model": {"name": "other"}, "init_audio": {"given": "hum.wav", "noise_level": 3.0}}
    assert [line.split(":")[0] for line in workshop.lacks(record)] == [
        f"It was made with other, and this is {workshop.model.name}.",
        "It began from hum.wav",
    ]
