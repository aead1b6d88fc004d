r"""requests over a pool, in a program without Twisted: a server is killed while it is asked, and no request fails.

    $ python examples/requests_session.py
    GET http://documents/ -> 200: a page from ...
    GET http://documents/ -> 200: a page from ...
    (kill -9 one)
    GET http://documents/ -> 200: a page from two
    GET http://documents/ -> 200: a page from two
    GET http://nobody/ -> ConnectionError: ...nobody...

It needs requests (pip install requests). What is mounted at http://documents sends each request to the server that the
policy of the pool wants, and to another one if that is lost: docs/ways-in.md.
"""

from __future__ import annotations

import stage

import sys

import requests

from rserpool.names.requests import PoolAdapter


def server(name: str) -> None:
    """One of the servers, a process of its own."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.web.server import Site
    from twisted.web.static import Data

    endpoint = serverFromString(reactor, r"rserpool:documents:tcp\:0\:interface=127.0.0.1")
    page = Data(f"a page from {name}".encode(), "text/plain")
    page.isLeaf = True
    stage.serve(endpoint.listen(Site(page)))


def get(session: requests.Session, url: str) -> None:
    """One request."""
    try:
        response = session.get(url, timeout=10)
        print(f"GET {url} -> {response.status_code}: {response.text}", flush=True)
    except requests.ConnectionError as error:
        print(f"GET {url} -> {type(error).__name__}: {error}", flush=True)


def client(here: stage.Stage) -> None:
    """Ask; meanwhile one server is killed."""
    one = here.start("one")
    here.start("two")
    with requests.Session() as session:
        session.mount("http://documents", PoolAdapter())
        session.mount("http://nobody", PoolAdapter(timeout=1.0))
        for number in range(1, 5):
            get(session, "http://documents/")
            if number == 2:
                one.kill()
                print("(kill -9 one)", flush=True)
        get(session, "http://nobody/")


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            client(here)
