"""What NumPy's BLAS keeps of packed operands after one case, in bytes: `python benchmarks/packed.py network 8192 float64`.

OpenBLAS maps 32 MB for a thread and touches as much of it as a product packs. tracemalloc does not see that.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.applications import APPLICATIONS
from benchmarks.expressions import EXPRESSIONS
from benchmarks.measure import in_precision

_LEAST = 16 << 20
"""Smaller mappings without a file are Python's."""


def touched() -> int:
    """The bytes in memory of large mappings that belong to no file."""
    total, size, named = 0, 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="ascii").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            named = len(words) > 5
        elif words[0] == "Size:":
            size = int(words[1]) << 10
        elif words[0] == "Rss:" and size >= _LEAST and not named:
            total += int(words[1]) << 10
    return total


def main(name: str, n: str, dtype: str) -> int:
    """After one call, whose results are gone."""
    case = next(c for c in (*EXPRESSIONS, *APPLICATIONS) if c.name == name)
    args = in_precision(case.arguments(np.random.default_rng(0), int(n)), dtype)
    before = touched()
    with np.errstate(all="ignore"):
        case.function(*args)
    return touched() - before


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
