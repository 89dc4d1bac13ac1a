"""Loops and branches in hostile Python: what tests/test_capture.py runs on NumPy and under jit. One file per idea."""

from hostile import data, effects, flow, functions, library, memory, names, numbers, objects, raising, ranges, records, sequences  # noqa: F401
from hostile.cases import CASES, x6, x12

__all__ = ["CASES", "x6", "x12"]
