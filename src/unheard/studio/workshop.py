"""What a studio loads once and all its users share, and who may use the model. No Gradio here."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from unheard.auditing.auditor import Auditor
from unheard.backbones import hub
from unheard.backbones.texts import words_of_tokenizer
from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.generation.training_set import TrainingSet
from unheard.generation.unknown_words import tell_unknown_words
from unheard.studio.fields import Form
from unheard.studio.stream import UnderWay
from unheard.studio.takes import Takes

A_STEP = 30.0
"""Seconds that the end waits for the step in which a generation is."""


class Workshop:
    """The model, what it stays away from, who audits, and where takes are written.

    Args:
        model: makes the sounds, one request after another.
        training_set: what it stays away from.
        form: what can be asked for.
        folder: where takes are written.
        notes: what its users are to know from the beginning, a line each.

    Attributes:
        model, training_set, form, notes: as given.
        takes: in the folder.
        under_way: what its users have asked for and wait for.
        model_in_use: held by whoever generates: the model is shared, and works for one at a time.
        unaudited: why there is no auditor, once one was asked for; empty if there is one.
        served: a folder for what is only shown, such as cuts of recordings; gone when the studio closes.
    """

    def __init__(
        self, model: Model, training_set: TrainingSet, form: Form, folder: Path, notes: Sequence[str] = ()
    ) -> None:
        self.model, self.training_set, self.form, self.notes = model, training_set, form, notes
        self.takes = Takes(folder.resolve())
        self.under_way = UnderWay()
        self.model_in_use = threading.Lock()
        self._until_the_end = ExitStack()
        self.served = Path(
            self._until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="unheard-studio-"))
        ).resolve()
        self._first_auditor = threading.Lock()
        self.unaudited = ""

    def close(self) -> None:
        """End what is under way, and remove what was only shown."""
        self.under_way.cancel_all()
        if self.model_in_use.acquire(timeout=A_STEP):
            self.model_in_use.release()
        self._until_the_end.close()

    def auditor(self) -> Auditor | None:
        """Who judges the takes; None where no recordings are available. Made when first asked for."""
        with self._first_auditor:
            return self._auditor

    @cached_property
    def _auditor(self) -> Auditor | None:
        try:
            return self.model.auditor(self.training_set)
        except InputError as error:
            self.unaudited = str(error)
            return None

    @cached_property
    def captions(self) -> Mapping[str, str]:
        """What the training items are called, by id."""
        index = self.training_set.index
        return {} if index is None else dict(zip(index.ids, index.prompts, strict=True))

    def lacks(self, record: Mapping[str, Any]) -> list[str]:
        """What keeps this studio from making a recorded sound again, a line each.

        Args:
            record: as `unheard.generation.provenance` reads it.
        """
        lines = []
        if record["model"]["name"] != self.model.name:
            lines.append(f"It was made with {record['model']['name']}, and this is {self.model.name}.")
        begun_from = record.get("init_audio")
        if begun_from is not None:
            lines.append(f"It began from {begun_from.get('given')}: give that again as the init audio.")
        return lines

    def unknown_words(self, prompt: str) -> str | None:
        """One line on the words of a prompt that the model does not know; None where it knows all."""
        return tell_unknown_words(self.model.backbone, self.model.name, prompt.splitlines())

    @cached_property
    def plays(self) -> tuple[str, ...]:
        """What the model can be asked for, where that is a list."""
        return next((known.plays for known in hub.KNOWN_MODELS if known.name == self.model.name), ())

    @cached_property
    def words(self) -> list[str]:
        """The words that the model knows, in small letters, where that is a list."""
        folder = hub.find_local(self.model.name) if self.plays else None
        words = None if folder is None else words_of_tokenizer(folder / "tokenizer")
        return sorted({word.lower() for word in words or ()})

    @cached_property
    def about(self) -> str:
        """Model, device and training set in one line."""
        index, backbone = self.training_set.index, self.model.backbone
        of = "no index: nothing to stay away from" if index is None else plural(index.items, "training item")
        available = len(self.training_set.recordings)
        recordings = f", {available:,} of their recordings here" if available else ""
        return (
            f"{self.model.name} on {backbone.device} · up to {backbone.max_duration:g} s · {of}{recordings}"
        )
