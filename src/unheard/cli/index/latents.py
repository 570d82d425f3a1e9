"""`unheard index latents`: what a detour compares with, made beforehand."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict

import click

from unheard.cli.index.output import advancing


@click.command()
@click.argument("place", metavar="INDEX")
@click.option("--model", default="tiny", show_default=True, help="Model whose autoencoder encodes.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--references",
    multiple=True,
    metavar="PLACE",
    help="Folder with the recordings, by id; may be repeated.  [default: where the index says]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object.")
def latents(place: str, model: str, device: str, references: tuple[str, ...], as_json: bool) -> None:
    """Encode the recordings of INDEX with a model, so that no sound under a detour waits for it.

    Without this, the recordings around a prompt are encoded when it is first generated. What is made is kept
    in the user's cache, by content: it can be interrupted and run again.

    \b
    Examples:
      unheard index latents my-index
      unheard index latents mine.json --references ./sounds --model ./my-model
    """
    from unheard.generation.model import load

    loaded = load(model, device=device)
    with advancing("recordings", "recordings", quiet=as_json) as update:
        encoded = loaded.encode_recordings(
            place, references=references or None, progress=lambda done, total: update(done, total, "")
        )
    for reason in encoded.left_out.values():
        warnings.warn(f"left out: {reason}", stacklevel=1)
    if as_json:
        click.echo(json.dumps(asdict(encoded), indent=2, ensure_ascii=False))
    else:
        left_out = f", {len(encoded.left_out):,} left out" if encoded.left_out else ""
        click.echo(f"{place}: {encoded.made:,} encoded, {encoded.there:,} there already{left_out}")
