"""What docs/services.md says, statement by statement: its blocks are run, and what they do is checked."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from pages import ROOT

import unheard
from unheard.generation import provenance

TEXT = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")


class Page:
    """The blocks of the page by their titles, run with a small model for the bundled one."""

    def __init__(self, model: Any) -> None:
        self.names: dict[str, Any] = {"model": model, "unheard": unheard}

    def run(self, title: str) -> dict[str, Any]:
        section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
        assert section is not None
        for block in re.findall(r"^```python\n(.*?)^```", section[1], re.M | re.S):
            exec(block.replace('model = unheard.load("tiny")', ""), self.names)
        return self.names


@pytest.fixture
def page(tiny_model_folder: Path) -> Iterator[Page]:
    model = unheard.load(tiny_model_folder)
    sampling = replace(model.defaults.sampling, num_inference_steps=3)
    model.defaults = replace(model.defaults, duration=0.3, sampling=sampling)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Page(model)


def test_a_request_leaves_nothing_behind(page: Page) -> None:
    names = page.run("One model for many requests")
    first = names["answer"]("A music box melody", 7)
    names["answer"]("An organ drone", 8)
    assert names["answer"]("A music box melody", 7) == first
    assert soundfile.info(io.BytesIO(first)).format == "FLAC"
    assert [sound.seed for sound in names["sounds"]] == [7, 8]


def test_what_is_read_once_is_kept_and_the_record_is_that_beside_the_sound(
    page: Page, tmp_path: Path
) -> None:
    model = page.names["model"]
    first, second = (model.training_set("auto").index for _ in range(2))
    assert first is second
    (sound,) = model.generate("A music box melody")
    beside = provenance.read(sound.save(tmp_path / "sound.wav").with_suffix(".json"))
    written = {"result", "trace"}  # what of the sound itself is known then
    assert {name: beside[name] for name in beside if name not in written} == {
        name: value for name, value in sound.provenance.items() if name not in written
    }
    response = io.BytesIO()
    assert sound.save(response, format="flac") is None
    assert response.getvalue() == sound.to_bytes("flac")


def test_a_wrong_value_is_told_before_any_work(page: Page) -> None:
    names = page.run("Check a request before any work")
    assert len(names["sounds"]) == 1
    assert "duration" in names["message"]
    assert "\n" not in names["message"]
    assert hash(names["request"].prompts) is not None


def test_threads_get_what_they_would_get_alone(page: Page) -> None:
    names = page.run("One model for many requests") | page.run("Threads")
    alone = [names["answer"]("A music box melody", 7), names["answer"]("An organ drone", 8)]
    assert names["answers"] == alone


def test_a_cancelled_request_leaves_the_model_as_it_was(page: Page) -> None:
    model = page.names["model"]
    (before,) = model.generate("A music box melody")
    names = page.run("Cancel a request")
    assert names["cancelled"]
    assert names["sound"].seed == 7
    (after,) = model.generate("A music box melody")
    assert torch.equal(before.waveform, after.waveform)


def test_nothing_is_printed_and_what_happens_is_logged(
    page: Page, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    page.run("Logs")
    try:
        with caplog.at_level(logging.INFO), warnings.catch_warnings():
            warnings.simplefilter("always")
            page.names["model"].generate("A music box melody", guidance=None, index=None)
            warnings.warn("as the package warns", unheard.GuidanceWarning, stacklevel=1)
    finally:
        logging.captureWarnings(False)
    said = {record.name: record.getMessage() for record in caplog.records}
    assert "A music box melody, seed 0: made without guidance" in said["unheard"]
    assert "as the package warns" in said["py.warnings"]
    out, _ = capfd.readouterr()
    assert out == ""


def test_a_bar_shows_generation_and_all_other_work(page: Page) -> None:
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown):
        page.run("In a notebook")
    assert "3/3" in shown.getvalue()
    assert "sound 1 of 1" in shown.getvalue()
    shown = io.StringIO()
    with unheard.ProgressBar(file=shown) as bar:
        bar(1, 4, "copy")
        bar(4, 4, "clear")
        bar(1, 2)
    assert "4/4" in shown.getvalue()
    assert "1/2" in shown.getvalue()
    assert issubclass(unheard.OutOfMemoryError, unheard.UnheardError)
