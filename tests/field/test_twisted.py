"""Twisted's own plugins, and clients of the standard library and the package index."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from rserpool.names import Resolver
from tests.field.harness import FieldTests
from tests.field.programs import NAMES
from tests.field.rows import row
from tests.field.test_http import by_requests
from tests.names.loopback import free_port
from tests.processes.harness import Process

FTP = "in passive mode data connections go to the server itself; type A fails with Python 3"
LOG = "Twisted's `socks --log` fails with Python 3"
ACCOUNTS = "greeting and capabilities alone: Twisted's `mail --user` fails with Python 3"


def by_ftplib(port: int) -> str:
    from ftplib import FTP

    with FTP() as client:
        client.connect("127.0.0.1", port, timeout=10)
        client.login()
        parts: list[bytes] = []
        client.retrbinary("RETR name", parts.append)
        return b"".join(parts).decode()


def by_poplib(port: int) -> str:
    """The server's process: its greeting has a stamp for APOP, C{<date.pid.random@host>}."""
    from poplib import POP3

    client = POP3("127.0.0.1", port, timeout=10)
    try:
        client.capa()
        return client.getwelcome().decode().split(".")[1]
    finally:
        client.quit()


def by_smtplib(port: int) -> str:
    """The server's name for itself."""
    from smtplib import SMTP

    with SMTP("127.0.0.1", port, timeout=10) as client:
        return client.ehlo()[1].decode().split(".")[0]


def by_irc(port: int) -> str:
    """The server that asks for a name: the first word of what it says."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"NICK user\r\nUSER user 0 * :user\r\n")
        return connection.makefile().readline().split(".")[0].lstrip(":")


def by_paramiko(port: int) -> str:
    """The host key."""
    from paramiko import Transport

    transport = Transport(("127.0.0.1", port))
    try:
        transport.start_client(timeout=10)
        return transport.get_remote_server_key().get_base64()
    finally:
        transport.close()


def name_of(answer: Any) -> str:
    return NAMES[int(str(answer.answer[0][0]).rpartition(".")[2]) - 1]


def by_dns_tcp(port: int) -> str:
    from dns.message import make_query
    from dns.query import tcp

    return name_of(tcp(make_query("who.example", "A"), "127.0.0.1", port=port, timeout=10))


def connected(pid: int | None, port: int) -> bool:
    """Whether a process has a TCP connection to this port of this host."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}
    folder = Path(f"/proc/{pid}/fd")
    return folder.exists() and any(os.path.islink(each) and os.readlink(each) in sockets for each in folder.iterdir())


class TwistedTests(FieldTests):
    """Each answers its name."""

    def folder(self, name: str, **files: str) -> Path:
        """A folder with a file C{name}, and these."""
        folder = Path(self.mktemp()).absolute()
        for path, text in {"name": name, **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    @row("Twisted ftp", "`rserpool-pe -- ftp`", f"ftplib through `rserpool proxy` ({FTP})")
    async def test_ftp(self) -> None:
        await self.begin()

        async def start(name: str) -> Process:
            return await self.wrapped("ftp", "--port", "0", "--root", str(self.folder(name)))

        await self.fail_over(start, await self.proxied(by_ftplib))

    async def mail(self, name: str, no: str, kind: str) -> Process:
        """One of the two services of C{twistd mail}."""
        domain = ("--hostname", f"{name}.example", "--maildirdbmdomain", f"field.example={self.folder(name)}")
        return await self.by_string("mail", "--esmtp", no, kind, "STRING", *domain)

    @row("Twisted mail, POP3", "`twistd mail --pop3 rserpool:...`", f"poplib through `rserpool proxy` ({ACCOUNTS})")
    async def test_pop3(self) -> None:
        await self.begin()
        names = {}

        async def start(name: str) -> Process:
            process = await self.mail(name, "--no-smtp", "--pop3")
            names[str(process.pid)] = name
            return process

        asked = await self.proxied(by_poplib)

        async def ask() -> str:
            return names[await asked()]

        await self.fail_over(start, ask)

    @row("Twisted mail, SMTP", "`twistd mail --smtp rserpool:...`", f"smtplib through `rserpool proxy` ({ACCOUNTS})")
    async def test_smtp(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.mail(name, "--no-pop3", "--smtp"), await self.proxied(by_smtplib))

    @row("Twisted words, IRC", "`twistd words --irc-port rserpool:...`", "a socket through `rserpool proxy`")
    async def test_words(self) -> None:
        await self.begin()

        async def start(name: str) -> Process:
            auth = ("--auth", "memory:user:secret", "--hostname", f"{name}.example")
            return await self.by_string("words", "--irc-port", "STRING", *auth)

        await self.fail_over(start, await self.proxied(by_irc))

    @row("Twisted conch, SSH", "`twistd conch --port rserpool:...`", "paramiko through `rserpool proxy`")
    async def test_conch(self) -> None:
        from paramiko import RSAKey

        await self.begin()
        names = {}

        async def start(name: str) -> Process:
            key = RSAKey.generate(2048)
            names[key.get_base64()] = name
            folder = self.folder(name)
            key.write_private_key_file(str(folder / "ssh_host_rsa_key"))
            (folder / "ssh_host_rsa_key.pub").write_text(f"ssh-rsa {key.get_base64()}\n")
            return await self.by_string("conch", "--port", "STRING", "--data", str(folder), "--auth", "memory:a:b")

        asked = await self.proxied(by_paramiko)

        async def ask() -> str:
            return names[await asked()]

        await self.fail_over(start, ask)

    async def dns(self, name: str, kind: str) -> Process:
        """A name server that knows one name, whose address tells who answers."""
        hosts = self.folder(f"127.0.0.{NAMES.index(name) + 1} who.example\n") / "name"
        port = str(free_port())
        return await self.wrapped(
            *("dns", "--port", port, "--interface", "127.0.0.1", "--hosts-file", str(hosts)),
            options=("--port", f"{kind}:{port}"),
        )

    @row("Twisted dns, TCP", "`rserpool-pe --port tcp:P -- dns`", "dnspython through `rserpool proxy`")
    async def test_dns_tcp(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.dns(name, "tcp"), await self.proxied(by_dns_tcp))

    @row(
        *("Twisted dns, UDP", "`rserpool-pe --port udp:P -- dns`", "dnspython, addresses by `rserpool.names`"),
        killed="fails over, after the client's own time-out",
    )
    async def test_dns_udp(self) -> None:
        from dns.exception import Timeout
        from dns.message import make_query
        from dns.query import udp

        await self.begin()
        resolver = Resolver([f"{self.reg.tcp.hosts[0]}:{self.reg.tcp.port}"], profile="fast")

        def asked() -> str:
            # An answer that was kept may hold none but the dead one.
            for _ in range(20):
                for *_, where in resolver.getaddrinfo("field", type=socket.SOCK_DGRAM):
                    try:
                        return name_of(udp(make_query("who.example", "A"), where[0], port=where[1], timeout=0.5))
                    except (Timeout, OSError):
                        resolver.report("field", where)
            raise AssertionError("nobody answers")

        await self.fail_over(lambda name: self.dns(name, "udp"), lambda: deferToThread(asked))

    async def target(self, name: str) -> str:
        """A web server outside all pools; returns its port."""
        folder = self.folder(name, **{"index.html": name})
        port = str(free_port())
        target = self.twistd("web", "--listen", f"tcp:{port}:interface=127.0.0.1", "--path", str(folder))
        await target.says("Site starting on")
        return port

    @row("Twisted portforward", "`twistd portforward --port rserpool:...`", "requests through `rserpool proxy`")
    async def test_portforward(self) -> None:
        await self.begin()

        async def start(name: str) -> Process:
            where = ("--host", "127.0.0.1", "--dest_port", await self.target(name))
            return await self.by_string("portforward", "--port", "STRING", *where)

        await self.fail_over(start, await self.proxied(by_requests))

    @row(
        "Twisted socks",
        "`rserpool-pe -- socks`",
        "PySocks through `rserpool proxy` (Twisted's `socks --log` fails with Python 3)",
    )
    async def test_socks(self) -> None:
        from socks import SOCKS4, create_connection

        await self.begin()
        target = int(await self.target("target"))
        servers = {}

        async def start(name: str) -> Process:
            servers[name] = await self.wrapped("socks", "--port", "0")
            return servers[name]

        def asked(port: int) -> str:
            proxy = {"proxy_type": SOCKS4, "proxy_addr": "127.0.0.1", "proxy_port": port}
            with create_connection(("127.0.0.1", target), timeout=10, **proxy) as connection:
                connection.sendall(b"GET /name HTTP/1.1\r\nHost: target\r\n\r\n")
                assert connection.makefile("rb").readline().endswith(b"200 OK\r\n")
                return next(name for name, process in servers.items() if connected(process.pid, target))

        await self.fail_over(start, await self.proxied(asked))
