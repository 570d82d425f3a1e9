"""A folder of results: what was generated and judged so far.

A batch is a Parquet file in `parts` with its sounds in `sounds`, and one in `judgements` for each set of
judges. Generating costs much more than judging, so other judges, another calibration of the audit or another
bound find the sounds there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unheard.common.files import write_whole
from unheard.errors import InputError
from unheard.evaluation import columns
from unheard.evaluation.batch import Batch, Generated, Row

GENERATIONS = "generations.parquet"
"""The rows of all batches, see `columns.ROWS`."""
DAMAGED = (OSError, ValueError, LookupError, RecursionError, pa.ArrowException)
"""What pyarrow and json raise on a file that is none."""


class ResultsFolder:
    """Every file in it is written wholly or not at all.

    Args:
        out: the folder, which is there, or is made later (`make`).
    """

    def __init__(self, out: Path) -> None:
        self.path = out
        self.parts, self.judgements = out / "parts", out / "judgements"

    def make(self) -> None:
        """Make it where it is not there, once it is known that there will be something in it.

        Raises:
            InputError: it cannot be made.
        """
        try:
            for folder in (self.parts, self.judgements, self.path / "sounds"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror
            raise InputError(f"cannot write to {self.path}: {reason}; choose another folder") from error

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
        return all(row["error"] is None for row in read_rows(part, columns.GENERATED, ["error"]))

    def has_sounds(self, batch: Batch) -> bool:
        """Whether the sounds of a batch that was made can still be judged."""
        rows = read_rows(self.part(batch.id), columns.GENERATED, ["audio"])
        return all((self.path / row["audio"]).is_file() for row in rows if row["audio"] is not None)

    def is_judged(self, judgement_id: str) -> bool:
        return self.judgement(judgement_id).is_file()

    def generated(self, batch: Batch) -> Generated:
        """What became of a batch, read back."""
        rows = read_rows(self.part(batch.id), columns.GENERATED)
        paths = [row["audio"] for row in rows if row["audio"] is not None]
        sounds = {path: (self.path / path).read_bytes() for path in paths}
        return Generated(rows, sounds, self.origin(batch.id))

    def origin(self, batch_id: str) -> dict[str, Any]:
        """What a batch was made of and on.

        Raises:
            InputError: it is no longer there, or damaged.
        """
        return read_metadata(self.part(batch_id), columns.ORIGIN)

    def rows(self, batch: Batch, judgement_id: str) -> list[Row]:
        """What was made, what was said of it, and what it is called here."""
        generated = read_rows(self.part(batch.id), columns.GENERATED)
        judged = read_rows(self.judgement(judgement_id), columns.JUDGED)
        return [
            {**of_sound, **of_judges, "setting": batch.setting, "group": prompt.group, "batch": batch.id}
            for of_sound, of_judges, prompt in zip(generated, judged, batch.prompts, strict=True)
        ]


def read_rows(path: Path, schema: pa.Schema, names: Sequence[str] | None = None) -> list[Row]:
    """The rows of a Parquet file that `write_table` wrote.

    Args:
        path: of the file.
        schema: of its columns; others may be there, and one that is not named may be missing.
        names: of those that are read; all if left out.

    Raises:
        InputError: it is missing or damaged, or a column is of another type.
    """
    try:
        table = pq.read_table(path, columns=names)
        for name in names or set(schema.names).intersection(table.column_names):
            found = table.schema.field(name).type
            if found != schema.field(name).type and not pa.types.is_null(found):
                raise ValueError(f"{name} is of type {found}")
        rows: list[Row] = table.to_pylist()
    except DAMAGED as error:
        raise _damaged(path, error) from error
    return rows


def read_metadata(path: Path, name: str) -> dict[str, Any]:
    """What `write_table` wrote as metadata; raises as `read_rows`."""
    try:
        written = (pq.read_schema(path).metadata or {}).get(name.encode())
        said = None if written is None else json.loads(written)
        if not isinstance(said, dict):
            raise ValueError("it does not say what made its rows")
    except DAMAGED as error:
        raise _damaged(path, error) from error
    return said


def _damaged(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is no {path}: run unheard evaluate there")
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"cannot read {path} ({reason}): take it away, and run unheard evaluate there again")


def write_table(path: Path, table: pa.Table, metadata: dict[str, Any] | None = None) -> None:
    """Write a Parquet file, wholly or not at all; metadata as JSON."""
    if metadata is not None:
        table = table.replace_schema_metadata({name: json.dumps(said) for name, said in metadata.items()})
    content = io.BytesIO()
    pq.write_table(table, content)
    write_whole(path, content.getvalue())


def sound_names(sounds: Iterable[Path]) -> dict[Path, str]:
    """What sounds that lie in folders of results are there: such as "detour, seed 3: A bell"."""
    folders: dict[Path, list[Path]] = {}
    for path in sounds:
        folders.setdefault(path.parent.parent, []).append(path)
    found = {}
    for out, inside in folders.items():
        if (out / GENERATIONS).is_file():
            rows = read_rows(out / GENERATIONS, columns.ROWS, ["audio", "setting", "seed", "prompt"])
            called = {row["audio"]: f"{row['setting']}, seed {row['seed']}: {row['prompt']}" for row in rows}
            names = {path: called.get(f"{path.parent.name}/{path.name}") for path in inside}
            found.update({path: name for path, name in names.items() if name is not None})
    return found
