"""SCTP in the reactor: one set of interfaces, several backends."""
