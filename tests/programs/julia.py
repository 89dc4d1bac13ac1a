"""A Julia set with smooth colours: where instead of masks."""

import sys

import numpy as np

n, rounds = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (600, 40)
axis = np.linspace(-1.5, 1.5, n)
X, Y = np.meshgrid(axis, axis)
Z = X + 1j * Y
c = -0.8 + 0.156j
smooth = np.zeros(Z.shape)
for _ in range(rounds):
    alive = np.abs(Z) < 10
    Z = np.where(alive, Z * Z + c, Z)
    smooth += np.where(alive, np.exp(-np.abs(Z)), 0)
print(f"sum {smooth.sum():.6f}, brightest {smooth.max():.9f}")
