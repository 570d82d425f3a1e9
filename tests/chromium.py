"""A real Chromium that reaches this machine at most, and says what it asked for."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


def chromium(width: int = 1440, height: int = 1000, *, reaches: tuple[str, ...] = ("127.0.0.1",)) -> Any:
    """A driver that resolves no other host than it `reaches`; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio",
        f"--window-size={width},{height}",
        "--host-resolver-rules=" + ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in reaches)]),
        "--autoplay-policy=no-user-gesture-required",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def addresses(browser: Any) -> set[str]:
    """What the browser asked for since this was last asked, but for what a page has in itself."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = (each["params"] for each in messages if each["method"] == "Network.requestWillBeSent")
    found = {each["request"]["url"] for each in asked}
    return {url for url in found if not url.startswith(("data:", "blob:", "chrome:", "about:"))}


def until(condition: Callable[[], Any], what: str) -> Any:
    """What a condition becomes, as soon as it holds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within a minute")
