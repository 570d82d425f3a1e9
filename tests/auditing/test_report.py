"""The report: what its pictures show, what its files hold, and what a person does with it in a browser."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from replaying import RECORDINGS

from unheard import Catalogue, audio
from unheard.auditing import Audit, FileAudit, Match, Part
from unheard.auditing.auditor import Auditor
from unheard.auditing.report import pictures
from unheard.auditing.report.report import check_path, write_report
from unheard.cli.audit_output import by_prompt
from unheard.errors import InputError
from unheard.generation.replication_rate import PromptReplication, Rate, RateOfPrompts, Replication

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

MATCH = Match(
    reference="00001", reference_path=None, caption="A <b>trumpet</b>", verdict="copy", score=6.0,
    score_needed=1.6, score_possible=None, false_alarm_rate=1e-6, expected_false_alarms=2e-6,
    evidence=(Part("altered copies", 20.0, 1e-5), Part("regenerated copies", 2.5, 1e-3)),
    start=0.75, end=2.25, reference_start=0.25,
    reference_end=1.75, share=0.6, shift=0.5, stretch=1.0, transposition=0.0, embedding_similarity=None,
    found_by=("fingerprint",),
)  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_files({"00001": RECORDINGS / "00001.flac", "00017": RECORDINGS / "00017.flac"})


@pytest.fixture
def found(catalogue: Catalogue, tmp_path: Path) -> Audit:
    """A replay that begins after half a second, a clear sound, and a silent one.

    Really judged, but for the first one's verdict, on which nothing here shall depend.
    """
    waveform, rate = audio.read(RECORDINGS / "00001.flac")
    replay = torch.cat([torch.zeros(1, rate // 2), waveform[:, : 3 * rate]], dim=1)
    noise = 0.1 * torch.randn(1, 3 * rate, generator=torch.Generator().manual_seed(0))
    files = []
    auditor = Auditor(catalogue)
    for name, sound in (("replay </script>.wav", replay), ("noise.wav", noise), ("silent.wav", 0 * noise)):
        path = tmp_path / name.replace("/", "")
        audio.write_wav(path, sound, rate, float32=True)
        files.append(auditor.judge(path))
    best = replace(files[0].matches[0], verdict="copy")
    files[0] = replace(files[0], verdict="copy", matches=(best,))
    files[1] = replace(files[1], verdict="clear", matches=())
    return auditor.audit(files)


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
    assert picture.shape[0] == pictures.BANDS
    assert picture.shape[1] <= pictures.LARGEST
    brightest = picture[:, picture.shape[1] // 2].argmax()
    height = np.log(hertz / pictures.LOWEST) / np.log(pictures.top_frequency(rate) / pictures.LOWEST)
    assert brightest == pytest.approx(pictures.BANDS * (1 - height), abs=6 if hertz < 200 else 2)


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
        text = re.fullmatch(r"unheard\.finding\(\"[\d-]+\", (.*)\);\n", beside.read_text(), re.DOTALL)
    else:
        text = re.search(rf'id="finding-{name}">(.*?)</script>', page.read_text(), re.DOTALL)
    assert text is not None
    return json.loads(text[1])


@pytest.mark.parametrize("path", ["report", "report.html"])
def test_a_finding_holds_both_sounds_as_they_are(
    found: Audit, catalogue: Catalogue, tmp_path: Path, path: str
) -> None:
    import base64

    page = write_report(found, catalogue, tmp_path / path)
    finding = content(page, "0-0")
    for side, path in (("audited", found.files[0].path), ("reference", str(RECORDINGS / "00001.flac"))):
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(finding[side]["flac"])), dtype="float32")
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
    long = 0.1 * torch.randn(6, 60 * rate, generator=torch.Generator().manual_seed(0))
    match = replace(
        MATCH, start=30.0, end=32.0, share=0.03, shift=29.0, reference_start=1.0, reference_end=3.0
    )
    audit = Audit((FileAudit("long.wav", "copy", None, 20.0, (match,), 60.0, rate),))
    page = write_report(audit, catalogue, tmp_path / "r.html", read=lambda _: (long, rate))
    part = content(page, "0-0")["audited"]
    assert (part["from"], part["seconds"], part["whole"]) == (20.0, 22.0, False)
    assert page.stat().st_size < 8e6


def test_a_sound_that_is_gone_is_said(found: Audit, catalogue: Catalogue, tmp_path: Path) -> None:
    Path(found.files[0].path).unlink()
    finding = content(write_report(found, catalogue, tmp_path / "r"), "0-0")
    assert "does not exist" in finding["audited"]["missing"]
    assert finding["matrix"] is None
    assert "flac" in finding["reference"]


def test_a_second_report_takes_the_place_of_the_first(
    found: Audit, catalogue: Catalogue, tmp_path: Path
) -> None:
    write_report(found, catalogue, tmp_path / "r")
    (tmp_path / "r" / "findings" / "mine.js").write_text("")
    write_report(replace(found, files=found.files[1:]), catalogue, tmp_path / "r")
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


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio",
        "--window-size=1300,1400", "--host-resolver-rules=MAP * ~NOTFOUND",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within a minute")


@pytest.mark.parametrize("path", ["report", "report.html"])
def test_a_person_reads_the_table_and_plays_a_finding(
    browser: Any, found: Audit, catalogue: Catalogue, tmp_path: Path, path: str
) -> None:
    page = write_report(found, catalogue, tmp_path / path)
    browser.get(page.as_uri())
    select = lambda css: browser.find_elements("css selector", css)  # noqa: E731
    rows = [[cell.text for cell in row.find_elements("css selector", "td")] for row in select("tr.file")]
    assert [row[0] for row in rows] == ["copy", "clear", "not judged"]
    assert rows[0][1].startswith("replay <script>.wav")
    assert "silent" in rows[2][4]
    assert not select("audio")

    first = select("tr.file")[0]
    first.send_keys("\ue007")  # Enter
    until(lambda: len(select("audio")) == 2, "the finding")
    assert first.get_attribute("aria-expanded") == "true"
    assert "of the sound. Its 0.5" in select(".sentence")[0].text
    assert until(lambda: all(
        browser.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", image)
        for image in select(".finding img")), "the pictures")  # fmt: skip
    assert len(select(".finding img")) == 3
    assert len(select("polyline")[0].get_attribute("points").split()) > 10

    start, end = found.files[0].matches[0].start, found.files[0].matches[0].end
    sound = select("audio")[0]
    now = lambda: browser.execute_script("return arguments[0].currentTime", sound)  # noqa: E731
    until(
        lambda: browser.execute_script("return arguments[0].duration", sound) == pytest.approx(3.5),
        "its length",
    )
    select(".play")[0].click()
    until(lambda: now() > start, "the play from the match on")
    until(lambda: browser.execute_script("return arguments[0].paused", sound), "the end of the match")
    assert end <= now() + 0.05

    select(".play")[1].click()
    until(
        lambda: browser.execute_script("return arguments[0].currentTime > 0.1", select("audio")[1]),
        "the reference",
    )
    first.send_keys("\ue007")
    assert not select("audio")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_thousands_of_sounds_stay_usable(browser: Any, catalogue: Catalogue, tmp_path: Path) -> None:
    verdicts = ("clear", "clear", "similar", "copy")
    files = tuple(
        FileAudit(f"out/take {n}.wav", verdict, None, 20.0, (replace(MATCH, verdict=verdict),))
        for n, verdict in zip(range(5_000), itertools.cycle(verdicts), strict=False)
    )
    # Behind every finding the same sound: what is tested is the page.
    waveform, rate = audio.read(RECORDINGS / "00001.flac")
    few = Audit(files[:8])
    page = write_report(few, catalogue, tmp_path / "r", read=lambda _: (waveform, rate))
    from unheard.auditing.report import report

    head, tail = report._frame(Audit(files), None, [], True)
    page.write_text(head + tail)
    browser.get(page.as_uri())
    select = lambda css: browser.find_elements("css selector", css)  # noqa: E731
    count = lambda: browser.execute_script("return document.querySelectorAll('tr.file').length")  # noqa: E731
    assert 0 < count() <= 400
    select("#search")[0].send_keys("take 4999")
    until(lambda: count() == 1, "one row")
    assert "1 sound of 5,000 shown" in select("#status")[0].text
    select("#search")[0].send_keys("\ue009a\ue000\ue017")  # select all, delete
    select("[data-verdict=similar]")[0].click()
    until(lambda: "1,250 sounds of 5,000" in select("#status")[0].text, "the similar ones")
    select("thead button")[1].click()
    until(lambda: select("tr.file")[0].get_attribute("data-path") == "out/take 2.wav", "sorted by name")
    select("tr.file")[0].send_keys("\ue015")  # arrow down
    assert browser.switch_to.active_element.get_attribute("data-path") == "out/take 6.wav"
    browser.switch_to.active_element.send_keys("\ue007")
    until(lambda: select("audio"), "the finding of the second row")


def test_prompts_are_counted_above_the_sounds(browser: Any, catalogue: Catalogue, tmp_path: Path) -> None:
    verdicts = {"A bell": ["clear"] * 3 + ["not judged"], "A drum": ["copy"] * 4, "A flute": ["clear"] * 4}
    prompts = [
        PromptReplication(prompt, (0, 1, 2, 3), tuple(FileAudit(prompt, each) for each in some),
                          Rate.of(some, "copy"), None)
        for prompt, some in verdicts.items()
    ]  # fmt: skip
    audit = Audit(tuple(file for prompt in prompts for file in prompt.files))
    rate = RateOfPrompts.of_prompts(prompt.rate for prompt in prompts)
    counted = Replication("tiny", "copy", False, rate, tuple(prompts), audit)
    page = write_report(audit, catalogue, tmp_path / "r", by_prompt=by_prompt(counted))
    browser.get(page.as_uri())
    section = browser.find_element("id", "prompts")
    assert section.find_element("tag name", "h2").text == "33 % of the prompts replay a recording"
    said = section.find_element("tag name", "p").text
    assert "1 of 3 prompts of tiny without guidance give a copy (95 % interval 1 % to 91 % of such" in said
    assert "as 4 of 11 judged sounds are (" in said
    assert f"they say as much as {round(rate.effective)} independent sound" in said
    assert "), 1 not judged. Press" in said
    rows = [row.text for row in section.find_elements("css selector", "tbody tr")]
    assert rows[0] == "A drum 4 of 4 40 % to 100 %"
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
