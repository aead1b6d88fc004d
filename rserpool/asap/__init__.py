"""The procedures of RFC 5352 section 3, one a module."""
