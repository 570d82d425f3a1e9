"""Photographs of the studio for the documentation, in a real Chromium.

    python -m benchmarks.studio_pictures docs/pictures

A studio is opened on the bundled model, in a folder of its own. Two takes are made there, and the page is
shown at the widths of a desk (1,440 px) and of a phone (390 px), dark and light. It needs the extras "studio"
and "test", and Chromium with its driver.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from unheard.cli.studio import open_workshop
from unheard.studio.app import serve

ROOT = Path(__file__).parents[1]
PROMPTS = ("Lonely trumpet call over an empty square", "An acoustic drum loop, 110 bpm")
GIVEN = dict.fromkeys(("lora", "text_encoder", "embedder", "dtype", "index", "references"))
DESK, PHONE = 1440, 390
PHONE_HEIGHT = 844
"""Of one screen; the page of a desk is shown as a whole."""
FILES = {
    "studio.png": (DESK, "dark"), "studio-light.png": (DESK, "light"),
    "studio-phone.png": (PHONE, "dark"), "studio-phone-light.png": (PHONE, "light"),
}  # fmt: skip
COLOURS = 256
POSITION = 1.5
"""Seconds at which both takes stand."""


def show(browser: Any, url: str, width: int, colours: str) -> None:
    """Open the page as a screen of this width with these colours has it."""
    metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": colours}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(url)


def make_takes(browser: Any, until: Any) -> None:
    """Both takes of each prompt, as a person makes them."""
    from selenium.webdriver import Keys

    for number, prompt in enumerate(PROMPTS, start=1):
        until(lambda: browser.find_elements("css selector", "#prompt textarea"), "the page")
        field = browser.find_element("css selector", "#prompt textarea")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(prompt)
        browser.find_element("css selector", "#generate").click()
        done = f"Take {number} "
        until(lambda done=done: done in " ".join(browser.find_element("tag name", "body").text.split()), done)
        until(lambda: browser.find_element("css selector", "#generate").is_enabled(), "the next")


def choose_latest(browser: Any, until: Any, width: int) -> None:
    """The latest take, at one position; on a desk the sound without guidance is chosen."""
    until(lambda: browser.find_elements("css selector", "#history label"), "the history")
    browser.execute_script("document.querySelector('#history label').click()")
    until(lambda: len(browser.find_elements("css selector", ".take .column")) == 2, "the take")
    until(
        lambda: browser.execute_script(
            "return [...document.querySelectorAll('.take img')].every((each) => each.complete)"
        ),
        "the spectrograms",
    )
    keys = "xxx" if width == DESK else "xx"
    for key in keys:
        browser.execute_script(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], bubbles: true }));"
            "document.querySelector('.take').unheard.position = arguments[1]",
            key,
            POSITION,
        )


def photograph(browser: Any, path: Path, width: int) -> None:
    """Write the page, of a phone the screen that begins at the take."""
    top, height = 0, browser.execute_script("return document.documentElement.scrollHeight")
    if width == PHONE:
        rectangle = "document.querySelector('.take').getBoundingClientRect().top"
        top = browser.execute_script(f"return {rectangle} + scrollY") - 12
        height = PHONE_HEIGHT
    clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    picture = Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    folder = parser.parse_args().folder
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import chromium, until

    with tempfile.TemporaryDirectory(prefix="unheard-studio-") as home:
        os.environ["HOME"] = home  # which the page calls ~
        workshop = open_workshop({**GIVEN, "model": "tiny", "device": "cpu"}, Path(home, "takes"))
        page, url = serve(workshop, "127.0.0.1", None)
        browser = chromium(DESK)
        try:
            browser.get(url)
            make_takes(browser, until)
            for name, (width, colours) in FILES.items():
                show(browser, url, width, colours)
                choose_latest(browser, until, width)
                photograph(browser, folder / name, width)
                print(folder / name)
        finally:
            browser.quit()
            page.close(verbose=False)
            workshop.close()


if __name__ == "__main__":
    main()
