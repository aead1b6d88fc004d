"""Can the tests of the core fail? The core is broken in one place at a time, by U{Cosmic Ray
<https://cosmic-ray.readthedocs.io>}, and its tests have to notice (C{make mutants}; never part of C{make test}).

What survives is listed with a reason in C{docs/mutants.md}, or gets a test.
"""
