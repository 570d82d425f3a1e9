"""The report: what its pictures show, what its files hold, and what a person does with it in a browser."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from a_match import MATCH
from PIL import Image
from replaying import RECORDINGS

from unheard import Catalogue
from unheard.auditing import Audit, FileAudit
from unheard.auditing.report import pictures
from unheard.auditing.report.report import check_path, write_report
from unheard.errors import InputError
from unheard.figures import spectrogram

# Pictures


def decoded(png: bytes) -> np.ndarray:
    """The position of every pixel in the palette, by another reader of PNG."""
    image = Image.open(io.BytesIO(png))
    image.load()
    assert image.mode == "P"
    return np.array(image)


def test_png_as_another_reader_reads_it() -> None:
    values = np.random.default_rng(0).random((7, 13))
    np.testing.assert_array_equal(decoded(pictures.png(values)), np.round(values * 255))
    palette = Image.open(io.BytesIO(pictures.png(values))).getpalette()
    assert palette == pictures.PALETTE.flatten().tolist()
    lightness = pictures.PALETTE @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) >= -1).all()
    assert lightness[-1] > 200


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("hertz", [110.0, 1_000.0, 5_000.0])
def test_a_tone_is_a_line_at_its_frequency(rate: int, hertz: float) -> None:
    tone = torch.sin(2 * np.pi * hertz * torch.arange(2 * rate) / rate)[None]
    picture = decoded(pictures.spectrogram(tone, rate))
    assert picture.shape[0] == spectrogram.BANDS
    assert picture.shape[1] <= pictures.LARGEST
    brightest = picture[:, picture.shape[1] // 2].argmax()
    height = np.log(hertz / spectrogram.LOWEST) / np.log(spectrogram.top_frequency(rate) / spectrogram.LOWEST)
    assert brightest == pytest.approx(spectrogram.BANDS * (1 - height), abs=6 if hertz < 200 else 2)


def test_time_runs_to_the_right_and_long_sounds_are_drawn_coarser() -> None:
    click = torch.zeros(1, 60 * 16_000)
    click[:, 45 * 16_000] = 1
    picture = decoded(pictures.spectrogram(click, 16_000))
    assert picture.max(axis=0).argmax() / picture.shape[1] == pytest.approx(0.75, abs=0.01)
    assert picture.shape[1] <= pictures.LARGEST
    assert decoded(pictures.spectrogram(torch.ones(1, 1), 16_000)).shape[1] == 1


def test_a_shrunk_matrix_keeps_its_lines() -> None:
    picture = decoded(pictures.matrix(np.eye(2_000, dtype=np.float32)))
    assert max(picture.shape) <= pictures.LARGEST
    assert (picture.max(axis=0) == 255).all()


# Files


def content(page: Path, name: str) -> dict[str, Any]:
    """What is behind a finding."""
    beside = page.parent / "findings" / f"{name}.js"
    if beside.exists():
        text = re.fullmatch(r"unheard\.finding\(\"[c\d-]+\", (.*)\);\n", beside.read_text(), re.DOTALL)
    else:
        text = re.search(rf'id="finding-{name}">(.*?)</script>', page.read_text(), re.DOTALL)
    assert text is not None
    found = json.loads(text[1])
    clips = {side: found[side] for side in ("audited", "reference") if isinstance(found.get(side), str)}
    return found | {side: content(page, clip) for side, clip in clips.items()}


@pytest.mark.parametrize("path", ["report", "report.html"])
def test_a_finding_holds_both_sounds_as_they_are(
    found: Audit, catalogue: Catalogue, tmp_path: Path, path: str
) -> None:
    import base64

    page = write_report(found, catalogue, tmp_path / path)
    finding = content(page, "0-0")
    for side, path in (("audited", found.files[0].path), ("reference", str(RECORDINGS / "00001.flac"))):
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(finding[side]["sound"])), dtype="float32")
        whole, whole_rate = soundfile.read(path, dtype="float32")
        assert rate == whole_rate
        np.testing.assert_allclose(samples, whole, atol=1e-4)
        assert (finding[side]["from"], finding[side]["whole"]) == (0, True)
    path = np.array(finding["matrix"]["path"])
    assert np.allclose(path[:, 0] - path[:, 1], 0.5, atol=0.1)
    matrix = decoded(base64.b64decode(finding["matrix"]["picture"]))
    period = finding["matrix"]["seconds"][0] / matrix.shape[1]
    on_path = matrix[(path[:, 1] / period).astype(int), (path[:, 0] / period).astype(int)]
    assert np.median(on_path) > np.median(matrix) + 50


def test_only_the_surroundings_of_a_match_are_put_in(catalogue: Catalogue, tmp_path: Path) -> None:
    rate = 96_000
    second = 0.1 * torch.randn(6, rate, generator=torch.Generator().manual_seed(0))
    long = second.repeat(1, 60)
    match = replace(
        MATCH, start=30.0, end=32.0, share=0.03, shift=29.0, reference_start=1.0, reference_end=3.0
    )
    audit = Audit((FileAudit("long.wav", "copy", None, 20.0, (match,), 60.0, rate),))
    page = write_report(audit, catalogue, tmp_path / "r.html", read=lambda _: (long, rate))
    part = content(page, "0-0")["audited"]
    assert (part["from"], part["seconds"], part["whole"]) == (20.0, 22.0, False)
    assert page.stat().st_size < 8e6


def test_a_clear_sound_can_be_played_and_a_silent_one_is_left_out(
    found: Audit, catalogue: Catalogue, tmp_path: Path
) -> None:
    page = write_report(found, catalogue, tmp_path / "r")
    clear = content(page, "1")
    assert (clear["audited"]["seconds"], clear["reference"], clear["matrix"]) == (3.0, None, None)
    assert not (page.parent / "findings" / "2.js").exists()


def test_a_thousand_findings_fit_into_thirty_megabytes(
    found: Audit, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unheard.auditing.report.report.FEW", 1)  # two findings, as if they were hundreds
    page = write_report(replace(found, files=found.files[:1] * 3), catalogue, tmp_path / "r")
    written = sorted(path.name for path in (tmp_path / "r" / "findings").iterdir())
    assert written == ["0-0.js", "1-0.js", "2-0.js", "c0.js", "c1.js"]  # what is shared is there once
    own = sum((page.parent / "findings" / name).stat().st_size for name in ("0-0.js", "c0.js"))
    assert own < 29_000  # beside it the page has 1 kB a finding
    assert content(page, "0-0")["audited"]["type"] == "audio/ogg"


def test_a_sound_that_is_gone_is_said(found: Audit, catalogue: Catalogue, tmp_path: Path) -> None:
    Path(found.files[0].path).unlink()
    finding = content(write_report(found, catalogue, tmp_path / "r"), "0-0")
    assert "does not exist" in finding["audited"]["missing"]
    assert finding["matrix"] is None
    assert "sound" in finding["reference"]


def test_a_second_report_takes_the_place_of_the_first(
    found: Audit, catalogue: Catalogue, tmp_path: Path
) -> None:
    write_report(found, catalogue, tmp_path / "r")
    (tmp_path / "r" / "findings" / "mine.js").write_text("")
    write_report(replace(found, files=found.files[2:]), catalogue, tmp_path / "r")
    assert [path.name for path in (tmp_path / "r" / "findings").iterdir()] == ["mine.js"]


def test_no_name_breaks_out_of_the_page(found: Audit, catalogue: Catalogue, tmp_path: Path) -> None:
    text = write_report(found, catalogue, tmp_path / "r.html").read_text()
    assert "replay <" not in text
    assert text.count("</script>") == text.count("<script")


@pytest.mark.parametrize("path", ["file", "nowhere/r.html", "folder.html"])
def test_paths_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match=path.split("/")[0]):
        check_path(tmp_path / path)
