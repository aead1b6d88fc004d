"""The steps of the Containerfile in a clean root (C{make container-check})."""
