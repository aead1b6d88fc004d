"""With what C{rserpool} exits."""

from __future__ import annotations

OK = 0
OTHER = 1
BAD_OPTION = 2
UNKNOWN_POOL = 3
NO_REGISTRAR = 4
ANOTHER_SERVICE = 5
INTERRUPTED = 130

EXIT_CODES = """exit codes: 0 all is well, 1 any other error, 2 a wrong option, 3 no such pool,
            4 no registrar answered, 5 the pool is another service's, 130 interrupted"""
