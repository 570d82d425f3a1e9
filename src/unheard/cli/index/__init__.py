"""`unheard index`: the training set's memory, from recordings to a search.

write     build, add, remove
read      info, search, verify, duplicates
exchange  import, export, ann
latents   latents
output    words for what came of it
"""

from __future__ import annotations

import click

from unheard.cli.index import exchange, latents, read, write
from unheard.cli.options import Commands


@click.group(cls=Commands)
def index() -> None:
    """Work on an index: embeddings, captions and timings of a training set.

    An index is a folder, or lies in an object store (s3://bucket/index). Most commands also take a JSON file
    in the published format. Without --embedder, the embedder that comes with unheard is taken.

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
