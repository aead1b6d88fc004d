"""C{rserpool monitor}: pools and their elements on a terminal, as they and a registrar tell of themselves."""
