"""`unheard index info`, `search`, `verify` and `duplicates`: what only reads an index."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unheard.cli.options import embedder_options, overwrite_option, quiet_option
from unheard.cli.progress import Display
from unheard.cli.targets import Target, check_targets, inputs
from unheard.cli.terminal import say, say_json
from unheard.common.texts import plural
from unheard.index.clustering import CAPTION_THRESHOLD, SOUND_THRESHOLD

if TYPE_CHECKING:
    from unheard.index import Info, Item


@click.command()
@click.argument("uri", metavar="INDEX")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def info(uri: str, as_json: bool) -> None:
    """Say what is in INDEX, and which embedder made it.

    \b
    Examples:
      unheard index info my-index
      unheard index info embeddings_new.json --json
    """
    from unheard import index

    found = index.info(uri)
    say_json(asdict(found)) if as_json else say(*_describe(found))


@click.command()
@click.argument("uri", metavar="INDEX")
@click.option("--audio", metavar="FILE", help="Search by this sound.")
@click.option("--text", metavar="TEXT", help="Search by these words.")
@click.option(
    "-k", "count", type=click.IntRange(min=1), default=10, show_default=True, help="How many items."
)
@embedder_options
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON object.")
def search(
    uri: str,
    audio: str | None,
    text: str | None,
    count: int,
    embedder: str | None,
    device: str,
    as_json: bool,
) -> None:
    """List the items of INDEX nearest to a sound or to a text, with the seconds in a long recording.

    \b
    Examples:
      unheard index search my-index --audio take3.wav -k 10
      unheard index search my-index --text "acoustic drum loop"
      unheard index search embeddings_new.json --audio a.wav --embedder laion/clap-htsat-unfused
    """
    from unheard import index

    found = index.search(uri, audio=audio, text=text, k=count, embedder=embedder, device=device)
    if as_json:
        items = [{**asdict(item), "similarity": similarity} for item, similarity in found]
        say_json({"index": uri, "nearest": items})
        return
    for item, similarity in found:
        say(f"{similarity:6.3f} cosine  {item.id}{_where(item)}{_quoted(item.prompt)}")


@click.command()
@click.argument("uri", metavar="INDEX")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def verify(uri: str, as_json: bool) -> None:
    """Read all of INDEX and say what is wrong with it; exit code 1 if anything is.

    Every row is compared with the checksum that was written with it; ids that occur twice, missing windows
    and embeddings without a direction are named.

    \b
    Example:
      unheard index verify my-index
    """
    from unheard import index

    problems = index.verify(uri)
    if as_json:
        say_json({"index": uri, "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{uri}: {plural(len(problems), 'problem') if problems else 'no problems found'}")
    sys.exit(bool(problems))


@click.command()
@click.argument("uri", metavar="INDEX")
@click.option(
    "-o", "--out", "path", metavar="FILE", help="Write the clusters there, as a prompt list for evaluation."
)
@click.option(
    "--sound-threshold",
    default=SOUND_THRESHOLD,
    show_default=True,
    help="Cosine from which two sounds are near-identical.",
)
@click.option(
    "--caption-threshold",
    default=CAPTION_THRESHOLD,
    show_default=True,
    help="Likeness from which two captions are, 1 for the same words.",
)
@click.option(
    "--minimum-size", type=int, default=2, show_default=True, help="Items that a cluster has at least."
)
@click.option("--json", "as_json", is_flag=True, help="Print all clusters as one JSON object.")
@overwrite_option()
@quiet_option()
def duplicates(
    uri: str,
    path: str | None,
    sound_threshold: float,
    caption_threshold: float,
    minimum_size: int,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Find clusters of near-identical sounds and of near-identical captions: what models memorise.

    \b
    Examples:
      unheard index duplicates my-index --out clusters.json
      unheard index duplicates my-index --minimum-size 5 --sound-threshold 0.95
      unheard index duplicates my-index --json
    """
    if path is not None:
        check_targets([Target(Path(path))], inputs([uri], "the index", whole=True), overwrite=overwrite)
    from unheard import index

    with Display(quiet=as_json).counting("window", "comparing") as progress:
        found = index.duplicates(
            uri,
            sound_threshold=sound_threshold,
            caption_threshold=caption_threshold,
            minimum_size=minimum_size,
            progress=progress,
        )
    if path is not None:
        found.save(path)
    if as_json:
        say_json(asdict(found))
        return
    for kind in ("sound", "caption"):
        clusters = [cluster for cluster in found.clusters if cluster.kind == kind]
        members = sum(cluster.size for cluster in clusters)
        say(f"{kind}: {plural(len(clusters), 'cluster')} of {plural(members, 'item')} in all")
        for cluster in clusters[:5]:
            say(f"  {cluster.size:,} like {cluster.representative}{_quoted(cluster.prompt)}")
    if path is not None:
        say(f"all of them: {path}")


def _quoted(caption: str | None) -> str:
    return f'  "{caption}"' if caption else ""


def _where(item: Item) -> str:
    if item.window_start is None or item.window_end is None:
        return ""
    return f" {item.window_start:.1f}-{item.window_end:.1f} s"


def _describe(found: Info) -> list[str]:
    made_by = found.embedder
    name = made_by["name"] or "not recorded"
    details = [f"{made_by['dimension']} numbers"]
    if made_by["sample_rate"]:
        details.append(f"{made_by['sample_rate']:,} Hz, windows of {made_by['window']:g} s")
    if made_by["revision"]:
        details.append(f"revision {made_by['revision'][:12]}")
    if made_by["sha256"]:
        details.append(f"weights {made_by['sha256'][:12]}")
    lines = [
        f"{found.uri}: {plural(found.items, 'item')}, {plural(found.windows, 'window')}"
        + (f", {found.seconds / 3600:,.2f} h of sound" if found.seconds else ""),
        f"  embedder: {name} ({', '.join(details)})",
        f"  without caption: {plural(found.uncaptioned, 'item')}; silent: {plural(found.silent, 'window')}",
        f"  checksum: {found.checksum}" + (f" at version {found.version}" if found.version else ""),
    ]
    if found.approximate is not None:
        facts = ", ".join(f"{name} {value}" for name, value in found.approximate.items() if value is not None)
        lines.append(f"  approximate index: {facts}")
    return lines
