"""What judges say of the sounds of an experiment, as they are handed out: of the FLAC files, read back."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from unheard import __version__, auditing
from unheard.auditing import as_bad_as, liveliness
from unheard.auditing.assembly import auditor_for
from unheard.auditing.auditor import SHORTEST, Auditor, too_little
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.features import Signal
from unheard.auditing.liveliness import activity
from unheard.auditing.references import recordings_of
from unheard.common.callbacks import raised_afterwards
from unheard.common.files import sha256
from unheard.common.progress import Report
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.evaluation import caption_groups, ordinary, own_recording
from unheard.evaluation.batch import Batch, Generated, Row
from unheard.evaluation.identity import digest
from unheard.evaluation.listener import Heard, Listener, Said
from unheard.evaluation.metrics import residue
from unheard.evaluation.metrics.kept import kept
from unheard.evaluation.metrics.similarity import replication_similarity, to_nearest
from unheard.evaluation.ordinary import OrdinarySounds
from unheard.evaluation.outcomes import TOLD
from unheard.evaluation.own_recording import OwnRecording
from unheard.evaluation.prompts import Prompt
from unheard.evaluation.recording_embeddings import embed_recordings
from unheard.generation.model import Model
from unheard.generation.training_set import TrainingSet
from unheard.index import Index

_MEASURES = [
    Path(str(module.__file__)) for module in (caption_groups, liveliness, ordinary, own_recording, residue)
]
"""The files whose code decides what is measured of a waveform."""


class Judges:
    """The audit, the judge and the guide's embedder, over the sounds of one model.

    Args:
        model: whose embedder, the guide, is asked as well.
        training_set: its own, which audit and guide search.
        judge: an embedder that no guidance uses; None for none.
        listener: says what instrument, family, tempo and key a sound has; None for none.
        bound: the verdict that counts as replication, with those worse.
        ordinary_sounds: sounds that the model never saw, which say how lively a sound is; None for none.
        progress: called while the judge embeds the references, see `embed_recordings`.

    Attributes:
        auditor: None where the training set is embeddings alone, and no recording is named: then what needs a
            recording stays open, and the similarities of the guide and the judge's adherence are there.
        unaudited: why there is none.

    Raises:
        InputError: recordings that are named cannot be used, or there is no index either.
    """

    def __init__(
        self,
        model: Model,
        training_set: TrainingSet,
        judge: Embedder | None,
        listener: Listener | None,
        bound: str,
        ordinary_sounds: OrdinarySounds | None = None,
        progress: Report | None = None,
    ) -> None:
        self.model, self.index, self.judge_embedder, self.bound = model, training_set.index, judge, bound
        self.listener, self._ordinary, self._progress = listener, ordinary_sounds, progress
        embedder = None if self.index is None else model.embedder
        self.unaudited: str | None = None
        self.auditor: Auditor | None
        try:
            self.auditor = auditor_for(training_set.references, self.index, training_set.brought, embedder)
        except InputError as error:
            if training_set.references is not None or self.index is None:
                raise
            self.auditor, self.unaudited = None, str(error)
        self._own = cache(self._recordings_of)

    # --- what a judgement depends on ----------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """What every judgement depends on besides the sound."""
        return {
            "judge": getattr(self.judge_embedder, "sha256", None),
            "listener": getattr(self.listener, "sha256", None),
            "references": None if self.auditor is None else _references_hash(self.auditor.catalogue),
            "audit": _audit_hash(),
            "bound": self.bound,
            "measures": sha256(*_MEASURES),
            "ordinary": None if self._ordinary is None else self._ordinary.identity,
            "unheard": __version__,
        }

    def judgement_id(self, batch: Batch) -> str:
        """Tells the judgement on a batch from all others, on others and by others."""
        return f"{batch.id}-{digest([self._digest, [prompt.targets for prompt in batch.prompts]])[:8]}"

    @cached_property
    def _digest(self) -> str:
        return digest(self.identity())

    # --- the judgement ------------------------------------------------------------------------------------

    @torch.no_grad()
    def judge(self, batch: Batch, generated: Generated) -> list[Row]:
        """A row for each sound of a batch, see `columns.JUDGED`; an empty one where it failed."""
        made = [position for position, row in enumerate(generated.rows) if row["error"] is None]
        rows: list[Row] = [{} for _ in generated.rows]
        if not made:
            return rows
        began = time.perf_counter()
        sounds = [_read(generated.sounds[generated.rows[position]["audio"]]) for position in made]
        said = self._say([batch.prompts[position] for position in made], sounds)
        seconds = (time.perf_counter() - began) / len(made)
        for position, row in zip(made, said, strict=True):
            rows[position] = row | {"judging_seconds": seconds}
        return rows

    def _say(self, prompts: Sequence[Prompt], sounds: Sequence[tuple[Tensor, int]]) -> list[Row]:
        """What all judges say of sounds, each a waveform [channels, time] with its rate."""
        rate = sounds[0][1]
        waveforms = torch.stack([waveform for waveform, _ in sounds]).to(self.model.backbone.device)
        rows = [
            self._measured(sound, prompt, self._audited(sound, prompt.targets))
            for sound, prompt in zip(sounds, prompts, strict=True)
        ]
        if self.index is not None:
            embeddings = self.model.embedder.embed_audio(waveforms, rate)
            for position, prompt in enumerate(prompts):
                rows[position] |= self._by_guide(
                    self.index, embeddings[position : position + 1], prompt.targets
                )
        if self.judge_embedder is not None:
            vectors = self.judge_embedder.embed_audio(waveforms, rate).cpu().numpy()
            texts = self.judge_embedder.embed_text([prompt.text for prompt in prompts]).cpu().numpy()
            for row, vector, text, prompt in zip(rows, vectors, texts, prompts, strict=True):
                row |= self._by_judge(vector, text, prompt.targets)
        if self.listener is not None:
            for row, prompt, heard in zip(rows, prompts, self.listener.hear(waveforms, rate), strict=True):
                row |= self._by_listener(self.listener.said(prompt.text), heard, row["collapsed"])
        return rows

    def _audited(self, sound: tuple[Tensor, int], targets: tuple[str, ...]) -> Row:
        if self.auditor is None:
            # A sound is copied, collapsed or neither: without the first, the others are no shares either.
            return {"collapsed": None, "reason": too_little(Signal(*sound))}
        audit = self.auditor.judge(sound)
        told = audit.verdict in TOLD
        own = self._own(targets)
        ours = [match.verdict for match in audit.matches if match.reference in own]
        return {
            "verdict": audit.verdict,
            "reason": audit.reason,
            "score": audit.score if told else None,
            "replays": audit.matches[0].reference if audit.matches else None,
            "replicated": as_bad_as(audit.verdict, self.bound) if told else None,
            "replicated_target": any(as_bad_as(verdict, self.bound) for verdict in ours)
            if told and targets
            else None,
            # Too little of a long enough one is left, or nothing at all.
            "collapsed": audit.verdict == "not judged"
            and audit.duration >= SHORTEST
            and too_little(Signal(*sound)) is not None,
        }

    def _measured(self, sound: tuple[Tensor, int], prompt: Prompt, audited: Row) -> Row:
        """The audit's row, with how much happens in the sound, and how near it is to its own recording."""
        waveform, rate = sound
        seconds, found = waveform.shape[-1] / rate, activity(waveform, rate)
        row = audited | {
            "active_seconds": found.seconds, "onsets": found.onsets, "loudness": found.loudness,
        }  # fmt: skip
        if self._ordinary is not None:
            row["liveliness"] = self._ordinary.liveliness(found, prompt.text, seconds)
            lowest = self._ordinary.lowest(seconds)
            if lowest is not None and row["liveliness"] is not None and row["liveliness"] < lowest:
                too_little = (
                    f"too little happens in it: liveliness {row['liveliness']:.2f}, below {lowest:.2f}"
                )
                row |= {
                    "collapsed": None if self.auditor is None else True,
                    "reason": row["reason"] or too_little,
                }
        if self.auditor is None:
            return row
        own = [self.auditor.catalogue.number(reference) for reference in self._own(prompt.targets)]
        return row | self._own_recording(self.auditor.catalogue).measure(sound, prompt.text, own)

    @lru_cache(maxsize=1)  # noqa: B019 (as long as the judges, whose it is)
    def _own_recording(self, catalogue: Catalogue) -> OwnRecording:
        """The references with their captions, the catalogue's own or the index's."""
        captions: dict[str, str | None] = dict(zip(catalogue.ids, catalogue.captions, strict=True))
        if self.index is not None:
            items = dict(zip(self.index.ids, self.index.prompts, strict=True))
            for item, reference in recordings_of(items, catalogue.ids).items():
                captions[reference] = captions[reference] or items[item]
        return OwnRecording(catalogue, [*captions.values()])

    def _by_guide(self, index: Index, embedding: Tensor, targets: tuple[str, ...]) -> Row:
        own = [position for position, item in enumerate(index.ids) if item in targets] if targets else []
        items = index.vectors(torch.tensor(own, dtype=torch.long)).cpu().numpy()
        nearest, _ = index.search(embedding, 1)
        return _similarities("guide", embedding[0].cpu().numpy(), items, float(nearest[0, 0]))

    def _by_judge(self, sound: np.ndarray, text: np.ndarray, targets: tuple[str, ...]) -> Row:
        row = {"clap_score": float(sound @ text), "embedding": sound.tolist()}
        if self.auditor is None:
            return row
        own = [self.auditor.catalogue.number(reference) for reference in self._own(targets)]
        nearest = float(to_nearest(sound[None], self._references)[0][0])
        return row | _similarities("judge", sound, self._references[own], nearest)

    def _by_listener(self, said: Said, heard: Heard, collapsed: bool) -> Row:
        of_sound = {f"heard_{name}": value for name, value in vars(heard).items()}
        return {**of_sound, **kept(said, None if collapsed else heard)}

    @cached_property
    def _references(self) -> np.ndarray:
        """Embeddings of the audit's references by the judge, [references, dimension]."""
        if self.judge_embedder is None or self.auditor is None:
            return np.empty((0, 1))
        return embed_recordings(self.auditor.catalogue.paths, self.judge_embedder, self._progress)

    def _recordings_of(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The references that are a prompt's items."""
        if self.auditor is None:
            return ()
        return tuple(recordings_of(targets, self.auditor.catalogue.ids).values())


def _references_hash(catalogue: Catalogue) -> str:
    """A hash of what is compared with: sounds, and ids, by which a prompt's own are found."""
    found = hashlib.sha256(catalogue.prints.tobytes())
    found.update(json.dumps(catalogue.ids).encode())
    return found.hexdigest()


def _audit_hash() -> str:
    """A hash of the audit's code and calibration, which a verdict depends on; its report does not count."""
    folder = Path(auditing.__file__).parent
    apart = {folder / "report", *folder.rglob("__pycache__")}
    files = (path for path in folder.rglob("*") if path.is_file() and not apart & {*path.parents})
    return sha256(*sorted(files))


def _read(flac: bytes) -> tuple[Tensor, int]:
    with raised_afterwards():
        samples, rate = soundfile.read(io.BytesIO(flac), dtype="float32", always_2d=True)
    return torch.from_numpy(np.ascontiguousarray(samples.T)), int(rate)


def _similarities(embedder: str, sound: np.ndarray, targets: np.ndarray, nearest: float) -> dict[str, Any]:
    target = to_nearest(sound[None], targets)[0]
    values = (float(target[0]), nearest, float(replication_similarity(target, np.array([nearest]))[0]))
    names = ("target", "nearest", "replication")
    pairs = zip(names, values, strict=True)
    return {f"{embedder}_{name}_similarity": None if np.isnan(v) else v for name, v in pairs}
