"""An application file: a web server in the pool "documents", for twistd to run; each one more is another element.

    $ twistd -n --pidfile= rserpool-ns &
    $ twistd -n --pidfile= -y examples/web.tac

It logs that it is registered: "documents: registered as 0x... with 127.0.0.1:3863/9899". Ctrl-C takes it out of the pool
first, lets requests end, and then ends it. Where the registrars are elsewhere, RSERPOOL_REGISTRARS says where. Who is in
the pool: rserpool watch documents.
"""

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.server import Site
from twisted.web.static import Data

from rserpool.element import PooledService

page = Data(b"<!doctype html><title>rserpool</title><p>A page from a pool.</p>\n", "text/html")
page.isLeaf = True
site = Site(page)
web = StreamServerEndpointService(serverFromString(reactor, "tcp:0:interface=127.0.0.1"), site)

application = Application("web in a pool")
PooledService(reactor, web, ["documents"], policy="least-used:load=cpu").setServiceParent(application)
