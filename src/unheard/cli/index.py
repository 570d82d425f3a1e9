"""`unheard index`: one's own sounds into a training-set file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import click


@click.group()
def index() -> None:
    """Work on an index: the JSON file with the embeddings of a training set.

    \b
    Example:
      unheard index add mine.json loops/*.wav --caption "A drum loop"
    """


@index.command()
@click.argument("file")
@click.argument("sounds", nargs=-1, required=True)
@click.option("--caption", required=True, metavar="TEXT", help="What these sounds are.")
@click.option("--model", default="tiny", show_default=True, help="Take the embedder that this model brings.")
@click.option("--embedder", metavar="NAME", help="Folder or hub id of a CLAP.  [default: the model's]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--json", "as_json", is_flag=True, help="Print what was added as one JSON object.")
def add(
    file: str,
    sounds: tuple[str, ...],
    caption: str,
    model: str,
    embedder: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Embed SOUNDS (WAV, FLAC, OGG, MP3 ...) and add them to the index FILE, made if it is not there.

    \b
    Examples:
      unheard index add mine.json loops/*.wav --caption "A drum loop"
      unheard generate "A drum loop" --index mine.json
      unheard index add sao.json take.flac --caption "A piano" --embedder laion/clap-htsat-unfused
    """
    from unheard.backbones import resolve_device
    from unheard.embedders import load_embedder
    from unheard.index import add_sounds
    from unheard.models import fetch, read_defaults

    where = resolve_device(device)
    name = read_defaults(fetch(model)).embedder if embedder is None else embedder
    added = add_sounds(file, [Path(sound) for sound in sounds], caption, load_embedder(name, device=where))
    for reason in added.unreadable.values():
        warnings.warn(f"left out: {reason}", stacklevel=1)
    if as_json:
        unreadable = {str(path): reason for path, reason in added.unreadable.items()}
        result = {"index": file, "items": len(added.index), "added": added.ids, "unreadable": unreadable}
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{file}: added {len(added.ids)}, holds {len(added.index)}")
