"""The 0-1 knapsack puzzle by dynamic programming over capacities."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 200_000

rng = np.random.default_rng(17)
weights, values = rng.integers(1, N // 4, 60), rng.integers(1, 1000, 60)
best = np.zeros(N + 1, dtype=np.int64)
for w, v in zip(weights.tolist(), values.tolist(), strict=False):
    best[w:] = np.maximum(best[w:], best[:-w] + v)
print("best value", best[-1], "at half the capacity", best[N // 2])
