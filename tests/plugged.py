"""What tests.test_plugins runs where C{examples/sticky-policy} is installed."""

from __future__ import annotations

from typing import Any

from rserpool.core import TcpTransport
from rserpool.testing import ElementProcess, Scope


def serve(element: ElementProcess) -> None:
    """An element in a sticky pool, and in one by its memory."""
    transport = TcpTransport(80, element.host)
    element.register("stuck", transport, policy="sticky")
    element.register("measured", transport, policy="least-used:load=memory")


def main() -> None:
    """The story of four users and three elements, one of which dies."""
    scope = Scope()
    elements = [scope.element(setup=serve) for _ in range(3)]
    users = [scope.user() for _ in range(4)]
    scope.settle()

    def asked(user: Any, pool: str) -> Any:
        answers: list[Any] = []
        user.service.resolve(pool, items=2, fresh=True).addBoth(answers.append)
        scope.until(lambda: answers)
        return answers[0].elements

    theirs = {user: asked(user, "stuck")[0].identifier for user in users}
    assert len(set(theirs.values())) == 3, theirs
    for _ in range(3):
        for user in users:
            assert asked(user, "stuck")[0].identifier == theirs[user]

    first = theirs[users[0]]
    (gone,) = [each for each in elements if each.service.element.element(b"stuck").identifier == first]
    scope.kill(gone)
    scope.settle()
    after = {user: asked(user, "stuck")[0].identifier for user in users}
    assert first not in after.values()
    for user in users:
        assert after[user] == theirs[user] or theirs[user] == first
        assert asked(user, "stuck")[0].identifier == after[user]

    loads = [int.from_bytes(each.policy.data, "big") for each in asked(users[0], "measured")]
    assert all(0 < load < 2**32 - 1 for load in loads), loads
    scope.stop()


if __name__ == "__main__":
    main()
