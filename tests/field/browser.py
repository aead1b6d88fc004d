"""A real browser without a screen: Debian's chromium, driven by Selenium in a thread of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from twisted.internet.threads import deferToThread

T = TypeVar("T")
PATIENCE = 40.0
"""Seconds that something may take to show: it shows within a second or two where nothing else runs."""
PICTURES = os.environ.get("RSERPOOL_PICTURES", "")
"""The directory in which pictures of the console are kept: C{docs/pictures}."""


def has_browser() -> bool:
    """Whether there is one."""
    return all(map(shutil.which, ("chromium", "chromedriver")))


_SHOWS = """
return [...document.querySelectorAll(arguments[0])].find((each) => each.innerText.includes(arguments[1])) ?? null
"""


class Browser:
    """One. Its methods block, but for L{of}.

    @param options: more options of chromium.
    """

    def __init__(self, *options: str) -> None:
        self._home = tempfile.mkdtemp(prefix="rserpool-browser-")
        chosen = webdriver.ChromeOptions()
        chosen.binary_location = shutil.which("chromium") or ""
        quiet = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run")
        for option in (*quiet, "--window-size=1180,900", f"--user-data-dir={self._home}", *options):
            chosen.add_argument(option)
        chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=chosen, service=Service(shutil.which("chromedriver")))

    @staticmethod
    async def of(function: Callable[..., T], *arguments: Any) -> T:
        """Call this in a thread."""
        result: Any = await deferToThread(function, *arguments)
        return result  # type: ignore[no-any-return]

    def quit(self) -> None:
        """End it."""
        self.driver.quit()
        shutil.rmtree(self._home, ignore_errors=True)

    def go(self, url: str) -> None:
        """Open a page."""
        self.driver.get(url)

    def find(self, selector: str) -> Any:
        """What a CSS selector finds first."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def until(self, condition: Callable[[], T]) -> T:
        """Wait until this is so.

        @raise AssertionError: if it is not; it says what the page shows.
        """
        waiting = WebDriverWait(self.driver, PATIENCE, 0.1, ignored_exceptions=(StaleElementReferenceException,))
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            page, complaints = self.find("body").text[:2000], self.complaints()
        raise AssertionError(f"it did not come to that; the page shows:\n{page}\n{complaints}")

    def shows(self, selector: str, text: str) -> Any:
        """Wait until something that matches shows this text."""

        return self.until(lambda: self.driver.execute_script(_SHOWS, selector, text))

    def complaints(self) -> list[str]:
        """What the browser has to say about the page: errors, and what the policy has stopped."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def dark(self, dark: bool) -> None:
        """What the user prefers."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, name: str) -> None:
        """Keep a picture, if pictures are wanted."""
        if PICTURES:
            Path(PICTURES).mkdir(exist_ok=True)
            self.driver.save_screenshot(str(Path(PICTURES) / f"{name}.png"))
