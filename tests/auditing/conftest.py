"""A folder of melodies, and its auditor; nothing is cached beyond a test."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from melodies import RATE, melody
from replaying import RECORDINGS

from unheard import audio
from unheard.auditing import Audit, Auditor, Catalogue


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "unheard"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six melodies of 6 s, `0.wav` to `5.wav`. Do not write to it."""
    path = tmp_path_factory.mktemp("references")
    for seed in range(6):
        audio.write_wav(path / f"{seed}.wav", melody(seed), RATE)
    return path


@pytest.fixture(scope="session")
def auditor(folder: Path) -> Auditor:
    return Auditor(Catalogue.from_files(folder))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.from_files({"00001": RECORDINGS / "00001.flac", "00017": RECORDINGS / "00017.flac"})


@pytest.fixture(scope="session")
def judged(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """A replay that begins after half a second, a clear sound, and a silent one.

    Really judged, but for the first one's verdict, on which nothing here shall depend.
    """
    waveform, rate = audio.read(RECORDINGS / "00001.flac")
    replay = torch.cat([torch.zeros(1, rate // 2), waveform[:, : 3 * rate]], dim=1)
    noise = 0.1 * torch.randn(1, 3 * rate, generator=torch.Generator().manual_seed(0))
    files = []
    auditor, folder = Auditor(catalogue), tmp_path_factory.mktemp("judged")
    for name, sound in (("replay </script>.wav", replay), ("noise.wav", noise), ("silent.wav", 0 * noise)):
        path = folder / name.replace("/", "")
        audio.write_wav(path, sound, rate, float32=True)
        files.append(auditor.judge(path))
    best = replace(files[0].matches[0], verdict="copy")
    files[0] = replace(files[0], verdict="copy", matches=(best,))
    files[1] = replace(files[1], verdict="clear", matches=())
    return auditor.audit(files)


@pytest.fixture
def found(judged: Audit, tmp_path: Path) -> Audit:
    """`judged`, of sounds that a test may change."""
    copies = (replace(file, path=shutil.copy(file.path, tmp_path)) for file in judged.files)
    return replace(judged, files=tuple(copies))
