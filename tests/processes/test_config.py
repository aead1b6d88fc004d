"""Configuration files of real processes."""

from __future__ import annotations

from pathlib import Path

from rserpool.core.described import policy_text
from tests.processes.harness import ProcessTests, free_address


class ConfigTests(ProcessTests):
    """A registrar, an element and a proxy, each with a file."""

    async def test_reload(self) -> None:
        """SIGHUP: the weight of an element is another one at once; a broken file changes nothing."""
        place, folder = f"{free_address()}:3863", Path(self.mktemp()).absolute()
        folder.mkdir()
        files = {name: folder / f"{name}.toml" for name in ("registrar", "element", "proxy")}
        files["registrar"].write_text(f"[registrar]\nasap = '{place}'\n")
        registrar = await self.serving(self.twistd("rserpool-ns", "--config", str(files["registrar"])))
        where = f"pool = 'pool'\nregistrar = '{registrar.text}'"
        text = f"[element]\n{where}\nplugin = 'served'\npolicy = 'WRAND:weight=%s'\n"
        files["element"].write_text(text % 5)
        element = self.twistd("rserpool-pe", "--config", str(files["element"]))
        pool = self.watch(self.user(registrar))
        await pool.until(lambda there: self.weights(there) == ["weighted-random:weight=5"])
        listen = "listen = 'tcp:0:interface=127.0.0.1'"
        files["proxy"].write_text(f"[proxy]\n{where}\n{listen}\nlimit = 5\n")
        proxy = self.twistd("rserpool-proxy", "--config", str(files["proxy"]))
        await proxy.says("relays tcp")
        files["element"].write_text(text % "much")
        element.signal("HUP")
        await element.says("line 5: policy: .*; nothing changes until this is mended")
        files["element"].write_text(text % 50)
        element.signal("HUP")
        await element.says(r"element\.toml: policy is WRAND:weight=50 now \(was WRAND:weight=5\)")
        await pool.until(lambda there: self.weights(there) == ["weighted-random:weight=50"])
        files["element"].write_text((text % 50).replace("WRAND", "WRR"))
        element.signal("HUP")
        await element.says("policy is WRR:weight=50 when this is started anew, and not before")
        files["proxy"].write_text(files["proxy"].read_text().replace("limit = 5", "limit = 6\ntls = 'a.example'"))
        proxy.signal("HUP")
        await proxy.says(r"limit is 6 now \(was 5\)")
        await proxy.says("tls is a.example when this is started anew")
        self.no_traceback(registrar.process, element, proxy)

    async def test_broken_file_of_the_user(self) -> None:
        """Each command that goes by it says so in a sentence; one that does not says what else is wrong; all end."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        broken = folder / "broken.toml"
        broken.write_text("registrar = [")
        here = "--admin", "/nobody/listens"
        for file in (broken, folder / "nothing.toml"):
            asks = [
                self.rserpool(*words, RSERPOOL_CONFIG=str(file))
                for words in (["status"], ["pools"], ["elements"], ["registrars"], ["resolve", "pool"])
            ]
            acts = [
                self.rserpool(*words, *here, RSERPOOL_CONFIG=str(file))
                for words in (["drain", "pool", "0x1"], ["evict", "pool", "0x1"], ["undrain", "pool", "0x1"])
            ]
            for process, code, says in (
                *((each, 2, f"{file}: ") for each in asks),
                *((each, 1, "nobody answers at /nobody/listens") for each in acts),
            ):
                self.assertEqual(code, await process.ended, process.text)
                self.assertIn(says, process.text)
                self.assertEqual(1, len(process.lines), process.text)

    @staticmethod
    def weights(there) -> list[str]:
        return [policy_text(each.policy) for each in there.values()]
