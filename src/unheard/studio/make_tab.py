"""The first tab: a prompt to both takes of a seed, and the takes made before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from unheard.errors import InputError, UnheardError
from unheard.generation import provenance
from unheard.guidance import GUIDANCES
from unheard.studio import markup
from unheard.studio.fields import GUIDANCE, PROMPT, SEED, Field, FieldError
from unheard.studio.making import Output, Saved, make_takes
from unheard.studio.stream import Cancelled
from unheard.studio.takes import UNGUIDED, Take
from unheard.studio.workshop import Workshop

THE_MODEL = "model"
"""The concurrency group of whatever uses the model: one at a time."""
SHOWN = 50
"""Takes of the history that are listed, from the newest."""
EXAMPLES = 4
"""Prompts that are offered, of a model that says what it can play."""
NO_TAKE = '<p class="empty">Takes appear here, side by side, with the recording that each is nearest to.</p>'
DICE = "() => String(Math.floor(Math.random() * 2 ** 32))"
TO_THE_METER = """() => {
    if (innerWidth <= 640) document.querySelector("#take").scrollIntoView({ block: "center" });
}"""
"""On a phone it is below the options."""


def make_tab(workshop: Workshop, page: gr.Blocks) -> None:
    """Lay the tab out, and wire it; the history is listed when the page is opened."""
    fields = workshop.form.fields
    with gr.Row(elem_classes="make"):
        with gr.Column(scale=2, min_width=300):
            prompt = gr.Textbox(
                label="Prompt", info="What to play. Each line is a sound of its own.", lines=2,
                placeholder="An acoustic drum loop, 110 bpm", elem_id="prompt", autofocus=True,
            )  # fmt: skip
            unknown = gr.HTML(elem_classes="told")
            if workshop.plays:
                _known(workshop, prompt)
            with gr.Row(elem_classes="seed"):
                seed = gr.Textbox(
                    label="Seed", value="0", info="The same gives the same sound.", elem_id=SEED, scale=4
                )
                dice = gr.Button("Dice", elem_id="dice", scale=1, min_width=80)
            with gr.Row():
                start = gr.Button("Generate", variant="primary", elem_id="generate", min_width=120)
                stop = gr.Button("Cancel", elem_id="cancel", interactive=False, min_width=120)
            with gr.Accordion("All options", open=False, elem_id="options"):
                components = _drawer(fields, workshop.form.own)
        with gr.Column(scale=5, min_width=320):
            meter = gr.HTML(elem_id="meter", elem_classes="told")
            shown = gr.HTML(NO_TAKE, elem_id="take")
            with gr.Accordion("History", open=True, elem_id="history"):
                history = gr.Radio([], show_label=False, elem_classes="history")
                with gr.Row():
                    again = gr.Button("Use its prompt and options", size="sm", elem_id="again")
                    elsewhere = gr.UploadButton(
                        "Fill in from a JSON", size="sm", file_types=[".json"], elem_id="elsewhere"
                    )
    asked = [prompt, seed, *components.values()]
    outputs = [meter, shown, history, start, stop]

    def given(seed: str, values: Sequence[Any]) -> dict[str, Any]:
        return {**dict(zip(components, values, strict=True)), SEED: seed}

    def check(prompt: str, seed: str, *values: Any) -> list[Any]:
        """What is wrong, told at the field where it is."""
        told = dict.fromkeys([PROMPT, SEED, *components], "")
        try:
            workshop.form.read(prompt, given(seed, values))
        except FieldError as error:
            told[error.field] = str(error)
        return [gr.validate(not message, message) for message in told.values()]

    def make(request: gr.Request, prompt: str, seed: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Both takes, with what happens on the way."""
        request_of_takes, values_given = workshop.form.read(prompt, given(seed, values))
        busy = gr.update(interactive=False), gr.update(interactive=True)
        free = gr.update(interactive=True), gr.update(interactive=False)
        said: Any = ""
        yield markup.waiting(), gr.skip(), gr.skip(), *busy
        try:
            with workshop.under_way.of(str(request.session_hash)) as cancel:
                for told in make_takes(workshop, request_of_takes, output_of(values_given), cancel):
                    if isinstance(told, Saved):
                        take = markup.take(workshop, told.take)
                        yield markup.progress(told), take, listed(workshop, told.take), *busy
                    else:
                        yield markup.progress(told), gr.skip(), gr.skip(), *busy
        except Cancelled:
            said = markup.note("Cancelled. What was finished is in the history.")
        except UnheardError as error:
            said = markup.problem(str(error))
        yield said, gr.skip(), gr.skip(), *free

    def show(number: int) -> str:
        try:
            return markup.take(workshop, workshop.takes.take(number))
        except InputError as error:
            return markup.problem(str(error))

    def recall(number: int | None) -> list[Any]:
        """What was asked for with a take."""
        if number is None:
            return [*[gr.skip()] * len(asked), markup.note("Choose a take of the history first.")]
        return fill(lambda: workshop.takes.take(number).record)

    def fill(read: Callable[[], dict[str, Any]]) -> list[Any]:
        """Whatever was asked for with a sound, in every field; and what has to be said of it."""
        try:
            record = read()
            values = workshop.form.recorded(record)
            told = "".join(map(markup.note, workshop.lacks(record)))
        except InputError as error:
            return [*[gr.skip()] * len(asked), markup.problem(str(error))]
        return [record["prompt"], values[SEED], *(values[name] for name in components), told]

    def tell_unknown(prompt: str) -> str:
        told = workshop.unknown_words(prompt)
        return "" if told is None else markup.note(told)

    def cancel_own(request: gr.Request) -> None:
        workshop.under_way.cancel(str(request.session_hash))

    making: dict[str, Any] = {
        "fn": make, "inputs": asked, "outputs": outputs, "validator": check, "concurrency_id": THE_MODEL,
        "concurrency_limit": 1, "show_progress": "hidden", "api_visibility": "private",
    }  # fmt: skip
    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    start.click(**making)
    start.click(None, js=TO_THE_METER, api_visibility="private")
    prompt.submit(**making)
    stop.click(cancel_own, **quick)
    dice.click(None, None, seed, js=DICE, api_visibility="private")
    prompt.change(tell_unknown, prompt, unknown, **quick)
    history.input(show, history, shown, **quick)
    again.click(recall, history, [*asked, meter], **quick)
    elsewhere.upload(lambda path: fill(partial(provenance.read, path)), elsewhere, [*asked, meter], **quick)
    _switch_kinds(components, fields, workshop.form.own, quick)
    page.load(lambda: listed(workshop), None, history, **quick)


def listed(workshop: Workshop, chosen: Take | None = None) -> Any:
    """The history as it is now, with one take chosen."""
    takes = workshop.takes.all()[:SHOWN]
    choices = [(_line(take), take.number) for take in takes]
    return gr.update(choices=choices, value=None if chosen is None else chosen.number)


def output_of(values: dict[str, Any]) -> Output:
    """How takes are written, of what was given."""
    return Output(
        ending=f".{values['format'] or 'wav'}",
        as_float=bool(values["as_float"]),
        latents=bool(values["save_latents"]),
    )


def _line(take: Take) -> str:
    """A take in one line: its number, what was asked for, and what the audit found."""
    records = {which: provenance.read(path.with_suffix(".json")) for which, path in take.paths.items()}
    first = next(iter(records.values()))
    verdicts = [
        f"{'without' if which == UNGUIDED else 'with'}: {record['audit']['verdict']}"
        for which, record in records.items()
        if "audit" in record
    ]
    return " · ".join([str(take.number), first["prompt"], f"seed {first['seed']}", *verdicts])


def _known(workshop: Workshop, prompt: gr.Textbox) -> None:
    """What the model can play, and the words that it knows."""
    with gr.Accordion(f"What {workshop.model.name} knows", open=False, elem_id="known"):
        gr.Markdown(f"It plays {', '.join(workshop.plays)}.")
        if workshop.words:
            gr.Markdown(f"Its words: {', '.join(workshop.words)}.")
    captions = list(workshop.training_set.recordings)[:EXAMPLES]
    examples = [workshop.captions[item] for item in captions if item in workshop.captions]
    if examples:
        gr.Examples(examples, prompt, label="It has memorised", elem_id="examples", api_visibility="private")


def _drawer(fields: dict[str, Field] | Any, own: str | None) -> dict[str, Any]:
    """A component for every field, under the command's headings; by their names."""
    by_heading: dict[str, list[Field]] = {}
    for field in fields.values():
        if field.name != SEED:
            by_heading.setdefault(field.heading, []).append(field)
    components = {}
    for heading, under in by_heading.items():
        with gr.Accordion(heading, open=False):
            for field in under:
                components[field.name] = _component(field, visible=not field.kinds or own in field.kinds)
    return {name: components[name] for name in fields if name in components}


def _component(field: Field, *, visible: bool) -> Any:
    about: dict[str, Any] = {"label": field.label, "elem_id": f"field-{field.name}", "visible": visible}
    if field.shape == "file":
        return gr.File(**about)
    about["info"] = field.help
    if field.shape == "flag":
        return gr.Checkbox(value=False, **about)
    if field.shape in ("number", "whole", "text"):  # Gradio's field of numbers shows 0 where it is empty
        return gr.Textbox(placeholder=field.default, **about)
    choices = ("yes", "no") if field.shape == "switch" else field.choices
    default = f"default: {field.default}" if field.default else "default"
    return gr.Dropdown([(default, ""), *((each, each) for each in choices)], value="", **about)


def _switch_kinds(components: dict[str, Any], fields: Any, own: str | None, quick: dict[str, Any]) -> None:
    """Show the settings of the chosen kind of guidance alone."""
    settings = {name: components[name] for name in components if fields[name].kinds}

    def switch(kind: str | None) -> list[Any]:
        chosen = kind or own
        return [gr.update(visible=chosen in fields[name].kinds) for name in settings]

    assert {*GUIDANCES} >= {kind for name in settings for kind in fields[name].kinds}
    components[GUIDANCE].change(switch, components[GUIDANCE], list(settings.values()), **quick)
