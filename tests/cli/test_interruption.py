"""Ctrl-C ends every command with one line, which says truly whether anything is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import commands

SAVED, NOTHING = "what was finished is saved", "nothing was saved"
FIGURES = "unheard.auditing.sounds.sound_files"
OPENED = "unheard.index.searching.index.Index.open"
BUILT = "unheard.index.building.builder.build_store"
INTERRUPTED = [
    ("audit", "a.wav --references a.wav", "unheard.auditing.auditor.Auditor.judge", SAVED),
    (
        "audit",
        "--prompts p.txt --references a.wav",
        "unheard.generation.replication_rate.replication",
        NOTHING,
    ),
    (
        "audit",
        "--prompts p.txt --references a.wav --output out",
        "unheard.generation.replication_rate.replication",
        SAVED,
    ),
    ("calibrate", "--output c.json", "unheard.generation.calibration.calibrating.calibrate", SAVED),
    ("doctor", "", "unheard.doctor.examine", NOTHING),
    ("evaluate", "e.toml --out results", "unheard.evaluation.run.evaluate", SAVED),
    ("evaluate", "--again results 0", "unheard.evaluation.reproduce.reproduce", NOTHING),
    ("figure matrix", "a.wav --recording a.wav", FIGURES, NOTHING),
    ("figure spectrograms", "a.wav", FIGURES, NOTHING),
    ("figure trajectory", "a.wav", "unheard.generation.provenance.read", NOTHING),
    ("generate", "Bell", "unheard.generation.model.Model.training_set", NOTHING),
    ("generate", "Bell", "unheard.generation.model.Model.stream", SAVED),
    ("import-settings", "s.py", "unheard.cli.import_settings.read_script", NOTHING),
    ("index add", "a.json a.wav --caption Bell", "unheard.audio.read", NOTHING),
    ("index add", "a a.wav --caption Bell", BUILT, SAVED),
    ("index ann", "a", "unheard.index.searching.approximate.build_approximate", NOTHING),
    ("index build", "a.wav --out a", BUILT, SAVED),
    ("index duplicates", "a", "unheard.index.clustering.clusters.find_duplicates", NOTHING),
    ("index export", "a --out a.json", "unheard.index.published.exchange.export_json", NOTHING),
    ("index import", "a.json --out a", "unheard.index.published.exchange.import_json", SAVED),
    ("index info", "a.json", OPENED, NOTHING),
    ("index latents", "a", "unheard.generation.model.Model.encode_recordings", SAVED),
    ("index remove", "a.json b", OPENED, NOTHING),
    ("index search", "a.json --text Bell", OPENED, NOTHING),
    ("index verify", "a.json", OPENED, NOTHING),
    ("models", "", "unheard.backbones.hub.find_local", NOTHING),
    ("studio", "", "unheard.studio.app.serve", SAVED),
    ("train-gate", "--output g.safetensors", "unheard.generation.gate_heads.training.train", NOTHING),
    ("tune", "e.toml --out results", "unheard.evaluation.tuning.tune", SAVED),
]
"""A command, its arguments, where in its work Ctrl-C comes, and what is left of it."""


def test_every_command_is_interrupted_here() -> None:
    groups = {"unheard", "unheard figure", "unheard index"}
    names = {name for name, _ in commands()} - groups
    assert {f"unheard {name}" for name, *_ in INTERRUPTED} == names


@pytest.mark.parametrize(("command", "arguments", "where", "left"), INTERRUPTED)
def test_what_ctrl_c_leaves_is_told_truly(
    run: Callable[..., Result],
    tmp_path: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: str,
    where: str,
    left: str,
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    (tmp_path / "p.txt").write_text("Bell\n")
    (tmp_path / "s.py").touch()
    (tmp_path / "e.toml").write_text(
        f'model = "{tiny_model_folder}"\n[[prompts]]\nlist = ["Bell"]\n[settings.none]\nguidance = "none"\n'
    )
    monkeypatch.setenv("UNHEARD_MODEL", str(tiny_model_folder))
    monkeypatch.setattr(where, interrupt)
    result = run(*command.split(), *arguments.split())
    assert result.exit_code == 130, result.output
    assert result.stderr.splitlines()[-1] == f"unheard: interrupted; {left}"
