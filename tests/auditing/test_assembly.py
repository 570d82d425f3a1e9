"""The whole audit, from files in to verdicts out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from melodies import RATE, melody
from replaying import RECORDINGS

from unheard.auditing import Auditor, audit, auditor_for, fingerprint_cache
from unheard.auditing.features import Signal
from unheard.errors import InputError


def test_damaged_files_are_not_judged(auditor: Auditor, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "1.wav").read_bytes()
    damaged = {"empty.wav": b"", "text.wav": b"not a sound", "header.flac": b"fLaC\0", "cut.wav": whole[:20]}
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in damaged]
    results = audit([*paths, folder / "1.wav"], auditor.catalogue)
    assert [file.verdict for file in results.files] == ["not judged"] * 4 + ["copy"]
    assert results.verdict == "copy"
    assert all(file.reason for file in results.files[:4])
    assert auditor.judge(tmp_path / "missing.wav").verdict == "not judged"


def test_progress_and_names(folder: Path, auditor: Auditor) -> None:
    seen: list[tuple[object, ...]] = []
    results = audit(
        [folder / "1.wav", (melody(99), RATE)], auditor.catalogue, progress=lambda *at: seen.append(at)
    )
    assert [file.path for file in results.files] == [str(folder / "1.wav"), "sound 2"]
    assert seen == [(number, 2, file.verdict) for number, file in enumerate(results.files, 1)]
    assert results.catalogue["items"] == 6
    assert results.catalogue["seconds"] == pytest.approx(36)
    with pytest.raises(InputError, match="no sounds"):
        audit([], auditor.catalogue)


# One assembly for all who audit


def copies(names: list[str], folder: Path) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(RECORDINGS / f"{name}.flac", folder)
    return folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each recording that is fingerprinted."""
    made: list[int] = []
    real = fingerprint_cache.Signal

    def counting(waveform: torch.Tensor, rate: int) -> Signal:
        made.append(rate)
        return real(waveform, rate)

    monkeypatch.setattr(fingerprint_cache, "Signal", counting)
    return made


def test_named_references_are_fingerprinted_once(tmp_path: Path, cache: Path, counted: list[int]) -> None:
    references = copies(["00000", "00001"], tmp_path / "references")
    first = auditor_for(references, None, None, None)
    assert len(counted) == 2
    assert len(list((cache / "fingerprints").rglob("*.safetensors"))) == 2
    again = auditor_for(str(references.rename(tmp_path / "moved")), None, None, None)
    audit(RECORDINGS / "00000.flac", tmp_path / "moved")
    assert len(counted) == 2
    assert np.array_equal(first.catalogue.prints, again.catalogue.prints)


def test_what_the_model_brings_and_what_is_missing(counted: list[int]) -> None:
    own = RECORDINGS.parent / "memorised.json"
    auditor = auditor_for(None, None, own, None)
    assert len(auditor.catalogue) == len(counted) == 60
    assert len(auditor_for(None, None, own, None).catalogue) == len(counted) == 60
    with pytest.raises(InputError, match="nothing to compare with"):
        auditor_for(None, None, None, None)
