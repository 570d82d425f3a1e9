"""`unheard index latents`: recordings encoded beforehand, for the guidance that compares with them."""

from __future__ import annotations

import warnings
from dataclasses import asdict

import click

from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import device_option, limit_options, model_option, quiet_option
from unheard.cli.progress import Display
from unheard.cli.terminal import say, say_json
from unheard.common.left_out import LeftOut


@click.command()
@click.argument("uri", metavar="INDEX")
@model_option("Model whose autoencoder encodes.")
@device_option()
@limit_options(held=True, in_blocks=False)
@click.option(
    "--references",
    multiple=True,
    metavar="PATH",
    help="Folder with the recordings, by id; may be repeated.  [default: where the index says]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object.")
@quiet_option()
def latents(uri: str, model: str, device: str, references: tuple[str, ...], as_json: bool) -> None:
    """Encode the recordings of INDEX with a model, so that a detour looks at all of them, and waits for none.

    Without this, the recordings around a prompt are encoded when it is first generated, and the sound is
    compared with those alone. What is made is cached by content: it can be interrupted and run again.

    \b
    Examples:
      unheard index latents my-index
      unheard index latents mine.json --references ./sounds --model ./my-model
    """
    from unheard.generation.model import load

    loaded = load(model, device=device)
    saves_what_is_finished()
    with Display(quiet=as_json).counting("recording", "encoding") as progress:
        encoded = loaded.encode_recordings(uri, references=references or None, progress=progress)
    for line in LeftOut.of(encoded.left_out).lines():
        warnings.warn(line, stacklevel=1)
    if as_json:
        say_json(asdict(encoded))
    else:
        left_out = f", {len(encoded.left_out):,} left out" if encoded.left_out else ""
        say(f"{uri}: {encoded.made:,} encoded, {encoded.there:,} there already{left_out}")
