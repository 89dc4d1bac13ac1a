"""Poisson's equation by Jacobi's method, until the change is small."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 500

x = np.linspace(0, 1, N)
source = np.sin(np.pi * x) * np.sin(np.pi * x[:, None])
u = np.zeros((N, N))
changes = []
for _ in range(200):
    updated = u.copy()
    updated[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] + source[1:-1, 1:-1] / (N - 1) ** 2)
    change = np.abs(updated - u).max()
    u = updated
    changes.append(float(change))
    if change < 1e-9:
        break
print("sweeps", len(changes), "last change", changes[-1])
