"""Run in a fresh process by `run.py --compile`: prints what importing and the first call of a jitted function take, as JSON. Its argument:
of how many operations (10).

The imports stand between clock readings: they are what is measured.
"""

import json
import sys
import time

clock = time.perf_counter
start = clock()
import numpy as np  # noqa: E402

numpy_imported = clock()
import lazynp  # noqa: E402

lazynp_imported = clock()


def ten_operations(np, x, y):
    return np.sqrt(np.exp(-x) * 2 + y * y) - np.tanh(x + 1) / (y + 3)


def operations(np, x, y, count):
    """ten_operations, or a chain of so many, written out."""
    if count == 10:
        return ten_operations(np, x, y)
    for k in range(count // 4):
        x = np.sin(x * 0.5 + k) + y
    return x


count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
lazynp.config(unroll=count, unroll_nodes=10 * count)
x = np.linspace(0, 1, 1000)
expected = operations(np, x, x, count)
compiled = lazynp.jit(lambda x, y: operations(lazynp, x, y, count), strict=True)
before = clock()
result = compiled(x, x)
after = clock()
compiled(x, x)
again = clock()
np.testing.assert_allclose(result, expected, rtol=1e-10)
stats = lazynp.stats()
report = {
    "import_numpy": numpy_imported - start,
    "import_lazynp": lazynp_imported - numpy_imported,
    "first_call": after - before,
    "second_call": again - after,
    "compiles": stats["compiles"],
    "disk_hits": stats["disk_hits"],
}
json.dump(report, sys.stdout)
