"""Bytes to and from frozen messages (RFC 5354, and the message layouts of RFC 5352 and RFC 5353)."""
