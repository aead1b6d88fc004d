"""What every SCTP backend does: tests to mix into a C{TestCase} that supplies the stack (RFC 9260, RFC 6458).

A backend's test says::

    class UsrsctpContractTests(SctpContract, TestCase):
        async def makeStack(self, *hosts):
            return open_stack(reactor, backend="usrsctp", hosts=hosts)
"""

from __future__ import annotations

from tests.sctp.contract_end import EndContract
from tests.sctp.contract_endpoints import EndpointContract, HandlerContract
from tests.sctp.contract_messages import BackpressureContract, MessageContract
from tests.sctp.contract_setup import SetUpContract


class SctpContract(
    SetUpContract, MessageContract, BackpressureContract, EndContract, EndpointContract, HandlerContract
):
    """The whole contract."""
