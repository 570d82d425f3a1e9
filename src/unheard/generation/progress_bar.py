"""A bar for whatever takes long: in a notebook, and on a terminal."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any, Self, overload

from unheard.generation.batches import Progress


class ProgressBar:
    """What to give as `progress`, to generation and to all other work alike.

    ```python
    with unheard.ProgressBar() as bar:
        sounds = model.generate("A music box melody", progress=bar)
        audit = unheard.audit(sounds, "catalogue", progress=bar)
    ```

    It is tqdm's: a widget in a notebook that has `ipywidgets`, else a line of text.

    Args:
        options: given to `tqdm`, such as `file=` or `leave=False`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @overload
    def __call__(self, done: Progress) -> None: ...

    @overload
    def __call__(self, done: int, total: int | None, note: str = "") -> None: ...

    def __call__(self, done: int | Progress, total: int | None = None, note: str = "") -> None:
        """Show how far the work is; another `total`, or less done, begins another bar, as a batch does."""
        if isinstance(done, Progress):
            at, numbers = done, done.numbers
            first, last = numbers[0] + 1, numbers[-1] + 1
            which = f"sound {first}" if first == last else f"sounds {first} to {last}"
            done, total, note = at.step, at.steps, f"{which} of {at.total}"
        bar = self._bar
        if bar is None or bar.total != total or done < bar.n:
            self.close()
            bar = self._bar = self._new(total)
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def close(self) -> None:
        """End the bar that is shown; leaving the block does."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _new(self, total: int | None) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that widgets are not installed: then it is a line of text
            from tqdm.auto import tqdm

        return tqdm(total=total, **self._options)
