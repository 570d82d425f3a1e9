"""Building an index: recordings of any number into a store. It can be stopped at any moment.

    sources -> decoding in worker processes -> windows embedded in full batches -> commits of whole items

What is committed is done. A build that is run again passes over what is in the store with the same id and the
same bytes, and embeds what is new or changed.
"""

from __future__ import annotations

import threading
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from unheard.common.left_out import LeftOut
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.embedders import Embedder
from unheard.errors import IndexFileError, InputError, UnheardError
from unheard.index.building.decoding import Unchanged
from unheard.index.building.embedded import Embedded, rows
from unheard.index.building.engine import Engine, Outcome, Recordings, local_engine
from unheard.index.building.ledger import Known, Ledger, described, further_json
from unheard.index.building.recording import Recording, Reject, Remark
from unheard.index.building.rejects import Rejects, rejects_path
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.repair import step_back
from unheard.index.store.table import Store

ROWS_A_COMMIT = 4096
SECONDS_A_COMMIT = 60.0
WRITES_BETWEEN_COMPACTIONS = 100
STEPS_BACK = 8
"""Commits at most that a crash may have torn: each is on disk before the next begins."""
REASONS_TOLD = 5
"""Of what was left out, those that `Built.words` tells; the list in the index has all."""


@dataclass
class Built:
    """What came of a build.

    Attributes:
        uri: where the index is.
        added, changed: items that were new, or whose sound was another than before.
        redescribed: items of which only caption, timing or further columns had changed.
        unchanged: items that were there already.
        removed: items that the sources no longer name (with `prune`).
        silent: items of those embedded now that are silent from end to end.
        uncaptioned: items come by that have no caption.
        unused_captions: rows of the captions that name no sound.
        rejected: what was left out.
        left_out: the same by reason.
        remarks: what was taken, but not as its source has it, by reason, such as a caption in another
            encoding; and rows of the captions that name no sound.
        rejects: the file that lists both with the reasons, or None.
        windows: rows embedded now.
        seconds: of sound, embedded now.
    """

    uri: str
    added: int = 0
    changed: int = 0
    redescribed: int = 0
    unchanged: int = 0
    removed: int = 0
    silent: int = 0
    uncaptioned: int = 0
    unused_captions: int = 0
    rejected: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    remarks: LeftOut = field(default_factory=LeftOut)
    rejects: str | None = None
    windows: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Recordings dealt with."""
        return self.added + self.changed + self.redescribed + self.unchanged + self.rejected

    @property
    def so_far(self) -> str:
        """What a display of progress notes beside the number of recordings."""
        left_out = f", {self.rejected:,} left out" if self.rejected else ""
        return f"{self.seconds:,.0f} s of sound embedded{left_out}"

    def words(self) -> list[str]:
        """One line on what came of it, and one on each thing to know."""
        parts = [f"{self.added:,} added"]
        for number, word in (
            (self.changed, "embedded again"),
            (self.redescribed, "given another caption or timing"),
            (self.unchanged, "there already"),
            (self.removed, "removed"),
            (self.rejected, "left out"),
        ):
            if number:
                parts.append(f"{number:,} {word}")
        embedded = f"{plural(self.windows, 'window')}, {self.seconds:,.0f} s of sound"
        lines = [f"{self.uri}: {', '.join(parts)} ({embedded})"]
        if self.silent:
            lines.append(f"  {self.silent:,} silent: marked, and found by no search")
        if self.uncaptioned:
            lines.append(f"  {self.uncaptioned:,} without caption: caption deduplication does nothing there")
        if self.unused_captions:
            lines.append(f"  {plural(self.unused_captions, 'row')} of the captions without a sound")
        lines += [f"  {line}" for line in self.left_out.lines()[:REASONS_TOLD]]
        lines += [f"  {line}" for line in self.remarks.lines("taken otherwise")[:REASONS_TOLD]]
        if self.rejects:
            lines.append(f"  all that was left out or taken otherwise, and why: {self.rejects}")
        return lines


def build_store(
    sources: Recordings,
    uri: str | Path,
    embedder: Embedder,
    engine: Engine | None = None,
    *,
    strict: bool = False,
    prune: bool = False,
    progress: Report | None = None,
) -> Built:
    """Embed recordings into a store, which is made if it is not there.

    Args:
        sources: what to embed.
        uri: a folder or an object store's URI.
        embedder: must be the one that made the store.
        engine: what decodes and embeds; None for `local_engine`.
        strict: stop at the first recording that cannot be read, with what was under way saved.
        prune: remove items that the sources no longer name.
        progress: called after each recording with how many are done, and how many there are, None as long as
            that is not known.

    Raises:
        InputError: nothing can be written, the sources hold no recording, or (`strict`) something cannot be
            read.
        IndexFileError: the store is damaged, or was made by another embedder.
    """
    if not Store.exists(uri) and all(isinstance(found, Remark) for found in sources):
        raise _nothing(uri)  # before anything is made
    store, ledger = _opened(uri, embedder)
    total = _Count(sources)
    commits = Commits(store, ledger)
    outcomes = (engine or local_engine(embedder))(
        sources, store, ledger, lambda: not (strict and commits.rejects.count)
    )
    try:
        for outcome in outcomes:
            commits.take(outcome)
            if progress is not None:
                progress(commits.built.done, total.number, commits.built.so_far)
        commits.write()
    except BaseException:
        try:
            commits.write()  # whole items: what is being embedded is embedded again
        except UnheardError as error:  # whoever interrupted is told that what was finished is saved
            warnings.warn(f"what was embedded last is not saved: {error}", stacklevel=2)
        raise
    finally:
        outcomes.close()
        commits.rejects.close()
    built, rejects = commits.built, commits.rejects
    built.unused_captions = sources.unused_captions
    if strict and rejects.first is not None:
        raise InputError(f"{rejects.first.source}: {rejects.first.reason} (--strict; what was read is saved)")
    if not built.done:
        raise _nothing(uri)
    if prune:
        for ids in ledger.unseen():
            built.removed += store.remove(ids)
        store.forget_removed()  # also what a build left that died between an item and its fingerprints
    store.optimize()
    listed = rejects.path if rejects.count or rejects.remarks else None
    return replace(built, left_out=rejects.reasons, remarks=rejects.remarks, rejects=listed)


class Commits:
    """Writes what comes of recordings, whichever engine embeds, and counts it.

    Args:
        store, ledger: where to, and what it held at the beginning.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.store, self.ledger = store, ledger
        self.rejects = Rejects(rejects_path(store.uri))
        self.built = Built(store.uri)
        self._new: list[Embedded] = []
        self._changed: list[Embedded] = []
        self._redescribed: list[Recording] = []
        self._last_write = time.monotonic()
        self._writes = 0

    def take(self, outcome: Outcome) -> None:
        """Deal with what came of a recording, and write if it is time."""
        if isinstance(outcome, Embedded) and not np.isfinite(outcome.embeddings).all():
            reason = "the embedder gives no numbers for it (half precision may have overflowed)"
            outcome = Reject(outcome.recording.source, reason, outcome.recording.id)
        if isinstance(outcome, Reject):
            self.rejects.add(outcome)
            self.built.rejected = self.rejects.count
            return
        self.built.uncaptioned += not (outcome.recording.prompt or "").strip()
        if isinstance(outcome, Unchanged):
            self._take_unchanged(outcome.recording)
        else:
            self._take_embedded(outcome)
        waiting = sum(len(done.bounds) for done in self._new + self._changed) + len(self._redescribed)
        if waiting >= ROWS_A_COMMIT or time.monotonic() - self._last_write > SECONDS_A_COMMIT:
            self.write()

    def write(self) -> None:
        """Commit what has come: new items in one commit, changed ones in another."""
        dimension = self.store.embedder.dimension
        if self._new:
            table = rows(self._new, dimension)
            if self.store.append(table) < len(table):
                self._reject_lost()
        if self._changed:
            self.store.replace(rows(self._changed, dimension))
        if self._redescribed:
            self._redescribe()
        if self._new or self._changed or self._redescribed:
            self._writes += 1
            if self._writes % WRITES_BETWEEN_COMPACTIONS == 0:
                self.store.optimize()
        self._new, self._changed, self._redescribed = [], [], []
        self._last_write = time.monotonic()

    def _reject_lost(self) -> None:
        """Tell of new items whose id another process has given to another sound since the build began."""
        held = self.store.where([done.recording.id for done in self._new], ["id", "content_sha256"])
        contents = dict(zip(held["id"].to_pylist(), held["content_sha256"].to_pylist(), strict=True))
        for done in self._new:
            identifier = done.recording.id
            if contents.get(identifier) != done.content_sha256:
                reason = f"another process has brought another sound of the id {identifier!r}; run it again"
                self.rejects.add(Reject(done.recording.source, reason, identifier))
                self.built.added -= 1
        self.built.rejected = self.rejects.count

    def _take_embedded(self, done: Embedded) -> None:
        if self.ledger.known(done.recording.id) is None:
            self._new.append(done)
            self.built.added += 1
        else:
            self._changed.append(done)
            self.built.changed += 1
        self.built.windows += len(done.bounds)
        self.built.seconds += done.seconds
        self.built.silent += all(done.silent)

    def _take_unchanged(self, recording: Recording) -> None:
        known = self.ledger.known(recording.id)
        if known is not None and _says_otherwise(recording, known):
            self._redescribed.append(recording)
            self.built.redescribed += 1
        else:
            self.built.unchanged += 1

    def _redescribe(self) -> None:
        """Give rows that are there another caption, timing and further columns."""
        import pyarrow as pa

        by_id = {recording.id: recording for recording in self._redescribed}
        names = [name for name in self.store.table.schema.names if name != "digest"]
        found = self.store.where(list(by_id), names)
        columns = {name: found[name].to_pylist() for name in ("id", "seconds_start", "seconds_total")}
        recordings = [by_id[identifier] for identifier in columns["id"]]
        said = {
            "prompt": [recording.prompt for recording in recordings],
            "seconds_start": [
                old if new.seconds_start is None else new.seconds_start
                for new, old in zip(recordings, columns["seconds_start"], strict=True)
            ],
            "seconds_total": [
                old if new.seconds_total is None else new.seconds_total
                for new, old in zip(recordings, columns["seconds_total"], strict=True)
            ],
            "further": [further_json(recording.further) for recording in recordings],
        }
        for name, values in said.items():
            position = found.schema.get_field_index(name)
            found = found.set_column(position, name, pa.array(values, found.schema.field(name).type))
        self.store.replace(found)


class _Count:
    """How many recordings there are, counted beside the build; `number` is None until it is known."""

    def __init__(self, sources: Recordings) -> None:
        self.number: int | None = None
        self._sources = sources
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        with suppress(InputError):  # the build itself will come by it, and say so
            self.number = self._sources.count()


def _says_otherwise(recording: Recording, known: Known) -> bool:
    timing = (recording.seconds_start, known.seconds_start), (recording.seconds_total, known.seconds_total)
    return described(recording.prompt, further_json(recording.further)) != known.described or any(
        new is not None and new != old for new, old in timing
    )


def _nothing(uri: str | Path) -> InputError:
    return InputError(f"there is no sound in the sources: nothing was built into {uri}; check them")


def _opened(uri: str | Path, embedder: Embedder) -> tuple[Store, Ledger]:
    """The store, made if need be, and what it holds; without a commit that a power cut tore."""
    record = EmbedderRecord.of(embedder)
    for _ in range(STEPS_BACK):
        try:
            store = Store.open_or_create(uri, record)
            ledger = Ledger(store)
        except IndexFileError as error:
            if not step_back(uri):
                raise
            warnings.warn(f"{error}; went back to the commit before it", stacklevel=3)
        else:
            store.embedder.check(record, store.uri)
            return store, ledger
    raise IndexFileError(f"{uri} is damaged beyond its last {STEPS_BACK} commits; build it anew elsewhere")
