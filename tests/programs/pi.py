"""Pi by throwing darts, with its standard error."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
rng = np.random.default_rng(0)
x, y = rng.random(n), rng.random(n)
hit = x**2 + y**2 < 1
running = 4 * np.cumsum(hit)[:: n // 10] / (np.arange(n)[:: n // 10] + 1)
print(4 * hit.mean(), 4 * hit.std() / np.sqrt(n), running[1:4])
