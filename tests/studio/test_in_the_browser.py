"""What people do with the studio, in real Chromium: the bundled model at few steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import addresses, chromium, until
from needed import need
from replaying import RECORDINGS
from studio.conftest import GIVEN

from unheard.cli.studio import open_workshop
from unheard.studio.app import serve
from unheard.studio.workshop import Workshop

need("gradio", reason="gradio is not installed: pip install -e '.[studio]'")

DRUMS = "An acoustic drum loop, 110 bpm"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workshop, str]]:
    """A studio on the bundled model, and where it is."""
    workshop = open_workshop({**GIVEN, "model": "tiny", "device": "cpu"}, tmp_path_factory.mktemp("takes"))
    page, url = serve(workshop, "127.0.0.1", None)
    yield workshop, url
    page.close(verbose=False)
    workshop.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = chromium()
    yield driver
    driver.quit()


class Page:
    """A tab of the browser on the studio, with what a person does there."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url = browser, url
        if browser.current_url.startswith("http"):
            browser.switch_to.new_window("tab")
        browser.get(url)
        self.window = browser.current_window_handle
        until(lambda: self.all("#prompt textarea"), "the page")

    def all(self, css: str) -> list[Any]:
        return self.browser.find_elements("css selector", css)

    def one(self, css: str) -> Any:
        return until(lambda: self.all(css), css)[0]

    def text(self, css: str) -> str:
        from selenium.common.exceptions import StaleElementReferenceException

        try:
            return " ".join(" ".join(element.text for element in self.all(css)).split())
        except StaleElementReferenceException:  # it was shown anew meanwhile
            return ""

    def fill(self, css: str, text: str) -> None:
        from selenium.webdriver import Keys

        self.one(css).send_keys(Keys.CONTROL, "a")  # as a person does: the page hears of every key
        self.one(css).send_keys(text or Keys.DELETE)

    def open(self, label: str) -> None:
        self.click("button.label-wrap", label)

    def tab(self, name: str) -> None:
        self.click("[role=tab]", name)

    def click(self, css: str, label: str = "") -> None:
        """Click what is labelled so, once nothing moves into its way any more."""
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            StaleElementReferenceException,
        )

        def clicked() -> bool:
            try:
                next(each for each in self.all(css) if each.text.startswith(label)).click()
            except (StopIteration, StaleElementReferenceException, ElementClickInterceptedException):
                return False
            return True

        until(clicked, f"{css} {label}")

    def steps(self, number: int) -> None:
        """Ask for so many steps, in the drawer."""
        if not self.all("#field-num_inference_steps input, #field-num_inference_steps textarea"):
            self.open("All options")
            self.open("How to generate")
        self.fill("#field-num_inference_steps input, #field-num_inference_steps textarea", str(number))

    def take(self, name: str) -> str:
        return self.one(".take").get_attribute(f"data-{name}") or ""

    def press(self, key: str) -> list[Any]:
        """Whether it plays after a key, which sound is heard, and how far the key has moved the position."""
        pressed = (
            "const { dataset } = document.querySelector('.take'), at = Number(dataset.position);"
            "const press = { key: arguments[0], bubbles: true };"
            "document.body.dispatchEvent(new KeyboardEvent('keydown', press));"
            "const moved = Math.round(Number(dataset.position) - at);"
            "return [dataset.state, dataset.active, moved]"
        )
        return list(self.browser.execute_script(pressed, key))

    def wait_for_both(self, prompt: str) -> None:
        done = lambda: prompt in self.text("#take header") and len(self.all(".take .column")) == 2  # noqa: E731
        until(lambda: done() and self.is_ready(), f"both takes of {prompt}")

    def is_ready(self) -> bool:
        return self.one("#generate").is_enabled() and not self.one("#cancel").is_enabled()


@pytest.fixture(scope="module")
def page(opened: tuple[Workshop, str], browser: Any) -> Page:
    page = Page(browser, opened[1])
    page.steps(4)
    return page


@pytest.fixture(autouse=True)
def nothing_is_asked_of_others(opened: tuple[Workshop, str], browser: Any) -> Iterator[None]:
    yield
    assert {url for url in addresses(browser) if not url.startswith(opened[1])} == set()


def test_a_sound_is_made_played_and_compared(page: Page, opened: tuple[Workshop, str]) -> None:
    page.fill("#prompt textarea", "A bright bell")
    until(lambda: '"bright"' in page.text(".note"), "which words it does not know")
    page.fill("#prompt textarea", DRUMS)
    page.click("#generate")
    until(lambda: "threshold" in page.text("#meter .reading"), "the meter")
    page.wait_for_both(DRUMS)
    assert page.text("#take header") == f"Take 1 {DRUMS} seed 0"
    assert "Made without guidance" in page.text("#take .outcome")
    assert len(page.all("#take .badge[data-verdict]")) == 2
    assert len(page.all("#take .recording")) == 2
    assert page.text("#history label").startswith(f"1 · {DRUMS}")

    page.click("[data-do=loop]")
    page.click("[data-do=play]")
    until(lambda: float(page.take("position") or 0) > 0.3, "the sound")
    assert page.press("x") == ["playing", "2", 0]
    assert page.press("r") == ["playing", "3", 0]
    assert page.press(" ")[:2] == ["paused", "3"]
    assert page.press("r") == ["paused", "2", 0]
    assert page.press("x") == ["paused", "0", 0]

    links = [link.get_attribute("href") for link in page.all("#take .files a")]
    fetched = "const a = arguments; fetch(a[0]).then(async r => a[1](`${r.status} ${(await r.blob()).size}`))"
    answers = [page.browser.execute_async_script(fetched, link) for link in links]
    files = [path for take in opened[0].takes.all() for path in take.paths.values()]
    sizes = [str(path.with_suffix(end).stat().st_size) for path in files for end in (".wav", ".json")]
    assert answers == [f"200 {size}" for size in sizes]
    packed = page.one(".transport a").get_attribute("href")
    size = len(opened[0].takes.packed(1))
    assert page.browser.execute_async_script(fetched, packed) == f"200 {size}"
    missing = packed.replace("/1.zip", "/99.zip")
    assert page.browser.execute_async_script(fetched, missing).startswith("404")


def test_a_wrong_value_is_told_at_its_field_and_the_history_stays(page: Page) -> None:
    listed = page.text("#history label")
    page.open("Settings of guidance")
    page.fill("#field-threshold input, #field-threshold textarea", "7")
    page.click("#generate")
    until(lambda: "threshold is 7.0: give a number from 0 to 1" in page.text("#field-threshold"), "the error")
    assert "Traceback" not in page.text("body")
    assert (page.text("#history label"), page.is_ready()) == (listed, True)
    page.fill("#field-threshold input, #field-threshold textarea", "")


def test_the_dice_draw_a_seed_and_a_sound_is_cancelled(page: Page, opened: tuple[Workshop, str]) -> None:
    page.click("#dice")
    seed = "#seed input, #seed textarea"
    until(lambda: page.one(seed).get_attribute("value") not in ("", "0"), "another seed")
    page.steps(2000)
    page.click("#generate")
    until(lambda: page.all("#meter rect"), "the first step")
    page.click("#cancel")
    until(lambda: "Cancelled" in page.text("#meter") and page.is_ready(), "the end")
    assert [take.number for take in opened[0].takes.all()] == [1]
    page.click("#history label")
    page.click("#again")
    until(lambda: page.one(seed).get_attribute("value") == "0", "the seed of the take")
    steps = "#field-num_inference_steps input, #field-num_inference_steps textarea"
    until(lambda: page.one(steps).get_attribute("value") == "4", "the steps of the take")


def test_a_json_from_elsewhere_fills_the_fields(
    page: Page, opened: tuple[Workshop, str], tmp_path: Path
) -> None:
    record = {**opened[0].takes.take(1).record, "prompt": "Warm strings"}
    for name, text in {"sound.json": json.dumps(record), "other.json": "{}"}.items():
        (tmp_path / name).write_text(text)
    until(lambda: page.all("input[type=file][accept='.json']"), "where it is given")
    page.all("input[type=file][accept='.json']")[0].send_keys(str(tmp_path / "other.json"))
    until(lambda: "does not describe a sound" in page.text("#meter"), "what is wrong with it")
    page.all("input[type=file][accept='.json']")[0].send_keys(str(tmp_path / "sound.json"))
    until(lambda: page.one("#prompt textarea").get_attribute("value") == "Warm strings", "its prompt")


def test_two_users_at_once(page: Page, browser: Any, opened: tuple[Workshop, str]) -> None:
    pages = {DRUMS: page, "Music box lullaby for a sleepless child": Page(browser, opened[1])}
    for prompt, one in pages.items():
        browser.switch_to.window(one.window)
        one.steps(4)
        one.fill("#prompt textarea", prompt)
        one.click("#generate")
    for prompt, one in pages.items():
        browser.switch_to.window(one.window)
        one.wait_for_both(prompt)
    assert sorted(take.record["prompt"] for take in opened[0].takes.all()) == sorted([DRUMS, *pages])
    browser.close()
    browser.switch_to.window(page.window)


def test_files_are_audited_and_an_index_is_built_and_searched(page: Page, tmp_path: Path) -> None:
    page.tab("Audit")
    page.fill("#audit-paths textarea", str(RECORDINGS / "00001.flac"))
    page.click("#audit")
    page.browser.switch_to.frame(page.one("#audit-report iframe"))
    until(lambda: "copy" in page.text("tr.file"), "the report")
    page.browser.switch_to.default_content()
    page.tab("Index")
    page.click("#build")
    until(lambda: "there are no sounds" in page.text("#build-sounds"), "the error")
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "trumpet.flac").write_bytes((RECORDINGS / "00001.flac").read_bytes())
    for name, value in {"sounds": tmp_path / "sounds", "index": tmp_path / "index"}.items():
        page.fill(f"#build-{name} input, #build-{name} textarea", str(value))
    page.click("#build")
    until(lambda: "1 added" in page.text("#built"), "the index")
    page.fill("#search-index input, #search-index textarea", str(tmp_path / "index"))
    page.fill("#search-text input, #search-text textarea", "a trumpet")
    page.click("#search")
    until(lambda: "trumpet.flac" in page.text("#found"), "what was searched")
