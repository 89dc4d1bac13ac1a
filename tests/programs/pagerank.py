"""PageRank of a random web by the power method."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
rng = np.random.RandomState(7)
links = (rng.rand(n, n) < 0.01).astype(float)
out = links.sum(axis=0)
M = np.where(out > 0, links / np.maximum(out, 1), 1 / n)
rank = np.full(n, 1 / n)
for _ in range(200):
    new = 0.85 * M @ rank + 0.15 / n
    change = np.abs(new - rank).sum()
    rank = new
    if change < 1e-6:
        break
print("first", np.argsort(rank)[::-1][:5], f"highest {rank.max():.9f}")
