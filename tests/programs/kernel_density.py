"""A density estimated by Gaussian kernels, with its mode and entropy."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 5_000

rng = np.random.default_rng(21)
data = np.concatenate([rng.normal(-2, 0.6, N // 2), rng.normal(1, 1.1, N - N // 2)])
grid = np.linspace(-6, 6, 800)
width = 1.06 * data.std() * N ** (-1 / 5)
density = np.exp(-0.5 * ((grid[:, None] - data) / width) ** 2).sum(1) / (N * width * np.sqrt(2 * np.pi))
step = grid[1] - grid[0]
mass = density.sum() * step
entropy = -np.sum(density * np.log(density + 1e-300)) * step
mode = grid[density.argmax()]
print("mass", mass, "mode", mode, "entropy", entropy)
