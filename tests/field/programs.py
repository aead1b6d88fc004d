"""Programs of the suite's servers: C{python -m tests.field.programs KIND NAME WHERE} answers NAME to whoever asks.

WHERE is a server string for those on Twisted, a port of 127.0.0.1 for the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

HOST = "127.0.0.1"


def klein(name: str, where: str) -> None:
    from klein import Klein

    app = Klein()
    app.route("/")(lambda request: name)
    app.run(endpoint_description=where)


def uvicorn(name: str, where: str) -> None:
    import uvicorn

    uvicorn.run(asgi(name), host=HOST, port=int(where), log_level="warning")


def asgi(name: str) -> Callable:
    """An ASGI application: over HTTP it answers its name, and it knows a lifespan."""

    async def app(scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while (event := (await receive())["type"]) != "lifespan.shutdown":
                await send({"type": f"{event}.complete"})
            await send({"type": f"{event}.complete"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": name.encode()})

    return app


if __name__ == "__main__":
    print(f"pid {os.getpid()}", flush=True)
    {each.__name__: each for each in (klein, uvicorn)}[sys.argv[1]](*sys.argv[2:])
