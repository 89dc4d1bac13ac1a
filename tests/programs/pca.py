"""Principal components of standardised data, and how much they explain."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
rng = np.random.default_rng(4)
X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 30)) + 0.1 * rng.normal(size=(n, 30))
Z = (X - X.mean(axis=0)) / X.std(axis=0)
values, vectors = np.linalg.eigh(Z.T @ Z / n)
order = np.argsort(values)[::-1]
explained = values[order] / values.sum()
scores = Z @ vectors[:, order[:5]]
print("explained", np.round(explained[:6], 6), f"variance of the scores {scores.var():.6f}")
