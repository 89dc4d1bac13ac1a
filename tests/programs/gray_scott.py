"""Reaction and diffusion of two substances (Gray and Scott 1984) on a torus."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (400, 60)
U, V = np.ones((n, n)), np.zeros((n, n))
r = n // 10
U[n // 2 - r : n // 2 + r, n // 2 - r : n // 2 + r] = 0.5
V[n // 2 - r : n // 2 + r, n // 2 - r : n // 2 + r] = 0.25
Du, Dv, F, k = 0.16, 0.08, 0.035, 0.065


def laplacian(Z):
    return np.roll(Z, 1, 0) + np.roll(Z, -1, 0) + np.roll(Z, 1, 1) + np.roll(Z, -1, 1) - 4 * Z


for _ in range(steps):
    reaction = U * V * V
    change_u = Du * laplacian(U) - reaction + F * (1 - U)
    change_v = Dv * laplacian(V) + reaction - (F + k) * V
    U += change_u
    V += change_v
print(f"U {U.mean():.9f}, V {V.mean():.9f}")
