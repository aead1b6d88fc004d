"""TLS over SCTP (RFC 3436): a layer around any SCTP stack, on stream 0, one record a message."""
