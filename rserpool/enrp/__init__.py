"""The procedures of RFC 5353 section 3, one a module."""
