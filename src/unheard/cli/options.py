"""Options that several commands share, options made from the fields of settings, and help under headings.

A field of `Sampling` or of a kind of guidance is an option of the field's name and type; its help is what the
docstring of the settings says of it under `Attributes:`.
"""

from __future__ import annotations

import inspect
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from unheard.cli.lora import read_loras
from unheard.cli.progress import QUIET
from unheard.common.checks import require_above_zero, require_whole
from unheard.common.sound_limits import DEFAULT_LIMITS, sound_limits
from unheard.diffusion.settings import sampler_named
from unheard.errors import InputError
from unheard.guidance import GUIDANCES

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Option = Callable[..., Decorator]
"""What `click.option` is."""

OF_MODEL = "  [default: the model's]"
"""Ends the help of an option whose default travels with the model."""
SETTINGS = tuple(dict.fromkeys(field.name for kind in GUIDANCES.values() for field in fields(kind)))
"""The names of all settings of all kinds of guidance."""
DRAWN_SEEDS = 2**32
"""How many seeds `--seed random` draws from: as many as the published generator does."""
LONGEST_SENTENCE = 200
"""Characters of the first sentence of a command's help; click cuts longer ones."""
DTYPES = ("float32", "float16", "bfloat16")


class UnderHeading(click.Option):
    """An option that a `CommandWithHeadings` lists under a heading."""

    def __init__(self, *names: Any, heading: str, **options: Any) -> None:
        super().__init__(*names, **options)
        self.heading = heading


class CommandWithHeadings(click.Command):
    """A command whose help lists options under headings, in the order in which these first come."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None:
                listed.setdefault(getattr(parameter, "heading", "Help"), []).append(record)
        for heading, records in listed.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class Commands(click.Group):
    """Commands whose list has the whole first sentence of each one's help."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit=LONGEST_SENTENCE))
                    for name in self.list_commands(ctx)
                    if (command := self.get_command(ctx, name)) is not None
                ]
            )


class SpelledChoice(click.Choice[str]):
    """A choice that answers a sampler in the spelling of the published code with the right one."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        meant = sampler_named(str(value))
        if meant != value and meant in self.choices:
            self.fail(f"{value!r} is called {meant!r} here.", parameter, context)
        return super().convert(value, parameter, context)


def seed(value: str) -> int:
    """A seed as it is given: a whole number, or "random" for one that is drawn."""
    if value == "random":
        return secrets.randbelow(DRAWN_SEEDS)
    try:
        number = int(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a valid integer, nor random.") from error
    if number == -1:
        raise InputError("seed is -1: give random to draw one, or a whole number from 0")
    return number


def under(heading: str) -> Option:
    """`click.option` for a `CommandWithHeadings`."""
    return partial(click.option, cls=UnderHeading, heading=heading)


def setting_options(option: Option, kinds: Mapping[str, type[Any]]) -> Decorator:
    """An option for each field of some kinds of settings; kinds that share a field's name share its option.

    Args:
        option: `click.option`, or one under a heading.
        kinds: dataclasses of numbers, flags and words, by what the help is to call them: "[amg] Weight of
            ..."; "" for nothing.
    """
    of_kinds: dict[str, list[str]] = {}
    made: dict[str, Callable[[str], Decorator]] = {}
    for kind, settings in kinds.items():
        types, texts = get_type_hints(settings), attributes(settings)
        for field in fields(settings):
            of_kinds.setdefault(field.name, []).append(kind)
            made.setdefault(
                field.name, partial(_setting_option, option, field.name, types[field.name], texts[field.name])
            )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(made):
            command = made[name](", ".join(filter(None, of_kinds[name])))(command)
        return command

    return decorate


def _setting_option(option: Option, name: str, kind: Any, text: str, of: str) -> Decorator:
    spelt = f"--{name.replace('_', '-')}"
    about = f"{f'[{of}] ' if of else ''}{text[:1].upper()}{text[1:]}{OF_MODEL}"
    if kind is bool:
        return option(f"{spelt}/--no-{spelt[2:]}", default=None, help=about)
    chosen = SpelledChoice(get_args(kind)) if get_origin(kind) is Literal else kind
    return option(spelt, type=chosen, help=about)


def attributes(settings: type[Any]) -> dict[str, str]:
    """What the docstring of settings says of each of their fields, without what it refers to in the code.

    Nothing of a field that it leaves out, and of none where Python was told to drop docstrings.
    """
    _, _, section = (inspect.getdoc(settings) or "").partition("Attributes:\n")
    found = dict(_entries(section.partition("\n\n")[0]))
    return {field.name: found.get(field.name, "") for field in fields(settings)}


def _entries(section: str) -> Iterator[tuple[str, str]]:
    for names, text in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
        without_references = re.sub(r",? \(?see `[^`]*`\)?", "", " ".join(text.split()))
        for name in names.split(", "):
            yield name, without_references.replace("`", "")


def environment(name: str) -> dict[str, Any]:
    """Takes an option's value from `UNHEARD_...` where none is given; its help says so."""
    return {"envvar": f"UNHEARD_{name}", "show_envvar": True}


def device_option(option: Option = click.option) -> Decorator:
    """`--device`."""
    return option(
        "--device",
        default="auto",
        show_default=True,
        metavar="DEVICE",
        **environment("DEVICE"),
        help="auto, cpu, cuda, cuda:N or mps.",
    )


def quiet_option(option: Option = click.option) -> Decorator:
    """`-q`: no progress while the command runs, see `unheard.cli.progress.Display`."""

    def remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        context.meta[QUIET] = value

    return option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show no progress on standard error.",
    )


def overwrite_option(option: Option = click.option) -> Decorator:
    """`--overwrite`."""
    return option("--overwrite", is_flag=True, help="Replace files that are there; inputs never.")


def embedder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--embedder` and `--device` of a command that embeds."""
    embedder = click.option(
        "--embedder",
        metavar="NAME",
        help="Folder or hub id of a CLAP.  [default: the guide of the bundled model]",
    )
    return embedder(device_option()(command))


def model_option(text: str = "As for `generate`.") -> Decorator:
    """`--model` of a command that needs one, with its help."""
    return click.option(
        "--model",
        default="tiny",
        show_default=True,
        metavar="MODEL",
        **environment("MODEL"),
        help=text,
    )


def loading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How that model is loaded: `--lora`, `--text-encoder`, `--embedder`, `--device` and `--dtype`."""
    lora = click.option(
        "--lora",
        metavar="FILE[:WEIGHT]",
        multiple=True,
        callback=read_loras,
        help="A LoRA that changes the model; may be given several times.  [weight: 1]",
    )
    text_encoder = click.option("--text-encoder", metavar="DIR", help="As for `generate`.")
    embedder = click.option("--embedder", metavar="NAME", help=f"As for `generate`.{OF_MODEL}")
    dtype = click.option(
        "--dtype", type=click.Choice(DTYPES), help="Precision of the model.  [default: float32]"
    )
    return lora(text_encoder(embedder(device_option()(dtype(command)))))


def limit_options(*, held: bool, in_blocks: bool, option: Option = click.option) -> Decorator:
    """`--longest` and, where sounds are held in memory, `--most-samples`: in force while the command runs.

    Args:
        held, in_blocks: how the command reads sounds; both ways if that depends on what it is given.
        option: makes one.
    """
    defaults = [DEFAULT_LIMITS.seconds] * held + [DEFAULT_LIMITS.read_seconds] * in_blocks
    longest = ", or on disk ".join(f"{seconds:,.0f}" for seconds in defaults)

    def limit(
        check: Callable[[str, Any], None], *names: str
    ) -> Callable[[click.Context, click.Parameter, Any], None]:
        def enter(context: click.Context, parameter: click.Parameter, value: Any) -> None:
            if value is not None:
                check(str(parameter.name), value)  # by the option's name: the limits have others
                context.with_resource(sound_limits(**dict.fromkeys(names, value)))

        return enter

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        if held:
            command = option(
                "--most-samples",
                type=int,
                metavar="N",
                expose_value=False,
                callback=limit(partial(require_whole, low=1), "samples"),
                help="Leave out sounds of more samples in all channels.  "
                f"[default: {DEFAULT_LIMITS.samples:,}]",
            )(command)
        return option(
            "--longest",
            type=float,
            metavar="S",
            expose_value=False,
            callback=limit(require_above_zero, *["seconds"] * held, *["read_seconds"] * in_blocks),
            help=f"Leave out sounds of more seconds.  [default: {longest}]",
        )(command)

    return decorate


def engine_options(does: str) -> Decorator:
    """`--engine` and `--ray-address`; `does` says what the engine does, such as "decodes and embeds"."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        engine = click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help=f"What {does}: this machine, or a Ray cluster.",
        )
        address = click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Join this cluster.  [default: start Ray on this machine]",
        )
        return engine(address(command))

    return decorate
