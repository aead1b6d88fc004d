"""C{rserpool proxy --config}."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.threads import deferToThread

from rserpool.admin import AdminClient
from tests.processes.harness import ProcessTests, free_address


class ProxyFileTests(ProcessTests):
    """The command, with the file that C{twistd rserpool-proxy} takes as well."""

    async def test_reload(self) -> None:
        """SIGHUP reads it again; a mistake in it changes nothing."""
        path = Path(self.mktemp()).absolute()
        text = (
            f"[proxy]\npool = 'p'\nregistrar = '{free_address()}'\nlisten = 'tcp:0:interface=127.0.0.1'\nlimit = %s\n"
        )
        path.write_text(text % 3)
        proxy = self.rserpool("proxy", "--config", str(path))
        await proxy.says("relays tcp 127.0.0.1:")
        path.write_text(text % "'x'")
        proxy.signal("HUP")
        await proxy.says("line 5: limit: 'x' is not a whole number above 0")
        await proxy.says("SIGHUP: nothing changes until this is mended")
        path.write_text(f"{text % 4}log = 'json'\ndrop = true\n")
        proxy.signal("HUP")
        await proxy.says(r"SIGHUP: drop is true when this is started anew, and not before \(was not there\)")
        await proxy.says(r"SIGHUP: limit is 4 now \(was 3\)")
        await proxy.says("loaded anew")
        proxy.signal("TERM")
        await proxy.ended
        self.no_traceback(proxy)

    async def test_admin(self) -> None:
        """The admin interface of the command is that of C{twistd rserpool-proxy}; a second one leaves it alone."""
        folder = TemporaryDirectory(prefix="rserpool-")
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "proxy.toml"
        at = f"{folder.name}/proxy.sock"
        where = f"registrar = '{free_address()}'\nlisten = 'tcp:0:interface=127.0.0.1'\n"
        path.write_text(f"[proxy]\npool = 'p'\nadmin = '{at}'\n{where}")
        proxy = self.rserpool("proxy", "--config", str(path))
        await proxy.says(f"admin interface: {at}")
        about = await deferToThread(AdminClient(at).about)
        self.assertEqual(("proxy", "p", False), (about["role"], about["pool"], about["ready"]))
        second = self.rserpool("proxy", "--config", str(path))
        self.assertEqual(2, await second.ended)
        self.assertIn(f"cannot listen on {at}: a process that runs listens there", second.text)
        proxy.signal("TERM")
        await proxy.ended
        self.assertFalse(Path(at).exists())
        self.no_traceback(proxy, second)
