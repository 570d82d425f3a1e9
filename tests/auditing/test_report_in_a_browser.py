"""The report as a person has it: in a browser, on a phone, on paper."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_match import MATCH
from chromium import chromium, until
from replaying import RECORDINGS

from unheard import Catalogue, audio
from unheard.auditing import VERDICTS, Audit, FileAudit
from unheard.auditing.report.report import About, write_report
from unheard.cli.audit_output import by_prompt
from unheard.generation.replication_rate import PromptReplication, Rate, RateOfPrompts, Replication


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = chromium(1300, 1400, reaches=())
    yield driver
    driver.quit()


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

    head, tail = report._frame(Audit(files), report.About(), None, [], report.FINE, tmp_path)
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
    assert 0.5 < rate.effective < 1
    assert "they say less than 1 independent sound)" in said
    assert "), 1 not judged. Press" in said
    rows = [row.text for row in section.find_elements("css selector", "tbody tr")]
    assert rows[0] == "A drum 4 of 4 40 % to 100 %"
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    scroll = section.find_element("css selector", ".scroll")
    widths = "const [table] = arguments; return [table.scrollWidth, table.clientWidth]"
    needed, given = browser.execute_script(widths, scroll)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert needed <= given, "the table by prompts is cut off on a phone"
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


REACH = """
    const seen = [...document.querySelectorAll("body *")].filter(
      (each) => !each.closest("svg") && getComputedStyle(each).position !== "absolute");
    return Math.max(...seen.map((each) => each.getBoundingClientRect().right));
"""
SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@pytest.mark.parametrize("size", SIZES)
def test_a_finding_fits_on_a_phone_and_on_a_desk(
    browser: Any, found: Audit, catalogue: Catalogue, tmp_path: Path, size: str
) -> None:
    long = replace(found.files[0], path="out/" + 30 * "unbroken" + ".wav", sha256=64 * "0")
    audit = replace(found, files=(long, *found.files[1:]))
    about = About("What the March take replays", "File 2026-117", "First.\n\nSecond <b>paragraph</b>.")
    page = write_report(
        audit, catalogue, tmp_path / "r", read=lambda _: audio.read(found.files[0].path), about=about
    )
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    select = lambda css: browser.find_elements("css selector", css)  # noqa: E731
    assert [part.text for part in select("h1, #case, #notes p")] == [
        "What the March take replays", "File 2026-117", "First.", "Second <b>paragraph</b>.",
    ]  # fmt: skip
    rows = select("tr.file")
    for row in rows[:2]:
        row.send_keys("\ue007")
    until(lambda: len(select("audio")) == 3, "a finding and a clear sound")
    assert browser.execute_script(REACH) <= width
    assert select(".hash")[0].text == 64 * "0"
    select("#legend summary")[0].click()
    assert {term.text for term in select("#legend dt")} == set(VERDICTS)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_every_finding_is_open(
    browser: Any, found: Audit, catalogue: Catalogue, tmp_path: Path
) -> None:
    page = write_report(found, catalogue, tmp_path / "r.html")
    browser.get("about:blank")  # or the address with its mark would be the same page
    browser.get(page.as_uri() + "#print")
    count = lambda: len(browser.find_elements("css selector", ".lane img"))  # noqa: E731
    until(lambda: count() == 3, "both sounds of the finding, and the clear one")
    assert len(browser.find_elements("css selector", "tr.open")) == 3
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    listed = lambda: len(browser.find_elements("css selector", "#overview tbody tr"))  # noqa: E731
    until(lambda: listed() == 3, "the table before them")
    assert not browser.find_element("css selector", "#files thead").is_displayed()
    line = browser.find_element("css selector", "#files tr.file").text
    assert " ".join(line.split()).startswith("copy ")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert not browser.find_element("css selector", "#overview").is_displayed()
    paper = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert paper.count(b"/Subtype /Image") >= 4  # their spectrograms, and the matrix
