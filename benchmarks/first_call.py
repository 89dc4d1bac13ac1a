"""Run in a fresh process by `run.py --compile`: prints what importing and the first call of a jitted function take, as JSON.

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


def ten_operations(x, y):
    return lazynp.sqrt(lazynp.exp(-x) * 2 + y * y) - lazynp.tanh(x + 1) / (y + 3)


x = np.linspace(0, 1, 1000)
expected = np.sqrt(np.exp(-x) * 2 + x * x) - np.tanh(x + 1) / (x + 3)
compiled = lazynp.jit(ten_operations, strict=True)
before = clock()
result = compiled(x, x)
after = clock()
compiled(x, x)
again = clock()
np.testing.assert_allclose(result, expected, rtol=1e-12)
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
