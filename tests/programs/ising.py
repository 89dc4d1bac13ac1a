"""The Ising model by checkerboard updates."""

import sys

import numpy as np

n, sweeps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (500, 20)
rng = np.random.default_rng(21)
spins = rng.choice([-1, 1], (n, n))
beta = 0.44
i, j = np.indices((n, n))
colours = [(i + j) % 2 == 0, (i + j) % 2 == 1]
for _ in range(sweeps):
    for colour in colours:
        field = np.roll(spins, 1, 0) + np.roll(spins, -1, 0) + np.roll(spins, 1, 1) + np.roll(spins, -1, 1)
        flip = colour & (rng.random((n, n)) < np.exp(-2 * beta * spins * field))
        spins[flip] *= -1
print("magnetisation", spins.mean(), "energy", -np.mean(spins * (np.roll(spins, 1, 0) + np.roll(spins, 1, 1))))
