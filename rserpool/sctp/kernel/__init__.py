"""SCTP of the Linux kernel (RFC 6458): multihoming, dynamic address reconfiguration, and any other implementation."""
