"""The one-to-one style: each association has a protocol of its own, built by a factory (RFC 6458 section 4).

A factory may build protocols that provide L{ISctpProtocol<rserpool.sctp.interfaces.ISctpProtocol>}, or ordinary ones,
which then see a stream of bytes.
"""
