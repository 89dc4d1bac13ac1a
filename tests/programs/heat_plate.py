"""Heat on a plate with one hot edge: explicit steps written into slices."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 1000

u = np.zeros((N, N))
u[0] = 100.0
for _ in range(120):
    u[1:-1, 1:-1] += 0.2 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
profile = u[:, N // 2].copy()
print("mean temperature", u.mean(), "middle", profile[N // 2])
