"""Rosenbrock's valley by Adam: vectors of ten numbers in a Python loop."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 20_000

x = np.full(10, -0.5)
m, v = np.zeros(10), np.zeros(10)
for k in range(1, N + 1):
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    x = x - 0.01 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
value = np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
print("value", float(value))
