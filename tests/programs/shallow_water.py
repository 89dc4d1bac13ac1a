"""Shallow water by Lax and Friedrichs, with reflecting walls."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (400, 40)
g, dx, dt = 9.81, 1.0, 0.02
y, x = np.mgrid[0:n, 0:n]
h = 1.0 + 0.3 * np.exp(-((x - n / 2) ** 2 + (y - n / 3) ** 2) / (n / 10) ** 2)
hu, hv = np.zeros((n, n)), np.zeros((n, n))


def average(q):
    return 0.25 * (q[2:, 1:-1] + q[:-2, 1:-1] + q[1:-1, 2:] + q[1:-1, :-2])


def across(f):
    return (f[1:-1, 2:] - f[1:-1, :-2]) / (2 * dx)


def along(f):
    return (f[2:, 1:-1] - f[:-2, 1:-1]) / (2 * dx)


for _ in range(steps):
    u, v = hu / h, hv / h
    pressure = 0.5 * g * h * h
    new_h = average(h) - dt * (across(hu) + along(hv))
    new_hu = average(hu) - dt * (across(hu * u + pressure) + along(hu * v))
    new_hv = average(hv) - dt * (across(hv * u) + along(hv * v + pressure))
    h[1:-1, 1:-1], hu[1:-1, 1:-1], hv[1:-1, 1:-1] = new_h, new_hu, new_hv
    h[0], h[-1], h[:, 0], h[:, -1] = h[1], h[-2], h[:, 1], h[:, -2]
    hu[:, 0], hu[:, -1] = -hu[:, 1], -hu[:, -2]
    hv[0], hv[-1] = -hv[1], -hv[-2]
print(f"volume {h.sum():.6f}, highest {h.max():.9f}, momentum {np.abs(hu).sum():.6f}")
