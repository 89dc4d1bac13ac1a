"""Regression with a Gaussian process and a squared-exponential kernel."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 500
rng = np.random.default_rng(8)
x = np.sort(rng.uniform(-3, 3, n))
y = np.sin(2 * x) + 0.1 * rng.normal(size=n)
at = np.linspace(-3, 3, 400)


def kernel(a, b, width=0.5):
    return np.exp(-0.5 * (a[:, None] - b[None, :]) ** 2 / width**2)


K = kernel(x, x) + 0.01 * np.eye(n)
L = np.linalg.cholesky(K)
alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
mean = kernel(at, x) @ alpha
v = np.linalg.solve(L, kernel(x, at))
deviation = np.sqrt(np.maximum(1 - np.sum(v * v, axis=0), 0))
evidence = -0.5 * y @ alpha - np.log(np.diag(L)).sum() - 0.5 * n * np.log(2 * np.pi)
print(f"evidence {evidence:.6f}, error {np.abs(mean - np.sin(2 * at)).max():.6f}, widest {deviation.max():.6f}")
