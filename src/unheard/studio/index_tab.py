"""The third tab: an index of one's own sounds is built, and searched by words and by sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from unheard import index as commands
from unheard.common.texts import plural
from unheard.errors import InputError, UnheardError
from unheard.index import Index, Item
from unheard.index.building.builder import Built
from unheard.studio import markup
from unheard.studio.audit_tab import FILES
from unheard.studio.stream import Cancel, Cancelled, told
from unheard.studio.workshop import Workshop


def index_tab(workshop: Workshop) -> None:
    """Lay the tab out, and wire it."""
    with gr.Row():
        with gr.Column(min_width=300):
            gr.Markdown("### Build")
            folder = gr.Textbox(
                label="Sounds",
                info="A folder, a manifest or a shard on this machine.",
                elem_id="build-sounds",
            )
            captions = gr.Textbox(
                label="Captions", info="CSV, JSON Lines or Parquet with path and prompt. May be left out.",
                elem_id="build-captions",
            )  # fmt: skip
            target = gr.Textbox(
                label="Index", info="A folder to write. What is there is added to.", elem_id="build-index"
            )
            with gr.Row():
                start = gr.Button("Build", variant="primary", elem_id="build", min_width=100)
                stop = gr.Button("Cancel", elem_id="build-cancel", min_width=100)
            built = gr.HTML(elem_id="built")
        with gr.Column(min_width=300):
            gr.Markdown("### Search")
            where = gr.Textbox(
                label="Index",
                info="A folder or a JSON file. Empty for the studio's own.",
                elem_id="search-index",
            )
            text = gr.Textbox(label="Words", info="Or a sound, below.", elem_id="search-text")
            sound = gr.Audio(
                label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="search-sound"
            )
            count = gr.Slider(1, 50, 10, step=1, label="How many", elem_id="search-count")
            search_button = gr.Button("Search", variant="primary", elem_id="search")
            found = gr.HTML(elem_id="found")

    def run(folder: str, captions: str, target: str, request: gr.Request) -> Iterator[str]:
        try:
            with workshop.under_way.of(str(request.session_hash)) as cancel:
                for at in build(workshop, folder, captions, target, cancel):
                    yield markup.lines(at.words()) if isinstance(at, Built) else markup.note(at)
        except Cancelled:
            yield markup.note("Cancelled. What was embedded is in the index: build again to go on.")
        except UnheardError as error:
            yield markup.problem(str(error))

    def check_build(folder: str, captions: str, target: str) -> list[Any]:
        named = folder.strip()
        absent = f"there is no file or folder {named}: name one on this machine"
        return [
            gr.validate(
                bool(named) and Path(named).exists(),
                absent if named else "there are no sounds: name a folder on this machine",
            ),
            gr.validate(
                not captions.strip() or Path(captions.strip()).is_file(),
                f"there is no file {captions!r}: name one, or leave it out",
            ),
            gr.validate(bool(target.strip()), "there is no index to write: name a folder"),
        ]

    def run_search(where: str, text: str, sound: str | None, count: int) -> str:
        try:
            return markup.found(workshop, search(workshop, where, text, sound, int(count)))
        except UnheardError as error:
            return markup.problem(str(error))

    def cancel_own(request: gr.Request) -> None:
        workshop.under_way.cancel(str(request.session_hash))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    start.click(
        run, [folder, captions, target], built, validator=check_build, concurrency_id=FILES,
        concurrency_limit=1, **quiet,
    )  # fmt: skip
    stop.click(cancel_own, queue=False, **quiet)
    search_button.click(run_search, [where, text, sound, count], found, **quiet)
    text.submit(run_search, [where, text, sound, count], found, **quiet)


def build(
    workshop: Workshop, sounds: str, captions: str, target: str, cancel: Cancel
) -> Iterator[str | Built]:
    """Build an index with the model's embedder, and tell in words how far it is; at the end what came of it.

    Raises:
        InputError, IndexFileError: see `unheard.index.build`.
        Cancelled: it was; what was embedded stays.
    """
    return told(partial(_build, workshop, sounds.strip(), captions.strip(), target.strip()), cancel)


def _build(
    workshop: Workshop, sounds: str, captions: str, target: str, tell: Callable[[str | Built], None]
) -> None:
    if not target:
        raise InputError("there is no index to write: name a folder")

    def report(done: int, total: int | None, note: str = "") -> None:
        of = "" if total is None else f"{done:,} of "
        tell(f"{of}{plural(done if total is None else total, 'recording')}. {note}")

    tell("Reading the sources.")
    built = commands.build(
        [sounds],
        target,
        captions=captions or None,
        embedder=workshop.model.embedder,
        workers=0,
        progress=report,
    )
    tell(built)


def search(
    workshop: Workshop, where: str, text: str | None, sound: str | None, count: int
) -> list[tuple[Item, float]]:
    """The items nearest to words or to a sound, with their cosines.

    Raises:
        InputError: not one of the two is given, or there is no index.
        IndexFileError: it cannot be read.
    """
    own = workshop.training_set.index
    index = Index.open(where.strip()) if where.strip() else own
    if index is None:
        raise InputError("there is no index: name one")
    return commands.search(
        index,
        audio=sound or None,
        text=(text or "").strip() or None,
        k=count,
        embedder=workshop.model.embedder,
    )
