"""Reliable Server Pooling (RSerPool, RFC 5351 to 5356) for Twisted."""
