"""Computing, the pure part."""
