"""The files of the console, and the description of the interface."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.files import FILES
from rserpool.admin.interface import Interface
from rserpool.testing import Scope
from tests.admin.stage import Admin
from tests.admin.test_unix import Nothing


class FileTests(SynchronousTestCase):
    """What is sent as it is."""

    def setUp(self) -> None:
        self.scope = Scope(1)
        self.addCleanup(self.scope.stop)
        self.admin = Admin(self, self.scope, self.scope.registrars[0])

    def test_console(self) -> None:
        """The page comes with a policy by which nothing runs that is not its own."""
        page = self.admin.ask("/")
        self.assertEqual((200, b"text/html; charset=utf-8"), (page.status, page.headers[b"content-type"]))
        policy = page.headers[b"content-security-policy"]
        self.assertIn(b"default-src 'none'", policy)
        self.assertIn(b"frame-ancestors 'none'", policy)
        self.assertNotIn(b"unsafe", policy)
        for path in re.findall(r'(?:src|href)="(/[^"]*)"', page.body.decode()):
            self.assertEqual(200, self.admin.ask(path).status, path)

    def test_nothing_inline(self) -> None:
        """No script, style or handler stands in the page, and no text is taken for markup."""
        page = files("rserpool.admin").joinpath("console/index.html").read_text()
        self.assertIsNone(re.search(r"<style|<script[^>]*>[^<]|\son\w+=|\sstyle=", page))
        console = files("rserpool.admin").joinpath("console")
        script = "".join(console.joinpath(name).read_text() for name in ("console.js", "events.js"))
        self.assertIsNone(re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script))

    def test_described(self) -> None:
        """Each path is in the OpenAPI file with its methods, and no other is."""
        described = self.admin.ask("/v1/openapi.json").json
        documented = {
            (re.sub(r"\{\w+\}", "*", path), method.upper())
            for path, methods in described["paths"].items()
            for method in methods
        }
        routes = {
            ("/" + b"/".join(route.segments).decode(), route.methods[0].decode())
            for route in Interface(Nothing()).routes
        }
        self.assertEqual(routes - {(path, "GET") for path in FILES if not path.startswith("/v1")}, documented)
        self.assertEqual(
            [],
            [
                name
                for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described))
                if name not in described["components"]["schemas"]
            ],
        )
