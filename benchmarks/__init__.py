"""Benchmarks: the same plain NumPy source on NumPy, lazynp and, where installed, other compilers. `python benchmarks/run.py --help`."""
