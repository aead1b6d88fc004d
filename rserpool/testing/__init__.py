"""For tests of your own: a whole scope (registrars, elements, users) in memory, on a clock; see docs/testing.md.

It is built from the package's real services over L{SCTP in memory<rserpool.sctp.memory>} and TCP in memory; nothing of
RSerPool is imitated.
"""

from rserpool.testing.clock import Time, Timeline
from rserpool.testing.element import ElementProcess
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.process import Process
from rserpool.testing.reactor import HostReactor
from rserpool.testing.registrar import RegistrarProcess
from rserpool.testing.scope import Scope
from rserpool.testing.security import ScopeSecurity
from rserpool.testing.seen import Seen
from rserpool.testing.slot import MemorySlot
from rserpool.testing.trace import Dialled, Entry, Message, Trace
from rserpool.testing.user import UserProcess

__all__ = [
    "Dialled",
    "ElementProcess",
    "Entry",
    "HostReactor",
    "MemorySlot",
    "Message",
    "Process",
    "RegistrarProcess",
    "Scope",
    "ScopeNetwork",
    "ScopeSecurity",
    "Seen",
    "Time",
    "Timeline",
    "Trace",
    "UserProcess",
]
