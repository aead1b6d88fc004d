"""What rserpool adds to Twisted: two twistd subcommands, and endpoint strings."""

from twisted.application.service import ServiceMaker

from rserpool.sctp.parser import SctpEndpointParser
from rserpool.service.parser import PoolEndpointParser

rserpool_ns = ServiceMaker(
    "RSerPool registrar", "rserpool.tap.ns", "A registrar (name server) of Reliable Server Pooling.", "rserpool-ns"
)
rserpool_pe = ServiceMaker(
    "RSerPool pool element", "rserpool.tap.pe", "Any twistd plugin as an element of a server pool.", "rserpool-pe"
)
rserpool_endpoint = PoolEndpointParser()
sctp = SctpEndpointParser()
