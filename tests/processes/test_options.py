"""Wrong options of C{twistd rserpool-ns} and C{twistd rserpool-pe}: one sentence, and a status that is not 0."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

from rserpool.security.scope_directory import ScopeDirectory, Terms, member_of
from tests.processes.harness import ProcessTests, free_address

NS = ["-n", "--pidfile=", "rserpool-ns"]
PE = ["-n", "--pidfile=", "rserpool-pe", "--pool", "p"]
SERVED = ["--", "served"]
PROXY = ["-n", "--pidfile=", "rserpool-proxy", "--pool", "p"]


class OptionTests(ProcessTests):
    """Nothing starts, nobody sees a traceback."""

    async def refused(self, *cases: tuple[list[str], str]) -> None:
        """Each of these command lines fails, and its last line holds this sentence."""
        process = self.spawn("-m", "tests.processes.command_lines")
        process.transport.write(json.dumps([arguments for arguments, _ in cases]).encode())
        process.transport.closeStdin()
        self.assertEqual(0, await process.ended, process.text)
        wrong = []
        results: list[tuple[int, str]] = json.loads(process.output)
        for (arguments, sentence), (status, output) in zip(cases, results, strict=True):
            last = output.strip().rpartition("\n")[2]
            if status != 1 or sentence not in last or "Traceback" in output:
                wrong.append(f"{' '.join(arguments)}: expected {sentence!r}, but {status} {output[-600:]!r}")
        self.assertEqual([], wrong, "\n".join(wrong))

    async def test_registrar(self) -> None:
        """Every option of the registrar."""
        await self.refused(
            ([*NS, "--asap", "non sense"], "--asap: 'non sense': 'non sense' is neither an IP address"),
            ([*NS, "--asap", "127.0.0.1:99999"], "'99999' is not a port number"),
            ([*NS, "--asap", "[::1:3863"], "the bracket of the IPv6 address is not closed"),
            ([*NS, "--asap", "127.0.0.1:3863x"], "'3863x' is not a port number"),
            ([*NS, "--asap", ""], "--asap: "),
            ([*NS, "--asap-tcp", "10.1"], "--asap-tcp: '10.1': '10.1' is neither an IP address"),
            ([*NS, "--udp-encapsulation", "0"], "--udp-encapsulation: 0 is not between 1 and 65535"),
            ([*NS, "--udp-encapsulation", "70000"], "--udp-encapsulation: 70000 is not between 1 and 65535"),
            ([*NS, "--udp-encapsulation", "many"], "--udp-encapsulation: 'many' is not a number"),
            ([*NS, "--identifier", "0"], "--identifier: 0 is not between 1 and"),
            ([*NS, "--identifier", "0x100000000"], "--identifier: 0x100000000 is not between"),
            ([*NS, "--identifier", "me"], "--identifier: 'me' is not a number"),
            ([*NS, "--profile", "quick"], "--profile: there is no profile 'quick'; choose one of fast, default, rfc"),
            ([*NS, "--backend", "dccp"], "--backend: there is no backend 'dccp'"),
            ([*NS, "--announce", "--no-announce"], "--announce and --no-announce exclude each other"),
            ([*NS, "--announce-group", "group"], "--announce-group: group is not a multicast group"),
            ([*NS, "--discover-group", "127.0.0.1"], "--discover-group: 127.0.0.1 is not a multicast group"),
            ([*NS, "--announce-group", "127.0.0.1"], "--announce-group: 127.0.0.1 is not a multicast group"),
            ([*NS, "--announce-group", "239.0.0.50:0"], "--announce-group: 239.0.0.50:0: a group is never at port 0"),
            ([*NS, "--enrp", "non sense"], "--enrp: 'non sense': 'non sense' is neither an IP address"),
            ([*NS, "--enrp", "none", "--peer", "127.0.0.1"], "--enrp none: without ENRP there are no peers"),
            ([*NS, "--limit", "pool=7"], "--limit: there is no limit 'pool'; there are pools, elements, "),
            ([*NS, "--limit", "pools=many"], "--limit: 'many' is not a number"),
            ([*NS, "--limit", "pools"], "--limit: 'pools': expected NAME=NUMBER"),
            ([*NS, "--peer", "non sense"], "--peer: 'non sense': 'non sense' is neither an IP address"),
            ([*NS, "--peer", "127.0.0.1:0"], "--peer: 127.0.0.1:0: a registrar is never at port 0"),
            ([*NS, "--udp-encapsulation", "the re:9899"], "--udp-encapsulation: "),
            ([*NS, "--security", "absent"], "absent: there is no such directory; rserpool keys make makes one"),
            (
                [*NS, "--security", "scope=a.example"],
                "--security: a registrar needs the keys of elements, or a certificate",
            ),
            ([*NS, "--security", "state=on"], "--security: 'state=on': state is plain, offered or required, not 'on'"),
            ([*NS, "--security", "a", "--security", "b"], "--security names one: a or b?"),
            ([*NS, "--no-such-option"], "option --no-such-option not recognized"),
            ([*NS, "--profile"], "option --profile requires argument"),
            ([*NS, "surplus"], "Wrong number of arguments"),
            ([*NS, "--asap", "127.0.0.1:1", "--asap", "127.0.0.1:2"], "--asap names one: 127.0.0.1:1 or 127.0.0.1:2?"),
            ([*NS, "--csp-server", "the re"], "--csp-server: 'the re': 'the re' is neither an IP address"),
            ([*NS, "--csp-server", "127.0.0.1:0"], "--csp-server: '127.0.0.1:0': a monitor is never at port 0"),
            ([*NS, "--csp-interval", "1"], "--csp-interval goes with --csp-server"),
            ([*NS, "--csp-server", "[::1]", "--csp-interval", "0"], "is not a number of seconds from 0.1 to 60"),
            ([*NS, "--admin", "nowhere"], "--admin: 'nowhere': expected the path of a socket (with a /), or HOST:PORT"),
            ([*NS, "--admin", "http://0.0.0.0:80"], "--admin: http://0.0.0.0:80: beyond this host TLS is spoken alone"),
            (
                [*NS, "--agentx", "nowhere"],
                "--agentx: 'nowhere': expected the path of a socket (with a /), or HOST:PORT",
            ),
            ([*NS, "--agentx", "tcp://a:705"], "--agentx: 'tcp://a:705': expected the path of a socket (with a /)"),
            ([*NS, "--admin-token", "/etc/passwd"], "--admin-token goes with --admin"),
            (
                [*NS, "--admin", "./a", "--admin-token", "/etc/passwd"],
                "--admin-token: /etc/passwd: others than its",
            ),
        )

    async def test_element(self) -> None:
        """Every option of the element."""
        await self.refused(
            ([*PE, "--security", "scope=a.example", *SERVED], "--security: an element needs a key of its own"),
            ([*PE, "--", "web", "--listen", "frob:0"], "web: Unknown endpoint type: 'frob'"),
            ([*PE, "--", "web", "--listen", "tcp:abc"], "web: invalid literal for int()"),
            ([*PE, "--policy", "best", *SERVED], "--policy: there is no policy 'best'"),
            ([*PE, "--policy", "weighted-round-robin:weight=heavy", *SERVED], "--policy: "),
            ([*PE, "--policy", "least-used:load=moon", *SERVED], "--policy: "),
            ([*PE, "--policy", "least-used:burden=1", *SERVED], "--policy: "),
            ([*PE, "--port", "0", *SERVED], "--port: '0' is not a port"),
            ([*PE, "--port", "dccp:80", *SERVED], "--port: 'dccp:80' is not a port"),
            ([*PE, "--address", "ho st", *SERVED], "--address: 'ho st': 'ho st' is neither an IP address"),
            ([*PE, "--identifier", "0", *SERVED], "--identifier: 0 is not between"),
            ([*PE, "--forwarded", "nat.example", *SERVED], "--forwarded: 'nat.example' is not an IP address"),
            ([*PE, "--profile", "fast,mtu=9", *SERVED], "--profile: mtu=9: 576 to 65535 bytes"),
            ([*PE, "--life", "0", *SERVED], "--life: 0 is not between"),
            ([*PE, "--life", "long", *SERVED], "--life: 'long' is not a number"),
            ([*PE, "--grace", "-1", *SERVED], "--grace: '-1' is not a number of seconds"),
            ([*PE, "--grace", "nan", *SERVED], "--grace: 'nan' is not a number of seconds"),
            ([*PE, "--udp-encapsulation", "0", *SERVED], "--udp-encapsulation: 0 is not between"),
            ([*PE, "--profile", "slow", *SERVED], "--profile: there is no profile 'slow'"),
            ([*PE, "--backend", "dccp", *SERVED], "--backend: there is no backend 'dccp'"),
            ([*PE, "--announce-group", "group", *SERVED], "--announce-group: group is not a multicast group"),
            ([*PE, "--announce-group", "10.0.0.1", *SERVED], "--announce-group: 10.0.0.1 is not a multicast group"),
            ([*PE, "--registrar", "name..example:3863", *SERVED], "--registrar: "),
            ([*PE, "--registrar", "127.0.0.1:0", *SERVED], "--registrar: '127.0.0.1:0': a registrar is never"),
            ([*PE, "--registrar", "127.0.0.1:3863/x", *SERVED], "--registrar: '127.0.0.1:3863/x': 'x' is not a port"),
            ([*PE, "--pool", "q", "--identifier", "7", *SERVED], "--identifier goes with a single --pool"),
            ([*PE, "--announce", "--no-announce", *SERVED], "--announce and --no-announce exclude each other"),
            ([*PE, "--port", "1", "--port", "tcp:1", *SERVED], "--port: 1 is named twice"),
            ([*PE, "--port", "1", "--port", "2", "--identifier", "7", *SERVED], "goes with a single --port"),
            ([*PE, "--address", "127.0.0.1", "--address", "127.0.0.2", *SERVED], "--address names one: 127.0.0.1 or "),
            ([*PE, "--", "rserpool-echo", "--tcp", "1", "--tcp", "2"], "--tcp names one: 1 or 2?"),
            ([*PE, "--", "rserpool-echo", "--tls", "."], "--tls goes with --tcp: over SCTP messages"),
            ([*PE, "--", "rserpool-echo", "--tcp", "0", "--tls", "absent"], "absent/certificate.pem: it cannot"),
            ([*PROXY, "--pool", "q", "--listen", "0"], "twistd rserpool-proxy: --pool names one: p or q?"),
            ([*PE, "--pool", "", *SERVED], "--pool: a pool has a name"),
            ([*PE, "--pool", "p", *SERVED], "--pool: p is named twice"),
            (["-n", "--pidfile=", "rserpool-pe", *SERVED], "--pool NAME is needed"),
            (PE, "say what serves, after --"),
            ([*PE, "--", "nothing-like-that"], "there is no twistd plugin 'nothing-like-that'; there are "),
            (
                [*PE, "--", "lost"],
                "lost: this plugin cannot be loaded: AttributeError: module ",
            ),
            ([*PE, "--", "--kind", "tcp"], "--kind: the plugin's options come after its name"),
            ([*PE, *SERVED, "--kind", "triangle"], "served: there is no kind 'triangle'"),
            ([*PE, *SERVED, "--wrong"], "served: option --wrong not recognized"),
            ([*PE, *SERVED, "surplus"], "served: Wrong number of arguments"),
            ([*PE, "--no-such-option", *SERVED], "option --no-such-option not recognized"),
        )

    async def test_strings(self) -> None:
        """What is wrong with an endpoint string, in a subcommand that knows nothing of us."""
        web = ["-n", "--pidfile=", "web", "--path", ".", "--listen"]
        made = Path(self.mktemp()).absolute()
        members = [member_of("registrar", "reg1"), member_of("element", "web1")]
        ScopeDirectory(made).make("pools.example", members, Terms(datetime.now(UTC)))
        begin = r"rserpool:www:tcp\:0"
        await self.refused(
            ([*web, "rserpool:"], "which pool? write rserpool:POOL:"),
            ([*web, r"rserpool:www:tcp\:0x"], "rserpool:www: 'tcp:0x' is no endpoint to listen on"),
            ([*web, f"{begin}:policy=best"], "rserpool:www: policy=best: there is no policy 'best'"),
            ([*web, f"{begin}:address=192.0.2.1"], "listen on 192.0.2.1:0"),
            ([*web, f"{begin}:security=absent"], "absent: there is no such directory"),
            ([*web, f"{begin}:security={made}/users"], "rserpool:www: security: an element needs a key of its own"),
            ([*web, f"{begin}:security={made}/reg1"], "rserpool:www: security: these are the files of a registrar"),
            ([*web, "sctp:99999"], "sctp: port='99999' is not a port number"),
        )

    async def test_what_this_host_cannot(self) -> None:
        """An address that is not of this host, and ports that are taken, end the process with a sentence."""
        here = free_address()
        taken = await self.registrar("--asap-tcp", "none", "--udp-encapsulation", "9899", asap=f"{here}:3863")
        taken_port = socket.create_server((here, 0))
        self.addCleanup(taken_port.close)
        tcp = taken_port.getsockname()[1]
        elsewhere = "cannot listen on 192.0.2.1 port"
        web = ["--", "web", "--listen"]
        await self.refused(
            ([*NS, "--asap", "192.0.2.1:3863"], elsewhere),
            ([*NS, "--asap", f"{free_address()}:3863", "--asap-tcp", "192.0.2.1:3863"], elsewhere),
            (
                [*NS, "--asap", f"{here}:3863", "--udp-encapsulation", "9899"],
                f"cannot listen on {here} port 9899: Address already in use",
            ),
            (
                [*NS, "--asap", f"{free_address()}:3863", "--asap-tcp", f"{here}:{tcp}"],
                f"cannot listen on {here} port {tcp}: Address already in use",
            ),
            ([*PE, "--registrar", taken.text, "--address", "192.0.2.1", *SERVED], elsewhere),
            (
                [*PE, "--registrar", taken.text, "--address", here, "--udp-encapsulation", "9899", *SERVED],
                f"cannot listen on {here} port 9899: Address already in use",
            ),
            (
                [*PE, "--registrar", taken.text, *web, f"tcp:{tcp}:interface={here}"],
                f"cannot listen on {here} port {tcp}: Address already in use",
            ),
        )
