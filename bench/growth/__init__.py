"""How cost grows, measured, and a model for more than one machine can show (C{python -m bench.growth})."""
