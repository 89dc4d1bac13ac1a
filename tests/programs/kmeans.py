"""k-means by Lloyd's rounds."""

import sys

import numpy as np

n, rounds = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (30_000, 8)
rng = np.random.RandomState(3)
X = np.concatenate([rng.randn(n // 3, 4) + 3 * k for k in range(3)])
centers = X[[0, len(X) // 2, len(X) - 1]].copy()
for _ in range(rounds):
    distance = ((X[:, None, :] - centers[None]) ** 2).sum(axis=2)
    label = distance.argmin(axis=1)
    centers = np.array([X[label == k].mean(axis=0) for k in range(3)])
print("sizes", np.bincount(label), f"inertia {distance.min(axis=1).sum():.6f}")
