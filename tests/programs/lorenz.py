"""The Lorenz attractor by Runge and Kutta: three numbers, many steps."""

import sys

import numpy as np

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 4000


def f(u, sigma=10.0, rho=28.0, beta=8 / 3):
    x, y, z = u
    return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


path = np.empty((steps + 1, 3))
path[0] = 1.0, 1.0, 1.05
dt = 0.005
for k in range(steps):
    u = path[k]
    k1 = f(u)
    k2 = f(u + dt / 2 * k1)
    k3 = f(u + dt / 2 * k2)
    k4 = f(u + dt * k3)
    path[k + 1] = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
print("mean over the first hundred", path[:100].mean(axis=0))
