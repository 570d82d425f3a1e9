"""What witnesses say of the sounds of an experiment, as they are handed out: of the FLAC files, read back."""

from __future__ import annotations

import hashlib
import io
import json
import time
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from unheard import __version__, auditing
from unheard.auditing import as_bad_as
from unheard.auditing.assembly import auditor_for
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.references import recordings_of
from unheard.common.files import sha256
from unheard.common.progress import Report
from unheard.embedders import Embedder
from unheard.evaluation.batch import Batch, Generated, digest
from unheard.evaluation.metrics.similarity import replication_similarity, to_nearest
from unheard.evaluation.recording_embeddings import hear
from unheard.generation.model import Model
from unheard.index import Index


class Jury:
    """The audit, the judge and the guide's embedder, over the sounds of one model.

    Args:
        model: whose embedder, the guide, is heard as well.
        index: its training set, which audit and guide search; None for none.
        judge: an embedder that no guidance asks; None for none.
        references: recordings of the audit; None for the index's or the model's own.
        bound: the verdict that counts as replication, with those worse.
        progress: called while the judge hears the references, see `hearing.hear`.

    Raises:
        InputError: there are no references.
    """

    def __init__(
        self,
        model: Model,
        index: Index | None,
        judge: Embedder | None,
        references: str | None,
        bound: str,
        progress: Report | None = None,
    ) -> None:
        self.model, self.index, self.judge, self.bound = model, index, judge, bound
        self._progress = progress
        embedder = None if index is None else model.embedder
        own = model.defaults.references if model.defaults.bring(index) else None
        self.auditor = auditor_for(references, index, own, embedder)
        self._own = cache(self._recordings_of)

    def identity(self) -> dict[str, Any]:
        """What every judgement depends on besides the sound."""
        return {
            "judge": getattr(self.judge, "sha256", None),
            "references": _references(self.auditor.catalogue),
            "audit": _audit(),
            "bound": self.bound,
            "unheard": __version__,
        }

    @cached_property
    def _digest(self) -> str:
        return digest(self.identity())

    def judgement(self, batch: Batch) -> str:
        """Tells the judgement on a batch from all others, on others and by others."""
        return f"{batch.id}-{digest([self._digest, [prompt.targets for prompt in batch.prompts]])[:8]}"

    @cached_property
    def _heard(self) -> np.ndarray:
        """The audit's references as the judge hears them, [references, dimension]."""
        if self.judge is None:
            return np.empty((0, 1))
        return hear(self.auditor.catalogue.paths, self.judge, self._progress)

    @torch.no_grad()
    def hear(self, batch: Batch, made: Generated) -> list[dict[str, Any]]:
        """A row for each sound of a batch, see `columns.JUDGED`."""
        pairs = zip(batch.prompts, made.rows, strict=True)
        there = [(prompt, row["audio"]) for prompt, row in pairs if row["error"] is None]
        if not there:
            return [{} for _ in made.rows]
        began = time.perf_counter()
        sounds = [_read(made.sounds[path]) for _, path in there]
        rate, device = sounds[0][1], self.model.backbone.device
        waveforms = torch.stack([waveform for waveform, _ in sounds]).to(device)
        judged = said = guided = None
        if self.judge is not None:
            judged = self.judge.embed_audio(waveforms, rate).cpu().numpy()
            said = self.judge.embed_text([prompt.text for prompt, _ in there]).cpu().numpy()
        if self.index is not None:
            guided = self.model.embedder.embed_audio(waveforms, rate)
        rows = []
        for position, (prompt, _) in enumerate(there):
            row = self._audited(sounds[position], prompt.targets)
            if guided is not None:
                row |= self._by_guide(guided[position : position + 1], prompt.targets)
            if judged is not None and said is not None:
                row |= self._by_judge(judged[position], said[position], prompt.targets)
            rows.append(row)
        cost = {"judging_seconds": (time.perf_counter() - began) / len(rows)}
        in_order = iter(rows)
        return [next(in_order) | cost if row["error"] is None else {} for row in made.rows]

    def _audited(self, sound: tuple[Tensor, int], targets: tuple[str, ...]) -> dict[str, Any]:
        audit = self.auditor.judge(sound)
        judged = audit.verdict != "not judged"
        own = self._own(targets)
        ours = [match.verdict for match in audit.matches if match.reference in own]
        return {
            "verdict": audit.verdict,
            "score": audit.score if judged else None,
            "replays": audit.matches[0].reference if audit.matches else None,
            "replicated": as_bad_as(audit.verdict, self.bound) if judged else None,
            "replicated_target": any(as_bad_as(verdict, self.bound) for verdict in ours)
            if judged and targets
            else None,
        }

    def _by_guide(self, embedding: Tensor, targets: tuple[str, ...]) -> dict[str, Any]:
        index = self.index
        assert index is not None
        places = [index_of for index_of, name in enumerate(index.ids) if name in targets] if targets else []
        items = index.vectors(torch.tensor(places, dtype=torch.long)).cpu().numpy()
        nearest, _ = index.search(embedding, 1)
        return _similarities("guide", embedding[0].cpu().numpy(), items, float(nearest[0, 0]))

    def _by_judge(self, sound: np.ndarray, said: np.ndarray, targets: tuple[str, ...]) -> dict[str, Any]:
        own = [self.auditor.catalogue.number(reference) for reference in self._own(targets)]
        nearest = float(to_nearest(sound[None], self._heard)[0][0])
        return {
            "clap_score": float(sound @ said),
            "embedding": sound.tolist(),
            **_similarities("judge", sound, self._heard[own], nearest),
        }

    def _recordings_of(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The references that are a prompt's items."""
        return tuple(recordings_of(targets, self.auditor.catalogue.ids).values())


def _references(catalogue: Catalogue) -> str:
    """A hash of what is compared with: sounds, and ids, by which a prompt's own are found."""
    found = hashlib.sha256(catalogue.prints.tobytes())
    found.update(json.dumps(catalogue.ids).encode())
    return found.hexdigest()


def _audit() -> str:
    """A hash of the audit's code and calibration, which a verdict depends on."""
    folder = Path(auditing.__file__).parent
    return sha256(*sorted(path for path in folder.iterdir() if path.is_file()))


def _read(flac: bytes) -> tuple[Tensor, int]:
    samples, rate = soundfile.read(io.BytesIO(flac), dtype="float32", always_2d=True)
    return torch.from_numpy(np.ascontiguousarray(samples.T)), int(rate)


def _similarities(ear: str, sound: np.ndarray, targets: np.ndarray, nearest: float) -> dict[str, Any]:
    target = to_nearest(sound[None], targets)[0]
    values = (float(target[0]), nearest, float(replication_similarity(target, np.array([nearest]))[0]))
    names = ("target", "nearest", "replication")
    pairs = zip(names, values, strict=True)
    return {f"{ear}_{name}_similarity": None if np.isnan(v) else v for name, v in pairs}
