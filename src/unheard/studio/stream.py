"""Work in a thread of its own, told as it goes; it can be cancelled between any two things that it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

from unheard.common.memory import give_back

Event = TypeVar("Event")


class Cancelled(Exception):
    """Nobody wants the work any more."""


class Cancel:
    """Says to work that it is not wanted any more."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self) -> None:
        self._asked.set()

    def check(self) -> None:
        """Raise `Cancelled` if it was asked for."""
        if self._asked.is_set():
            raise Cancelled


class UnderWay:
    """What each user has under way, by whatever tells users apart."""

    def __init__(self) -> None:
        self._of: dict[str, set[Cancel]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, user: str) -> Iterator[Cancel]:
        """While a user's work is under way: what cancels it."""
        cancel = Cancel()
        with self._lock:
            self._of.setdefault(user, set()).add(cancel)
        try:
            yield cancel
        finally:
            with self._lock:
                self._of[user].discard(cancel)
                if not self._of[user]:
                    del self._of[user]

    @property
    def users(self) -> frozenset[str]:
        """Who has something under way."""
        with self._lock:
            return frozenset(self._of)

    def cancel(self, user: str) -> int:
        """Cancel all that a user has under way; how much that was."""
        with self._lock:
            found = [*self._of.get(user, ())]
        for cancel in found:
            cancel()
        return len(found)

    def cancel_all(self) -> None:
        """Cancel what everybody has under way."""
        for user in self.users:
            self.cancel(user)


def told(work: Callable[[Callable[[Event], None]], None], cancel: Cancel) -> Iterator[Event]:
    """What work tells, as it tells it; what it raises is raised here.

    Where nobody asks for the next event any more (the iterator is closed), the work is cancelled.

    Args:
        work: is called with what it is to tell each event to.
        cancel: asked whenever something is told.

    Raises:
        Cancelled: it was.
    """
    events: SimpleQueue[tuple[Event] | BaseException | None] = SimpleQueue()

    def tell(event: Event) -> None:
        cancel.check()
        events.put((event,))

    def run() -> None:
        try:
            work(tell)
            events.put(None)
        except BaseException as error:
            events.put(error)
        finally:
            give_back()

    threading.Thread(target=run, name="unheard-studio", daemon=True).start()
    try:
        while (event := events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event[0]
    finally:
        cancel()
