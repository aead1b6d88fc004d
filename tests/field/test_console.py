"""The console in a real browser, with real processes that are killed under it; and a page of somebody who attacks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest import SkipTest

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.server import Site
from twisted.web.static import Data

from rserpool.admin import AdminClient
from tests.field.browser import Browser, has_browser
from tests.processes.harness import Process, ProcessTests, Registrar, free_address

CONSOLES, MANY = 10, 5000
TOKEN = "0123456789abcdef0123456789abcdef"
_SAYS = """
return [...document.querySelectorAll(arguments[0])].filter((each) => each.innerText.includes(arguments[1])).length
"""


class ConsoleCase(ProcessTests):
    """A registrar with an admin interface, and elements."""

    timeout = 240

    async def begin(self, *options: str, profile: str = "fast") -> None:
        if not has_browser():
            raise SkipTest("apt-get install chromium chromium-driver")
        token = Path(self.mktemp()).absolute()
        token.touch(0o600)
        token.write_text(TOKEN)
        self.token = str(token)
        self.reg = await self.administered(profile)
        self.browser = await Browser.of(Browser, *(option.replace("HOST", self.host) for option in options))
        self.addCleanup(Browser.of, self.browser.quit)

    async def administered(self, profile: str) -> Registrar:
        """A registrar with an admin interface."""
        self.host = free_address()
        where = ("--admin", f"{self.host}:8080", "--admin-token", self.token, "--profile", profile)
        registrar = await self.registrar(*where, asap=f"{self.host}:3863")
        self.admin = AdminClient(f"{self.host}:8080", token=TOKEN)
        return registrar

    async def serving_in(self, pool: str, *identifiers: int) -> dict[int, Process]:
        """Elements that are registered."""
        processes = {}
        for number in identifiers:
            processes[number] = self.element(self.reg, "--identifier", str(number), "--profile", "fast", pool=pool)
        for process in processes.values():
            await process.says("registered as")
        return processes

    async def there(self, pool: str) -> list[str]:
        """Who is in a pool."""
        elements = await deferToThread(lambda: list(self.admin.elements(pool)))
        return [element["identifier"] for element in elements]

    def _press(self, selector: str, text: str) -> None:
        self.browser.shows(selector, text).send_keys(Keys.ENTER)


class ConsoleTests(ConsoleCase):
    """What an operator sees and does."""

    async def test_killed(self) -> None:
        """An element that is killed turns red, and its history says why; one that comes back is there again."""
        await self.begin()
        other = await self.registrar("--peer", f"{self.host}:9901", "--profile", "fast", asap=f"{free_address()}:3863")
        assert other
        elements = await self.serving_in("www", 1, 2, 3)
        await self.serving_in("<script>alert(1)</script>", 9)
        await self.browser.of(self._opens)
        elements[2].signal("KILL")
        await self.browser.of(self._turns_red)
        await self.serving_in("www", 2)
        await self.browser.of(self._is_back)
        self.assertEqual([], await self.browser.of(self.browser.complaints))

    def _opens(self) -> None:
        browser = self.browser
        browser.go(f"http://{self.host}:8080/")
        browser.shows("#live", "live")
        browser.shows("#state", "ready")
        browser.shows("#registrars td", "connected")
        browser.shows("#pool-table th", "<script>alert(1)</script>")
        self._press("#pool-table button", "www")
        browser.until(lambda: len(browser.driver.find_elements(By.CSS_SELECTOR, "#element-table tbody tr")) == 3)
        browser.shows("#element-table td", "serves")

    def _turns_red(self) -> None:
        browser = self.browser
        browser.shows("#element-table tr.bad td", "gone: unreachable")
        row = browser.find("#element-table tr.bad")
        colour = row.find_element(By.CSS_SELECTOR, "td").value_of_css_property("color")
        red, green, blue = (int(each) for each in colour[colour.index("(") + 1 : -1].split(",")[:3])
        self.assertGreater(red, max(green, blue))
        browser.shows("#told", "removed")
        browser.dark(False)
        browser.picture("console-light")
        browser.dark(True)
        browser.picture("console-dark")
        row.find_element(By.CSS_SELECTOR, "button").click()
        browser.shows("#history li", "removed: unreachable")
        browser.shows("#history li", "registered")
        browser.picture("console-history")
        browser.dark(False)
        browser.find("#detail").send_keys(Keys.ESCAPE)
        browser.until(lambda: not browser.find("#detail").is_displayed())

    def _is_back(self) -> None:
        browser = self.browser
        browser.until(lambda: not browser.driver.find_elements(By.CSS_SELECTOR, "#element-table tr.bad"))

    async def test_scope(self) -> None:
        """The page of a registrar shows all of the scope: whom each knows, whether copies agree, who died elsewhere."""
        await self.begin()
        elements = await self.serving_in("www", 1, 2)
        home = self.host
        where = ("--admin", f"{home}:8081", "--admin-token", self.token, "--profile", "fast", "--peer", f"{home}:9901")
        other = await self.registrar(*where, asap=f"{free_address()}:3863")
        await other.process.says("ready: 2 elements")
        await self.browser.of(self._shows_scope)
        elements[2].signal("KILL")
        await self.browser.of(lambda: self.browser.shows("#element-table tr.bad td", "gone: unreachable for its home"))
        await self.browser.of(self._drains_elsewhere)
        await self.browser.of(self._does, "undrain", "serves")
        self.assertEqual(["0x00000001"], await self.there("www"))
        # While its last element drains there is no pool; the page shows that, and the browser tells of the answer.
        expected = (
            " status of 401 ",
            "/elements?limit=100 - Failed to load resource: the server responded with a status of 404 ",
        )
        told = await self.browser.of(self.browser.complaints)
        self.assertEqual([], [line for line in told if not any(text in line for text in expected)])

    def _shows_scope(self) -> None:
        browser = self.browser
        browser.go(f"http://{self.host}:8081/")
        browser.shows("#registrars tr td", "agree")
        browser.until(lambda: len(browser.driver.find_elements(By.CSS_SELECTOR, "#registrars tbody tr")) == 2)
        browser.until(lambda: browser.driver.execute_script(_SAYS, "#registrars tbody tr", "1 (all)") == 2)
        browser.picture("console-scope")
        browser.find("#registrars button").send_keys(Keys.ENTER)
        browser.shows("#facts dt", "Its peers")
        browser.find("#detail").send_keys(Keys.ESCAPE)
        browser.until(lambda: not browser.find("#detail").is_displayed())
        self._press("#pool-table button", "www")
        browser.shows("#element-table th", "0x00000001")

    def _drains_elsewhere(self) -> None:
        self._press("#element-table button", "0x00000001")
        self._press("#detail button", "Drain")
        self._press("#do", "drain")
        self.browser.until(lambda: self.browser.find("#token").is_displayed())
        self.browser.driver.switch_to.active_element.send_keys(TOKEN)
        self._press("#do", "drain")
        self.browser.until(lambda: not self.browser.find("#confirm").is_displayed())
        self.browser.shows("#element-table td", "drains")

    async def test_acts(self) -> None:
        """By the keyboard alone: an element drains, serves again, and is evicted, with the token of an operator."""
        await self.begin()
        await self.serving_in("www", 1, 2)
        await self.browser.of(self._drains)
        self.assertEqual(["0x00000002"], await self.there("www"))
        await self.browser.of(self._does, "undrain", "serves")
        self.assertEqual({"0x00000001", "0x00000002"}, set(await self.there("www")))
        await self.browser.of(self._does, "evict", "gone: evicted")
        self.assertEqual(["0x00000002"], await self.there("www"))
        said = [line for line in self.reg.process.lines if "audit" in line and "by token" in line]
        self.assertGreaterEqual(len(said), 3, self.reg.process.text)

    def _drains(self) -> None:
        browser = self.browser
        browser.go(f"http://{self.host}:8080/")
        self._press("#pool-table button", "www")
        self._press("#element-table button", "0x00000001")
        self._press("#detail button", "Drain")
        self.assertEqual("Cancel", browser.driver.switch_to.active_element.text)
        self._press("#do", "drain")
        browser.shows("#outcome", "this takes an operator")
        browser.until(lambda: browser.find("#token").is_displayed())
        browser.picture("console-confirm")
        browser.driver.switch_to.active_element.send_keys(TOKEN)
        self._press("#do", "drain")
        browser.until(lambda: not browser.find("#confirm").is_displayed())
        browser.shows("#element-table td", "drains")

    def _does(self, verb: str, shows: str) -> None:
        self._press("#element-table button", "0x00000001")
        self._press("#detail button", verb.capitalize())
        self._press("#do", verb)
        self.browser.until(lambda: not self.browser.find("#confirm").is_displayed())

        def there() -> bool:
            row = self.browser.driver.find_elements(By.CSS_SELECTOR, "#element-table tr[data-key='0x00000001']")
            return any(shows in each.text for each in row)

        self.browser.until(there)


ATTACK = Path(__file__).with_name("attack.html").read_text()


class AttackTests(ConsoleCase):
    """An operator with a console opens a page of somebody else."""

    async def test_page(self) -> None:
        """It tries all that a page can do; nobody is evicted, and nothing is read."""
        await self.begin()
        await self.attacked(f"{self.host}:8080", free_address())

    async def test_rebinding(self) -> None:
        """So it is where its own name stands for the registrar's address by now (DNS rebinding)."""
        await self.begin("--host-resolver-rules=MAP evil.example HOST")
        await self.serving_in("www", 1)
        await self.browser.of(self.browser.go, "http://evil.example:8080/v1/pools")
        text = await self.browser.of(lambda: self.browser.find("body").text)
        self.assertIn("nobody is called so here", text)
        self.assertNotIn("www", text)

    async def attacked(self, target: str, host: str) -> None:
        await self.serving_in("www", 1)
        page = Data(ATTACK.replace("TARGET", target).encode(), "text/html")
        site: Any = Site(page)
        page.putChild(b"", page)
        port: Any = reactor.listenTCP(0, site, interface=host)
        self.addCleanup(port.stopListening)
        await self.browser.of(self.browser.go, f"http://{host}:{port.getHost().port}/")
        await self.browser.of(lambda: self.browser.until(lambda: self.browser.driver.title.startswith("done")))
        self.assertEqual("done []", await self.browser.of(lambda: self.browser.driver.title))
        self.assertEqual(["0x00000001"], await self.there("www"))
        self.assertIsNone(self.reg.process.status)
        about = await deferToThread(self.admin.about)
        self.assertTrue(about["ready"])


class ManyTests(ConsoleCase):
    """Ten consoles, and a pool of 5,000 elements."""

    async def test_many(self) -> None:
        """All ten show it, page by page, and are told when all of it dies at once; users are answered meanwhile."""
        # Ten browser windows are a lot of work: nobody is to seem dead meanwhile.
        busy = ("--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows")
        await self.begin(*busy, profile="default")
        many = self.spawn("-m", "tests.field.many", self.reg.text, str(MANY))
        await many.says(f"registered {MANY}")
        await self.serving_in("www", 1)
        user = self.user(self.reg)
        windows: list[str] = await self.browser.of(self._opens_all)
        self.assertEqual(CONSOLES, len(windows))
        await user.resolve("www", fresh=True)
        many.signal("KILL")
        await self.browser.of(self._shows_all_gone, windows)
        await user.resolve("www", fresh=True)
        about = await deferToThread(self.admin.about)
        self.assertEqual(1, about["elements"])

    def _opens_all(self) -> list[str]:
        browser = self.browser
        for number in range(CONSOLES):
            if number:
                browser.driver.switch_to.new_window("window")
            browser.go(f"http://{self.host}:8080/")
            self._press("#pool-table button", "many")
            browser.shows("#element-pages .where", f"100 of {MANY} shown")
            began = time.monotonic()
            self._press("#element-pages .next", "Next")
            browser.shows("#element-table th", f"0x{101:08x}")
            took = time.monotonic() - began
            print(f"console {number + 1}: the next page took {took:.2f} s")
        return list(browser.driver.window_handles)

    def _shows_all_gone(self, windows: list[str]) -> None:
        began = time.monotonic()
        for window in windows:
            self.browser.driver.switch_to.window(window)
            self.browser.shows("#element-table tr.bad td", "gone: unreachable")
        print(f"ten consoles showed that {MANY} elements died within {time.monotonic() - began:.1f} s")
