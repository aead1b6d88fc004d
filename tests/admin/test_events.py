"""What happens, as a stream and as the history of an element."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.history import KEPT, History
from rserpool.admin.site import STUCK
from rserpool.admin.stream import AT_ONCE, MOST
from tests.admin.stage import Admin, body_of
from tests.pool_scope import PoolScope


class EventTests(SynchronousTestCase):
    """A registrar, and an element that comes and goes."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.admin = Admin(self, self.scope, self.scope.registrars[0])

    def stream(self, more: str = ""):
        client = self.admin.connect()
        client.transport.write(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
        self.scope.advance(0.5)
        return client

    def test_stream(self) -> None:
        """An element that comes and dies is told, with the reason."""
        client = self.stream()
        member = self.scope.member(7, "www")
        member.kill()
        self.scope.advance(60)
        kinds = [(event["kind"], event["identifier"]) for event in events(client)]
        self.assertEqual([("added", "0x00000007"), ("suspected", "0x00000007"), ("removed", "0x00000007")], kinds)
        self.assertEqual("unreachable", events(client)[-1]["why"])
        self.assertEqual(8007, events(client)[-1]["transport"]["port"])
        self.assertIn(b"text/event-stream", client.received)

    def test_history(self) -> None:
        """What happened to an element is there afterwards, the reports of users, too."""
        self.scope.member(7, "www")
        self.scope.member(8, "www")
        self.scope.result(self.scope.client.service.resolve("www"))
        self.scope.client.service.report("www", 7)
        self.scope.advance(1)
        self.scope.members[7].stop()
        self.scope.advance(10)
        told = self.admin.ask("/v1/pools/www/elements/0x00000007/history").json["events"]
        self.assertEqual(["added", "reported", "removed"], [event["kind"] for event in told])
        self.assertIn("unreachable for 10.0.2.1", told[1]["why"])
        self.assertEqual(4, len(self.admin.ask("/v1/pools/www/history").json["events"]))
        self.assertEqual([], self.admin.ask("/v1/pools/none/history").json["events"])
        last = self.admin.ask("/v1/pools/www/history?kind=added&limit=1").json["events"]
        self.assertEqual(["0x00000008"], [event["identifier"] for event in last])

    def test_renewals(self) -> None:
        """An element that registers again with nothing new is no event."""
        client = self.stream()
        member = self.scope.member(7, "www")
        service = member.service
        service.change("www", policy="round-robin")
        self.scope.advance(5)
        self.assertEqual(["added"], [event["kind"] for event in events(client)])

    def test_goes_on(self) -> None:
        """Who comes again hears what it has missed."""
        client = self.stream()
        self.scope.member(1)
        self.scope.advance(1)
        last = events(client)[-1]["id"]
        client.transport.abortConnection()
        self.scope.member(2)
        self.scope.advance(1)
        again = self.stream(f"Last-Event-ID: {last}\r\n")
        self.assertEqual(["0x00000002"], [event["identifier"] for event in events(again)])

    def test_gone(self) -> None:
        """Who goes away in mid-stream disturbs nobody, and leaves nothing behind."""
        clients = [self.stream() for _ in range(3)]
        for client in clients[:2]:
            client.transport.abortConnection()
        self.scope.member(1)
        self.scope.advance(1)
        self.assertEqual(1, self.admin.service.interface.streams.open)
        self.assertEqual(1, len(events(clients[2])))
        clients[2].transport.loseConnection()
        self.scope.advance(20)
        self.assertEqual(0, self.admin.service.interface.streams.open)
        self.assertEqual({}, self.admin.service.interface.history._watchers)

    def test_many(self) -> None:
        """One stream too many is refused."""
        for _ in range(MOST):
            self.stream()
        self.assertEqual(503, self.admin.ask("/v1/events").status)

    def test_storm(self) -> None:
        """Who cannot be told everything is told how much it has missed."""
        client = self.stream()
        for number in range(AT_ONCE + 10):
            self.admin.service.interface.history.add({"kind": "x", "number": number})
        self.scope.advance(1)
        self.assertIn(b'event: lost\ndata: {"lost":10}', client.received)
        self.assertEqual(AT_ONCE, len(events(client)))

    def test_slow_reader(self) -> None:
        """Who reads nothing is cut off after a while, and nothing is kept for it meanwhile."""
        client = self.stream()
        client.transport.pauseProducing()
        history = self.admin.service.interface.history
        for _ in range(30):
            for number in range(AT_ONCE):
                history.add({"kind": "x", "number": number, "why": "y" * 500})
            self.scope.advance(0.5)
        self.scope.advance(STUCK + 1)
        self.assertEqual(0, self.admin.service.interface.streams.open)
        self.assertEqual(200, self.admin.ask("/live").status)

    def test_nobody_looks(self) -> None:
        """Without an interface nothing is told of what happens."""
        self.admin.service.stopService()
        seen: list = []
        node = self.scope.registrars[0].service.node
        node.notify = seen.append
        self.scope.member(1)
        self.scope.advance(1)
        self.assertEqual(["ElementRegistered"], [type(event).__name__ for event in seen])


class HistoryTests(SynchronousTestCase):
    """The history alone."""

    def test_bounded(self) -> None:
        """So much is kept, and how much is not is known."""
        history = History(lambda: 0.0)
        for number in range(KEPT + 5):
            history.add({"kind": "x", "number": number})
        there, lost = history.after(0)
        self.assertEqual((KEPT, 5, KEPT + 5), (len(there), lost, history.last))
        self.assertEqual(([], 0), history.after(KEPT + 5))
        self.assertEqual(([], 0), history.after(KEPT + 500))
        self.assertEqual("1970-01-01T00:00:00.000+00:00", there[0].described["time"])


def events(client):
    """Those in a stream that is under way."""
    lines = body_of(client.received).split(b"\n")
    return [each for each in (json.loads(line[6:]) for line in lines if line.startswith(b"data: ")) if "id" in each]
