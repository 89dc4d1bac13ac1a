"""The Mandelbrot set by masks."""

import sys

import numpy as np

n, rounds = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (600, 40)
x, y = np.linspace(-2.1, 0.6, n), np.linspace(-1.2, 1.2, n)
X, Y = np.meshgrid(x, y)
C = X + 1j * Y
Z = np.zeros_like(C)
count = np.zeros(C.shape, int)
for k in range(rounds):
    inside = np.abs(Z) < 2
    Z[inside] = Z[inside] ** 2 + C[inside]
    count[inside] = k
print("inside", np.sum(np.abs(Z) < 2), "sum of counts", count.sum())
