"""Keys that systemd hands over: C{LoadCredential=} puts them where the service alone can read them."""

from __future__ import annotations

import os

from rserpool.core.errors import ConfigurationError
from rserpool.security.files import read_secret
from tests.config.case import FileTests


class CredentialTests(FileTests):
    """An access list shows as a group's right to read."""

    def test_credential(self) -> None:
        """It is a secret there, and nowhere else; nor where others get to the folder, or may write."""
        path = self.write("secret", mode=0o440)
        self.assertRaises(ConfigurationError, read_secret, path)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(path.parent)})
        path.parent.chmod(0o750)
        self.assertEqual(b"secret", read_secret(path))
        for folder, mode in ((0o755, 0o440), (0o770, 0o440), (0o750, 0o444), (0o750, 0o460)):
            path.parent.chmod(folder)
            path.chmod(mode)
            self.assertRaises(ConfigurationError, read_secret, path)
