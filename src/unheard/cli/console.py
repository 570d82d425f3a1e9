"""rich's console, for tables and bars; it shows texts as `unheard.cli.terminal` does."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from unheard.cli.terminal import visible


class SafeConsole(Console):
    """A console on which no text acts; what rich itself writes to the terminal does."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)
