"""Whether this kernel has SCTP that works; all else of the backend is loaded only then."""

from __future__ import annotations

import socket
import sys
from errno import ENOSYS

from rserpool.core.errors import SctpUnavailable


def require_kernel() -> None:
    """Look whether this kernel has SCTP that works.

    @raise SctpUnavailable: if not; the text says what to do.
    """
    if not sys.platform.startswith("linux"):
        raise SctpUnavailable(f"the backend kernel is for Linux, not {sys.platform}; choose the backend usrsctp")
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
    except OSError as error:
        raise SctpUnavailable(
            f"this kernel has no SCTP ({error.strerror}): load it with 'modprobe sctp', or choose the backend usrsctp"
        ) from None
    with sock:
        try:
            sock.listen(1)
        except OSError as error:
            hint = "'sysctl net.sctp.cookie_hmac_alg=none' or the kernel's md5 helps" if error.errno == ENOSYS else ""
            raise SctpUnavailable(
                f"this kernel's SCTP cannot listen ({error.strerror}): {hint or 'choose the backend usrsctp'}"
            ) from None
