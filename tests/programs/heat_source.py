"""Heat in a plate with a source and insulated edges."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (600, 80)
T = np.zeros((n, n))
source = np.zeros((n, n))
source[n // 3 : n // 2, n // 4 : n // 3] = 1.0
k, dt = 0.2, 1.0
for _ in range(steps):
    T[1:-1, 1:-1] += dt * (k * (T[2:, 1:-1] + T[:-2, 1:-1] + T[1:-1, 2:] + T[1:-1, :-2] - 4 * T[1:-1, 1:-1]) + source[1:-1, 1:-1])
    T[0], T[-1] = T[1], T[-2]
    T[:, 0], T[:, -1] = T[:, 1], T[:, -2]
print(f"mean {T.mean():.9f}, hottest {T.max():.9f}")
