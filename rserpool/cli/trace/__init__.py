"""C{rserpool trace}: the messages of ASAP and ENRP as lines, live or from a capture."""
