"""`unheard index build`, `add` and `remove`: what changes an index."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from unheard.cli import exits
from unheard.cli.index.output import counts, failed
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import (
    device_option,
    embedder_options,
    engine_options,
    limit_options,
    model_option,
    quiet_option,
)
from unheard.cli.progress import Display
from unheard.cli.targets import Target, check_targets, inputs, shows
from unheard.cli.terminal import say, say_json

if TYPE_CHECKING:
    from unheard.index.building.builder import Built


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.option("-o", "--out", "uri", required=True, metavar="INDEX", help="Folder, or URI in an object store.")
@click.option("--captions", metavar="FILE", help="CSV, JSON Lines or Parquet with path and prompt.")
@embedder_options
@click.option("--workers", type=int, help="Processes that decode.  [default: one a core]")
@engine_options("decodes and embeds")
@limit_options(held=False, in_blocks=True)
@click.option("--strict", is_flag=True, help="Stop at the first recording that cannot be read.")
@click.option("--prune", is_flag=True, help="Remove items that SOURCES no longer name.")
@click.option("--ann", is_flag=True, help="Also build the approximate index, for millions of windows.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object.")
@quiet_option()
def build(
    sources: tuple[str, ...],
    uri: str,
    captions: str | None,
    embedder: str | None,
    device: str,
    workers: int | None,
    engine: Literal["local", "ray"],
    ray_address: str | None,
    strict: bool,
    prune: bool,
    ann: bool,
    as_json: bool,
) -> int:
    """Embed the recordings of SOURCES into an index.

    SOURCES are folders (with captions in a .txt or .json beside a sound), manifests (.csv, .jsonl, .parquet),
    WebDataset shards (.tar), sounds, or patterns of these. It can be interrupted and run again: what is done
    is not done again, and what is new or changed is embedded. What cannot be read is listed in rejects.jsonl,
    and counted by reason. If that is everything, the exit code is 2.

    \b
    Examples:
      unheard index build ./sounds --captions captions.csv --out my-index
      unheard index build manifest.parquet --out my-index --embedder laion/clap-htsat-unfused
      unheard index build "shards/train-{000..127}.tar" --out s3://bucket/idx
      unheard index build "shards/train-{000..127}.tar" --out s3://bucket/idx --engine ray --ray-address auto
    """
    from unheard import index
    from unheard.index.building.rejects import rejects_path

    listed = Target(Path(rejects_path(uri)), shows(rb'\{"source": '))
    if listed.path.parent.is_dir():
        check_targets([listed], inputs([captions, *sources], "a source"), overwrite=None)
    saves_what_is_finished()
    with Display(quiet=as_json).counting("recording", "embedding") as progress:
        built = index.build(
            sources,
            uri,
            captions=captions,
            embedder=embedder,
            device=device,
            workers=workers,
            engine=engine,
            ray_address=ray_address,
            strict=strict,
            prune=prune,
            ann=ann,
            progress=progress,
        )
    return _tell(built, as_json)


@click.command()
@click.argument("uri", metavar="INDEX")
@click.argument("sounds", nargs=-1, required=True)
@click.option("--caption", required=True, metavar="TEXT", help="What these sounds are.")
@model_option("Take the embedder that this model brings.")
@click.option("--embedder", metavar="NAME", help="Folder or hub id of a CLAP.  [default: the model's]")
@device_option()
@limit_options(held=True, in_blocks=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was added as one JSON object.")
@quiet_option()
def add(
    uri: str,
    sounds: tuple[str, ...],
    caption: str,
    model: str,
    embedder: str | None,
    device: str,
    as_json: bool,
) -> int:
    """Embed SOUNDS (WAV, FLAC, OGG, MP3 ...) and add them to INDEX, made if it is not there.

    INDEX is a JSON file if it ends in .json, else an index on disk.

    \b
    Examples:
      unheard index add mine.json loops/*.wav --caption "A drum loop"
      unheard index add my-index new/*.flac --caption "A drum loop"
      unheard generate "A drum loop" --index mine.json
      unheard index add sao.json take.flac --caption "A piano" --embedder laion/clap-htsat-unfused
    """
    from unheard import index
    from unheard.backbones import resolve_device
    from unheard.backbones.hub import fetch
    from unheard.embedders import load_embedder
    from unheard.generation.defaults import read_defaults
    from unheard.index.store.uri import is_store

    name = read_defaults(fetch(model)).embedder if embedder is None else embedder
    loaded = load_embedder(name, device=resolve_device(device))
    if is_store(uri):
        saves_what_is_finished()
        with Display(quiet=as_json).counting("recording", "embedding") as progress:
            built = index.add(uri, sounds, caption=caption, embedder=loaded, progress=progress)
        return _tell(built, as_json)
    added = index.add_sounds(uri, [Path(sound) for sound in sounds], caption, loaded)
    for reason in added.unreadable.values():
        warnings.warn(f"left out: {reason}", stacklevel=1)
    if as_json:
        unreadable = {str(path): reason for path, reason in added.unreadable.items()}
        result = {"index": uri, "items": len(added.index), "added": added.ids, "unreadable": unreadable}
        say_json(result)
    else:
        say(f"{uri}: added {len(added.ids)}, holds {len(added.index)}")
    return 0


@click.command()
@click.argument("uri", metavar="INDEX")
@click.argument("ids", nargs=-1, required=True)
def remove(uri: str, ids: tuple[str, ...]) -> int:
    """Remove the items with these IDS from INDEX; exit code 2 if one is not there.

    \b
    Examples:
      unheard index remove my-index 1234 5678
      unheard index remove mine.json kick-2.wav
    """
    from unheard import index

    missing = index.unknown_ids(uri, ids)
    saves_what_is_finished()
    removed = index.remove(uri, ids)
    say(f"{uri}: {removed:,} of {len(set(ids)):,} removed")
    for identifier in missing:
        say(f"unheard: {uri} has no item {identifier!r}", err=True)
    return exits.ERROR if missing else 0


def _tell(built: Built, as_json: bool) -> int:
    """Say what came of a build; the exit code is 2 if nothing did."""
    if as_json:
        say_json(counts(built))
    else:
        say(*built.words())
    return exits.ERROR if failed(built) else 0
