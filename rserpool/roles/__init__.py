"""Registrar, PoolElement and PoolUser: each holds the procedures of one role together (RFC 5352 section 4)."""
