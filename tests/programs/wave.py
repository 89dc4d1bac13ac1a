"""The wave equation on a square with fixed edges, leapfrog in time."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (700, 60)
x = np.linspace(0, 1, n)
X, Y = np.meshgrid(x, x, indexing="ij")
u = np.exp(-200 * ((X - 0.4) ** 2 + (Y - 0.5) ** 2))
u[0, :] = u[-1, :] = 0
u[:, 0] = u[:, -1] = 0
before = u.copy()
courant = 0.5
for _ in range(steps):
    after = np.zeros_like(u)
    laplacian = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1]
    after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + courant**2 * laplacian
    before, u = u, after
energy = 0.5 * np.sum((u - before) ** 2) + 0.5 * courant**2 * (np.sum(np.diff(u, axis=0) ** 2) + np.sum(np.diff(u, axis=1) ** 2))
print(f"energy {energy:.9f}, highest point {u.max():.9f}")
