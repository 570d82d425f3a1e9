"""`unheard index import`, `export` and `ann`: the published format, and the approximate index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import overwrite_option, quiet_option
from unheard.cli.progress import Display
from unheard.cli.targets import Target, check_targets, inputs
from unheard.cli.terminal import say, say_json
from unheard.common.texts import plural


@click.command("import")
@click.argument("file")
@click.option("-o", "--out", "uri", required=True, metavar="INDEX", help="Folder, or URI in an object store.")
@click.option("--embedder", "name", metavar="NAME", help="Who made the embeddings, if the file does not say.")
@click.option("--ann", is_flag=True, help="Also build the approximate index, for millions of windows.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object.")
@quiet_option()
def import_(file: str, uri: str, name: str | None, ann: bool, as_json: bool) -> None:
    """Read FILE, of any size and in the published JSON format, into an index on disk.

    \b
    Example:
      unheard index import embeddings_new.json --out my-index --embedder laion/clap-htsat-unfused
    """
    from unheard import index

    saves_what_is_finished()
    with Display(quiet=as_json).counting("byte", "reading") as progress:
        imported = index.import_json(file, uri, embedder_name=name, progress=progress)
    if ann:
        _build_approximate(uri)
    if as_json:
        say_json({"index": uri, **asdict(imported)})
    else:
        there = f", {imported.present:,} there already" if imported.present else ""
        say(f"{uri}: {plural(imported.added, 'item')} imported{there}")


@click.command()
@click.argument("uri", metavar="INDEX")
@click.option("-o", "--out", "path", required=True, metavar="FILE", help="JSON file to write.")
@overwrite_option()
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON object.")
@quiet_option()
def export(uri: str, path: str, overwrite: bool, as_json: bool) -> None:
    """Write INDEX as a JSON file in the published format: one embedding an item.

    A recording of several windows is written with their mean direction; silent ones are left out.

    \b
    Example:
      unheard index export my-index --out embeddings_new.json
    """
    check_targets([Target(Path(path))], inputs([uri], "the index", whole=True), overwrite=overwrite)
    from unheard import index

    with Display(quiet=as_json).counting("row", "writing") as progress:
        exported = index.export_json(uri, path, progress=progress)
    if as_json:
        say_json({"file": path, **asdict(exported)})
        return
    remarks = "".join(
        f", {count:,} {what}"
        for count, what in (
            (exported.averaged, "as the mean of their windows"),
            (exported.silent, "silent left out"),
        )
        if count
    )
    say(f"{path}: {plural(exported.items, 'item')}{remarks}")


@click.command()
@click.argument("uri", metavar="INDEX")
def ann(uri: str) -> None:
    """Build, or build again, the approximate index of INDEX: for more windows than are compared exactly.

    \b
    Example:
      unheard index ann my-index
    """
    _build_approximate(uri)


def _build_approximate(uri: str) -> None:
    from unheard.index.searching.approximate import build_approximate

    record = build_approximate(uri)
    facts = ", ".join(f"{name} {value}" for name, value in asdict(record).items() if value is not None)
    say(f"{uri}: approximate index built ({facts})", err=True)
