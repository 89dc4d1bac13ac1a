"""A mixture of Gaussians fitted by expectation and maximisation."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 200_000

rng = np.random.default_rng(22)
x = np.concatenate([rng.normal(-3, 1, N // 3), rng.normal(0, 0.5, N // 3), rng.normal(4, 1.5, N // 3)])
mean, deviation, weight = np.array([-1.0, 0.5, 2.0]), np.ones(3), np.full(3, 1 / 3)
for _ in range(25):
    density = weight * np.exp(-0.5 * ((x[:, None] - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    total = density.sum(1, keepdims=True)
    share = density / total
    count = share.sum(0)
    mean = (share * x[:, None]).sum(0) / count
    deviation = np.sqrt((share * (x[:, None] - mean) ** 2).sum(0) / count)
    weight = count / len(x)
likelihood = np.log(total).mean()
print("means", mean, "log-likelihood", likelihood)
