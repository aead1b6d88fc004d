"""Tests of what C{twistd} runs."""
