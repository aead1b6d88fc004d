"""Hostile neighbours: inputs that kill others, and a million mutated messages (C{python -m tests.hostile.run})."""
