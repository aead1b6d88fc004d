"""TLS for every channel, and the keys and certificates behind it (RFC 5352 section 9, RFC 5353 section 6)."""
