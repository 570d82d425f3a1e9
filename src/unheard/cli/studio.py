"""`unheard studio`: the browser's face of `generate`, `audit` and `index`, with the options of `generate`."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.cli.generate import calibrated, generate, read_given_preset, request_for
from unheard.cli.guidance import chosen_guidance
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.lora import read_loras
from unheard.cli.options import (
    DTYPES,
    OF_MODEL,
    SETTINGS,
    CommandWithHeadings,
    UnderHeading,
    device_option,
    environment,
    quiet_option,
    under,
)
from unheard.cli.progress import Display
from unheard.cli.prompts import repeated
from unheard.cli.published.names import BY_NAME
from unheard.cli.record import filled_in
from unheard.cli.terminal import say
from unheard.common.checks import instead
from unheard.common.files import check_folder
from unheard.common.imports import importing
from unheard.common.sound_endings import WRITTEN
from unheard.errors import InputError
from unheard.generation.request import check_prompts
from unheard.guidance import GUIDANCES, NONE, read_guidance

if TYPE_CHECKING:
    from unheard.generation.model import Model
    from unheard.generation.request import Request
    from unheard.generation.training_set import TrainingSet
    from unheard.studio.fields import Field, Form
    from unheard.studio.workshop import Workshop

OF_THE_STUDIO = (
    "model", "lora", "text_encoder", "embedder", "device", "dtype", "index", "references",
)  # fmt: skip
"""Options of `generate` that are given once, when the studio begins."""
OF_THE_TERMINAL = (
    "prompts_file", "source", "no_guidance", "output", "overwrite", "audit", "as_json", "quiet", "verbose",
)  # fmt: skip
"""Those that a page has another way for: lines of the prompt, the history, numbered files."""

_what = under("What to generate with")
_away = under("What to stay away from")
_where = under("Where")


@click.command(cls=CommandWithHeadings)
@_what(
    "--model",
    default="tiny",
    show_default=True,
    metavar="MODEL",
    **environment("MODEL"),
    help="tiny, a folder, a checkpoint or a hub id.",
)
@_what(
    "--lora",
    metavar="FILE[:WEIGHT]",
    multiple=True,
    callback=read_loras,
    help="Change the model by a LoRA; may be given several times.  [weight: 1]",
)
@_what(
    "--text-encoder",
    metavar="DIR",
    help="Text encoder of a checkpoint.  [default: as its model_config.json names it]",
)
@_what("--embedder", metavar="NAME", help=f"CLAP that measures similarity: folder or hub id.{OF_MODEL}")
@device_option(_what)
@_what("--dtype", type=click.Choice(DTYPES), help="Precision of the model.  [default: float32]")
@_away(
    "--index",
    metavar="PATH",
    **environment("INDEX"),
    help=f"Training set to stay away from.{OF_MODEL}",
)
@_away(
    "--references",
    metavar="PATH",
    help="Its recordings.  [default: where the index says]",
)
@_where(
    "-o",
    "--output",
    default="studio",
    show_default=True,
    metavar="FOLDER",
    help="Folder of the takes; what is in it stays.",
)
@_where(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at; 0.0.0.0 lets the network in.",
)
@_where(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port.  [default: the first free one from 7860]",
)
@quiet_option(_where)
def studio(output: str, host: str, port: int | None, **given: Any) -> None:
    """Open a page in the browser: generate, compare, audit and index, with the options of `generate`.

    Only this machine can reach the page, unless --host says otherwise; whoever reaches it can use it. It asks
    no other machine for anything. Ctrl-C closes it; every take is saved by then.

    \b
    Examples:
      unheard studio
      unheard studio --index my-index --references ./sounds --output takes
      unheard studio --model stabilityai/stable-audio-open-1.0 --device cuda --dtype float16
    """
    display = Display()
    with display.loading("the studio"):
        with importing():
            from unheard.studio.app import check_address, gradio, serve

        gradio()
    check_address(host, port)
    check_folder(Path(output))
    with display.loading(given["model"]):
        workshop = open_workshop(given, Path(output))
    saves_what_is_finished()
    page, url = serve(workshop, host, port)
    say(f"unheard studio: {url}")
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)
        workshop.close()


def open_workshop(given: Mapping[str, Any], folder: Path) -> Workshop:
    """The model and its training set, loaded, with a form of the options of `generate`."""
    with importing():
        from unheard.generation.model import load
        from unheard.studio.workshop import Workshop

    changed = {name: given[name] for name in ("lora", "text_encoder") if given[name] is not None}
    model = load(
        given["model"], device=given["device"], dtype=given["dtype"], embedder=given["embedder"], **changed
    )
    training_set = model.training_set(given["index"] or "auto", given["references"])
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", UserWarning)
        form = form_of(model, training_set, given)
        form.read("A sound", {})
    return Workshop(model, training_set, form, folder, [str(each.message) for each in noted])


def form_of(model: Model, training_set: TrainingSet, given: Mapping[str, Any]) -> Form:
    """The options of `generate` as fields, and what turns them into a request to a loaded model."""
    from unheard.generation.defaults import AUTO
    from unheard.studio.fields import Field, Form

    known = _defaults(model, training_set)
    own = None if training_set.index is None else model.guidance_named(AUTO, training_set)
    found = {
        option.name: _field(option, known.get(option.name, ""))
        for option in generate.params
        if isinstance(option, UnderHeading)
        and option.name is not None
        and option.name not in (*OF_THE_STUDIO, *OF_THE_TERMINAL)
    }
    endings = tuple(ending[1:] for ending in WRITTEN)
    found["format"] = Field("format", "Output", "How sounds are written.", "choice", str, endings, endings[0])
    started = {name: given[name] for name in ("index", "references")}
    without: dict[str, Any] = dict.fromkeys((*OF_THE_STUDIO, *OF_THE_TERMINAL))
    if own is None:
        without["no_guidance"] = True
    return Form(
        found,
        None if own is None else own.kind,
        partial(_request, model, training_set, without | started),
        partial(_recorded, found),
        partial(_meant, found),
    )


def _request(
    model: Model,
    training_set: TrainingSet,
    started: Mapping[str, Any],
    prompts: Sequence[str],
    values: Mapping[str, Any],
) -> Request:
    """The request of prompts and options, as `generate` makes it of the same.

    Raises:
        InputError: in one line.
    """
    given = {**started, **values}
    if given["guidance"] is not None:
        given["no_guidance"] = None
    try:
        if given["format"] == "flac" and given["as_float"]:
            raise InputError("as_float is on, and FLAC holds no floats: choose wav")
        asked = repeated(check_prompts(prompts), "count", 1 if given["count"] is None else given["count"])
        preset = read_given_preset(given)
        guidance = chosen_guidance(given, preset, None, model.defaults.guidance_named)
        request = request_for(model, asked, given, preset, guidance)
        request = calibrated(request, model, training_set, given, preset)
        model.check(request.guidance, training_set)
        return request
    except click.ClickException as error:
        raise InputError(error.format_message()) from error


def _recorded(found: Mapping[str, Field], record: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields are to be for a recorded sound; "" for what lies in its model, and for files.

    Raises:
        InputError: the record has a guidance that there is not.
    """
    options = {option.name: None for option in generate.params if option.name is not None}
    guidance = read_guidance({"kind": NONE} if record["guidance"] is None else record["guidance"])
    result = record["result"]
    values = filled_in(options, record) | ({} if guidance is None else asdict(guidance))
    values |= {
        "guidance": NONE if guidance is None else guidance.kind,
        "format": Path(str(result.get("file", ""))).suffix[1:],
        "as_float": result["encoding"] == "float",
    }
    return {name: _as_given(field, values.get(name)) for name, field in found.items()}


def _meant(found: Mapping[str, Field], name: str) -> str:
    """What to say of an option that is no field: where it is given, what it is called here, what there is."""
    spelt = name.replace("-", "_")
    if spelt in OF_THE_STUDIO:
        return f"it is given when the studio begins, with --{spelt.replace('_', '-')}"
    published = BY_NAME.get(spelt)
    field = (published.option or "").lstrip("-").replace("-", "_") if published else ""
    if field not in found:
        return instead(spelt, [*found])
    return f"it is called {field!r} here. Known are {', '.join(found)}"


def _as_given(field: Field, value: Any) -> Any:
    """A value as a person gives it in a field."""
    if field.shape == "flag":
        return bool(value)
    if field.shape == "switch" and value is not None:
        return "yes" if value else "no"
    if field.shape == "file" or value is None or str(value) not in (field.choices or (str(value),)):
        return None if field.shape == "file" else ""
    return str(value)


def _defaults(model: Model, training_set: TrainingSet) -> dict[str, str]:
    """What holds for options that are not given: the model's sampling, and the settings of each kind."""
    kinds = [model.guidance_named(kind, training_set) for kind in reversed(GUIDANCES)]
    found = {name: value for kind in kinds if kind is not None for name, value in asdict(kind).items()}
    duration = min(model.defaults.duration, model.backbone.max_duration)
    return {name: str(value) for name, value in (found | asdict(model.defaults.sampling)).items()} | {
        "duration": f"{duration:g}"
    }


def _field(option: UnderHeading, default: str) -> Field:
    """An option as a field of a form, whose help need not say whose setting it is."""
    from unheard.studio.fields import Field

    assert option.name is not None
    kinds = tuple(kind for kind, of in GUIDANCES.items() if option.name in {one.name for one in fields(of)})
    choices = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
    return Field(
        option.name,
        option.heading.partition(",")[0],
        re.sub(r"^\[[^\]]*\] ", "", (option.help or "").removesuffix(OF_MODEL)),
        _shape(option),
        partial(_convert, option),
        choices,
        default,
        kinds if option.name in SETTINGS else (),
    )


def _shape(option: UnderHeading) -> Any:
    if isinstance(option.type, click.Choice):
        return "choice"
    if option.is_flag or option.type is click.BOOL:
        return "switch" if option.secondary_opts else "flag"
    if option.type is click.INT:
        return "whole"
    if option.type is click.FLOAT:
        return "number"
    return "file" if option.name in ("init_audio", "preset") else "text"


def _convert(option: UnderHeading, value: Any) -> Any:
    """A value of a page or of a client, as the command takes it.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, float) and value.is_integer() and _shape(option) in ("whole", "text"):
        value = int(value)
    try:
        return option.type.convert(value if isinstance(value, bool) else str(value), option, None)
    except click.ClickException as error:
        raise InputError(error.format_message()) from error
