"""The program as a process: a terminal, Ctrl-C, an exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

import pytest
import soundfile
from command_line import start
from forked_program import forked

from unheard.generation import provenance


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_bar_and_warnings_above_it_also_with_json(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    terminal, program_end = os.openpty()
    line = "generate --count 2 --batch 1 --guidance-scale 1 --json --model"
    arguments = [*line.split(), str(tiny_model_folder), "A bell"]
    out = tmp_path / "out"
    process = forked(arguments, tmp_path, out, Path(os.ttyname(program_end)))
    seen = b""
    while wait([terminal, process.sentinel]) != [process.sentinel]:
        seen += os.read(terminal, 1 << 16)
    os.close(program_end)
    os.close(terminal)
    process.join(60)
    assert process.exitcode == 0, seen.decode()
    assert len(json.loads(out.read_text())["results"]) == 2
    bar = seen.decode()
    assert "2 of 2" in bar
    assert "6 of 6 steps" in bar
    measured = r"cosine to the nearest training item -?\d\.\d{3}, threshold \d\.\d{3}, (guiding|quiet)"
    assert re.search(measured, bar)
    assert "unheard: warning: a guidance scale of 1.0 leaves no room" in bar


def test_ctrl_c_keeps_what_is_finished(tiny_model_folder: Path, tmp_path: Path) -> None:
    arguments = ["generate", "A bell", "--model", str(tiny_model_folder), "--duration", "0.2"]
    (folder := tmp_path / "sounds").mkdir()
    outputs = tmp_path / "out", tmp_path / "err"
    process = forked([*arguments, "--count", "5000", "--batch", "1", "--output", "a.wav"], folder, *outputs)
    try:
        deadline = time.monotonic() + 120
        # The third, so that the second has been told as well as written.
        while not (folder / "a-3.json").exists() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
    finally:
        process.kill()
    out, err = (path.read_text() for path in outputs)
    assert process.exitcode == 130, err
    assert err.splitlines()[-1] == "unheard: interrupted; what was finished is saved"
    assert "Traceback" not in err
    finished = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert finished[:2] == ["a-1.wav", "a-2.wav"]
    for name in finished:
        assert soundfile.info(folder / name).frames == 3_200
        assert provenance.read(folder / name.replace(".wav", ".json"))["result"]["file"] == name
    assert not [path for path in folder.iterdir() if path.suffix not in (".wav", ".json")]


def test_the_program_runs_as_a_process(tmp_path: Path) -> None:
    process = start(["generate", "x" * 10_000], tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "unheard: prompt has 10,000 characters: give at most 2,000\n"
