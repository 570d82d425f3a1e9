"""What a notebook and a service see of sounds, audits and indexes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from replaying import RECORDINGS

import unheard
from unheard.auditing import Audit, FileAudit
from unheard.auditing.report.notebook import COLOURS
from unheard.errors import InputError
from unheard.generation.sound import Sound, TraceStep

MEASURE = "cosine to <the nearest>"


@pytest.fixture
def sound() -> Sound:
    trace = [TraceStep(2.0 - step, 0.1 * step, MEASURE, 0.15, acted=step > 1) for step in range(4)]
    tone = torch.sin(torch.arange(8_000) / 20)[None]
    return Sound(tone, 8_000, "A <b>bell</b>", 3, trace, provenance={"guidance": {"kind": "amg"}})


class Tags(HTMLParser):
    """Tags that are open, and the sources of what is played and shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name == "src"]

    def contents(self) -> Iterator[bytes]:
        for source in self.sources:
            yield base64.b64decode(source.partition(",")[2])


def test_one_line_says_what_it_is(sound: Sound, tiny_model: Any, tiny_model_folder: Path) -> None:
    index = unheard.Index.open(tiny_model_folder / "index.json")
    for thing in (sound, tiny_model, index, Audit((FileAudit("a.wav", "clear"),))):
        assert re.fullmatch(r"<\w+ [^\n]{10,200}>", repr(thing)), repr(thing)
    assert f"{len(set(index.ids))} items" in repr(index)
    assert "guidance acted in 2 of 4 steps" in repr(sound)
    assert "no guidance" in repr(replace(sound, provenance={"guidance": None}))


def test_a_sound_in_a_cell_is_played_and_shows_its_trace(sound: Sound) -> None:
    page = Tags(sound._repr_html_())
    picture, played = page.contents()
    assert Image.open(io.BytesIO(picture)).size[1] == 128
    samples, rate = soundfile.read(io.BytesIO(played))
    assert len(samples) / rate == pytest.approx(1.0, abs=0.01)
    assert np.abs(samples).max() == pytest.approx(1.0, abs=0.1)
    assert page.tags.count("polyline") == 2  # what was measured, and the threshold
    assert page.tags.count("circle") == 2
    assert "b" not in page.tags  # the prompt is text
    assert "steered away in 2 of 4 steps" in sound._repr_html_()


def test_a_replay_in_a_cell_stands_beside_its_recording(sound: Sound) -> None:
    recording = RECORDINGS / "00001.flac"
    audit = unheard.audit(recording, [recording])
    assert audit.verdict == "copy"
    assert len(Tags(audit._repr_html_()).sources) == 4  # two sounds, two pictures
    audited = replace(sound, provenance={"guidance": None, "audit": asdict(audit.files[0])})
    assert len(Tags(audited._repr_html_()).sources) == 4
    in_memory = unheard.audit(soundfile.read(recording, dtype="float32"), [recording])
    assert len(Tags(in_memory._repr_html_()).sources) == 2  # the recording
    gone = replace(audit.files[0].matches[0], reference_path="nowhere.wav")
    moved = replace(audit, files=(replace(audit.files[0], matches=(gone,)),))
    assert "cannot be played" in moved._repr_html_()


def test_a_sound_without_a_trace_and_an_audit_without_matches(sound: Sound) -> None:
    assert "<svg" not in replace(sound, trace=[TraceStep(1.0)])._repr_html_()
    table = Audit((FileAudit("a <b>.wav", "not judged", "it is silent"),))._repr_html_()
    assert "a &lt;b&gt;.wav" in table
    assert "it is silent" in table


def test_a_plot_has_a_panel_for_the_sound_and_one_for_what_was_measured(sound: Sound) -> None:
    pytest.importorskip("matplotlib")
    figure = sound.plot()
    assert [axis.get_ylabel() for axis in figure.axes] == ["", MEASURE]
    assert Image.open(io.BytesIO(figure._repr_png_())).format == "PNG"  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_bytes_are_those_of_the_file(sound: Sound, tmp_path: Path, format: str) -> None:
    path = sound.save(tmp_path / f"a.{format}")
    assert sound.to_bytes(format) == path.read_bytes()
    stream = io.BytesIO()
    assert sound.save(stream, format=format) is None
    assert stream.getvalue() == path.read_bytes()
    samples, _ = soundfile.read(io.BytesIO(sound.to_bytes(float=True)), dtype="float32")
    np.testing.assert_array_equal(samples, sound.waveform[0].numpy())


def test_a_format_that_cannot_be_written(sound: Sound) -> None:
    with pytest.raises(InputError, match=r"cannot write a sound as '\.mp3'"):
        sound.to_bytes("mp3")


@pytest.mark.parametrize("colour", [*COLOURS.values(), "#797979"])
def test_verdicts_can_be_read_by_day_and_by_night(colour: str) -> None:
    def luminance(code: str) -> float:
        parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for ground in ("#ffffff", "#111111"):
        dark, light = sorted(luminance(code) + 0.05 for code in (colour, ground))
        assert light / dark > 4.3
