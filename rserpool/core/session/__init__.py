"""Sessions that outlive their server, at the user (RFC 5352 sections 3.8, 3.9 and 6)."""
