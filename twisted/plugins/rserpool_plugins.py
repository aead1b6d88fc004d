"""What rserpool adds to Twisted: twistd subcommands, and endpoint strings."""

from twisted.application.service import ServiceMaker

from rserpool.tap.endpoint_strings import POOLS, SCTP
from rserpool.tap.makers import MAKERS

rserpool_ns = ServiceMaker(
    "RSerPool registrar", "rserpool.tap.ns", "A registrar (name server) of Reliable Server Pooling.", "rserpool-ns"
)
rserpool_pe = ServiceMaker(
    "RSerPool pool element", "rserpool.tap.pe", "Any twistd plugin as an element of a server pool.", "rserpool-pe"
)
rserpool_proxy = ServiceMaker(
    "RSerPool proxy", "rserpool.tap.proxy", "Relays connections to the elements of a pool.", "rserpool-proxy"
)
rserpool_worker = ServiceMaker(
    "RSerPool worker", "rserpool.tap.worker", "Does jobs for a pool: functions, or a program.", "rserpool-worker"
)
rserpool_endpoint = POOLS
sctp = SCTP
(
    rserpool_echo,
    rserpool_discard,
    rserpool_daytime,
    rserpool_chargen,
    rserpool_pingpong,
    rserpool_calcapp,
    rserpool_fractal,
) = MAKERS
