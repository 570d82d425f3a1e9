"""A folder of results: what was generated and judged so far.

A batch is a Parquet file in `parts` with its sounds in `sounds`, and one in `judgements` for each set of
judges. Generating costs much more than judging, so other judges, another calibration of the audit or another
bound find the sounds there.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unheard.common.files import write_whole
from unheard.errors import InputError
from unheard.evaluation import columns
from unheard.evaluation.batch import Batch, Generated, Row


class ResultsFolder:
    """Every file in it is written wholly or not at all.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self.path = out
        self.parts, self.judgements = out / "parts", out / "judgements"
        try:
            for folder in (self.parts, self.judgements, out / "sounds"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {out}: {error.strerror}; choose another folder") from error

    def part(self, batch_id: str) -> Path:
        return self.parts / f"{batch_id}.parquet"

    def judgement(self, judgement_id: str) -> Path:
        return self.judgements / f"{judgement_id}.parquet"

    def write_part(self, batch: Batch, generated: Generated) -> None:
        """The sounds first, so that a part that is there has its sounds; judgements of former ones go."""
        for judgement in self.judgements.glob(f"{batch.id}-*.parquet"):
            judgement.unlink()
        for path, sound in generated.sounds.items():
            write_whole(self.path / path, sound)
        table = pa.Table.from_pylist(generated.rows, schema=columns.GENERATED)
        write_table(self.part(batch.id), table, {columns.ORIGIN: generated.origin})

    def write_judgement(self, judgement_id: str, rows: list[Row]) -> None:
        write_table(self.judgement(judgement_id), pa.Table.from_pylist(rows, schema=columns.JUDGED))

    def is_generated(self, batch: Batch) -> bool:
        """Whether all sounds of a batch were made."""
        part = self.part(batch.id)
        if not part.is_file():
            return False
        errors = pq.read_table(part, columns=["error"])["error"]
        return bool(errors.null_count == len(errors))

    def has_sounds(self, batch: Batch) -> bool:
        """Whether the sounds of a batch that was made can still be judged."""
        paths = pq.read_table(self.part(batch.id), columns=["audio"])["audio"].to_pylist()
        return all((self.path / path).is_file() for path in paths if path is not None)

    def is_judged(self, judgement_id: str) -> bool:
        return self.judgement(judgement_id).is_file()

    def generated(self, batch: Batch) -> Generated:
        """What became of a batch, read back."""
        rows = pq.read_table(self.part(batch.id)).to_pylist()
        paths = [row["audio"] for row in rows if row["audio"] is not None]
        sounds = {path: (self.path / path).read_bytes() for path in paths}
        return Generated(rows, sounds, self.origin(batch.id))

    def origin(self, batch_id: str) -> dict[str, Any]:
        """What a batch was made of and on.

        Raises:
            InputError: it is no longer there.
        """
        path = self.part(batch_id)
        try:
            metadata = pq.read_schema(path).metadata
        except OSError as error:
            raise InputError(f"cannot read {path} ({error}): run unheard evaluate there again") from error
        origin: dict[str, Any] = json.loads(metadata[columns.ORIGIN.encode()])
        return origin

    def rows(self, batch: Batch, judgement_id: str) -> list[Row]:
        """What was made, what was said of it, and what it is called here."""
        generated = pq.read_table(self.part(batch.id)).to_pylist()
        judged = pq.read_table(self.judgement(judgement_id)).to_pylist()
        return [
            {**of_sound, **of_judges, "setting": batch.setting, "group": prompt.group, "batch": batch.id}
            for of_sound, of_judges, prompt in zip(generated, judged, batch.prompts, strict=True)
        ]


def write_table(path: Path, table: pa.Table, metadata: dict[str, Any] | None = None) -> None:
    """Write a Parquet file, wholly or not at all; metadata as JSON."""
    if metadata is not None:
        table = table.replace_schema_metadata({name: json.dumps(said) for name, said in metadata.items()})
    content = io.BytesIO()
    pq.write_table(table, content)
    write_whole(path, content.getvalue())
