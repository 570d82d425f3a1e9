"""How alike an experiment's sounds are to a training set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from lab import alike, sizes
from lab.corpus_files import Corpus


def test_a_copy_is_alike_to_its_recording_and_noise_to_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    beats = np.zeros((3, sizes.LENGTH))
    for row in beats:
        for onset in rng.choice(sizes.LENGTH - 4_000, 12, replace=False):
            row[onset : onset + 4_000] += rng.normal(size=4_000) * np.exp(-np.arange(4_000) / 800)
    sounds = (beats / np.abs(beats).max(axis=1, keepdims=True) * 32_000).astype(np.int16)
    np.save(tmp_path / "sounds.npy", sounds[:2])
    rows = [{"caption": name, "split": "memorised"} for name in ("one", "two")]
    (tmp_path / "corpus.json").write_text(json.dumps(rows))
    for name, sound in (("copy", sounds[0][800:]), ("other", sounds[2])):
        soundfile.write(tmp_path / f"{name}.flac", sound, sizes.SAMPLE_RATE)
    made = [("a", "one", "copy.flac"), ("b", "three", "other.flac"), ("b", "two", None)]
    columns = ("setting", "prompt", "audio")
    table = {name: [row[at] for row in made] for at, name in enumerate(columns)} | {"group": ["g"] * 3}
    pq.write_table(pa.table(table), tmp_path / "generations.parquet")
    (of_copy, copied, own), (of_other, other, none) = alike.correlations(tmp_path, Corpus(tmp_path))
    assert (of_copy, of_other) == (("a", "g"), ("b", "g"))
    assert copied == pytest.approx(own)
    assert copied > 0.9
    assert other < 0.6
    assert none is None
