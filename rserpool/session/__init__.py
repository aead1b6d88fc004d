"""Sessions that outlive their server: a connection to a pool, and its server side (RFC 5352 sections 3.8, 3.9, 6)."""
