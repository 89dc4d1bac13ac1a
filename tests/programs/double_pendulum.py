"""Many double pendulums at once, from slightly different angles."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (200_000, 20)
a1 = np.linspace(1.0, 1.001, n)
a2 = np.full(n, 0.5)
w1, w2 = np.zeros(n), np.zeros(n)
g, dt = 9.81, 0.01
for _ in range(steps):
    delta = a1 - a2
    below = 3 - np.cos(2 * delta)
    acc1 = (-3 * g * np.sin(a1) - g * np.sin(a1 - 2 * a2) - 2 * np.sin(delta) * (w2**2 + w1**2 * np.cos(delta))) / below
    acc2 = 2 * np.sin(delta) * (2 * w1**2 + 2 * g * np.cos(a1) + w2**2 * np.cos(delta)) / below
    w1 += acc1 * dt
    w2 += acc2 * dt
    a1 += w1 * dt
    a2 += w2 * dt
print(f"angles {a1.mean():.9f} {a2.mean():.9f}, spread {a1.std():.3e}")
