"""The page and its server: this machine's alone unless told, and without a request to any other."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path
from typing import Any

from unheard.errors import InputError
from unheard.studio.workshop import Workshop

PAGE = Path(__file__).parent / "page"
PACKED = "/takes/{number:int}.zip"
"""Where all files of a take are, as one."""
HOUR = 3600
"""Seconds from one search for uploads that are a day old, which are removed, to the next."""
FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
"""Those of the reader's machine: a font by name would be fetched."""


def studio(workshop: Workshop) -> Any:
    """The page, to be served: a `gradio.Blocks`.

    Raises:
        InputError: Gradio is not installed.
    """
    gr = gradio()
    from unheard.studio.api import endpoints
    from unheard.studio.audit_tab import audit_tab
    from unheard.studio.index_tab import index_tab
    from unheard.studio.make_tab import make_tab
    from unheard.studio.markup import masthead

    with gr.Blocks(
        title="unheard studio", analytics_enabled=False, fill_width=True, delete_cache=(HOUR, 24 * HOUR)
    ) as page:
        gr.HTML(masthead(workshop))
        with gr.Tab("Generate"):
            make_tab(workshop, page)
        with gr.Tab("Audit"):
            audit_tab(workshop)
        with gr.Tab("Index"):
            index_tab(workshop)
        endpoints(workshop)
    return page


def serve(workshop: Workshop, host: str, port: int | None) -> tuple[Any, str]:
    """Begin to serve the page.

    Args:
        workshop: what its users share.
        host: address to listen at; only `127.0.0.1` keeps others out.
        port: to listen at; None for the first free one from 7860.

    Returns:
        The page, to be closed, and where it is.

    Raises:
        InputError: Gradio is not installed, nothing can listen there, or nothing answers there.
    """
    gr = gradio()
    page = studio(workshop)
    theme = gr.themes.Base(primary_hue="teal", neutral_hue="slate", font=FONTS[0], font_mono=FONTS[1])
    theme = theme.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
    )
    try:
        app, url, _ = page.queue(default_concurrency_limit=4).launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            inbrowser=False,
            prevent_thread_lock=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=["api"],
            allowed_paths=[str(workshop.takes.folder), str(workshop.served)],
            theme=theme,
            css_paths=PAGE / "studio.css",
            head=f"<script>{(PAGE / 'studio.js').read_text(encoding='utf-8')}</script>",
        )
    except OSError as error:
        raise InputError(_not_there(host, port)) from error
    except ValueError as error:  # Gradio asks its own page for an answer, and waits for seconds alone
        raise InputError(
            f"the page at {host} did not answer its own machine: that is busy, or a proxy stands between "
            "(set no_proxy=localhost,127.0.0.1); start the studio again"
        ) from error
    app.get(PACKED)(partial(_packed, workshop))
    return page, url


def _packed(workshop: Workshop, number: int) -> Any:
    """The answer with all files of a take, or that there is none."""
    from fastapi import Response

    try:
        packed = workshop.takes.packed(number)
    except InputError as error:
        return Response(str(error), 404, media_type="text/plain")
    named = {"Content-Disposition": f'attachment; filename="take-{number}.zip"'}
    return Response(packed, media_type="application/zip", headers=named)


def check_address(host: str, port: int | None) -> None:
    """Whether the page can be served there, found out before a model is loaded.

    Raises:
        InputError: nothing can listen there.
    """
    try:
        socket.create_server((host, port or 0)).close()
    except OSError as error:
        raise InputError(_not_there(host, port)) from error


def _not_there(host: str, port: int | None) -> str:
    where = f"{host}, port {port or 'any from 7860'}"
    return f"cannot listen at {where}: it is in use, or none of this machine's; give another --port or --host"


def gradio() -> Any:
    """Gradio, told to ask nobody anything.

    Raises:
        InputError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise InputError('the studio needs gradio: pip install "unheard[studio]"') from error
    return gradio
