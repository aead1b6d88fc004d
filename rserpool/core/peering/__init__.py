"""The registrar among registrars: ENRP (RFC 5353 section 3), one procedure a module."""
