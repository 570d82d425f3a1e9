"""`unheard index`: the training set's memory, from recordings to a search.

grow      build, add, remove
ask       info, search, verify, duplicates
exchange  import, export, ann
latents   latents
show      progress, and words for what came out
"""

from __future__ import annotations

import click

from unheard.cli.index import exchange, latents, read, write


@click.group()
def index() -> None:
    """Work on an index: embeddings, captions and timings of a training set.

    An index is a folder, or lies in an object store (s3://bucket/index). Most commands also take a JSON file
    in the published format. Without --embedder, the guide that comes with unheard embeds.

    \b
    Examples:
      unheard index build ./sounds --captions captions.csv --out my-index
      unheard index search my-index --audio take3.wav
      unheard index add my-index new/*.flac --caption "A drum loop"
      unheard generate "A drum loop" --index my-index
    """


for command in (
    write.build,
    write.add,
    write.remove,
    read.info,
    read.search,
    read.verify,
    read.duplicates,
    exchange.import_,
    exchange.export,
    exchange.ann,
    latents.latents,
):
    index.add_command(command)
